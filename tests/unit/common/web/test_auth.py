"""Who may do what: 401 without a known token, 403 without the scope, 503 when nobody can tell."""

import pytest
from tests.support.web import ADMIN_TOKEN, OPERATE_TOKEN, READ_TOKEN, TOKENS, client_of, sample_app

from common.web.auth import INCLUDES, AnyOf, AuthenticationUnavailable, Authenticator, Identity, Scope

NOTE = {"title": "x"}


class Unavailable:
    async def authenticate(self, token: str) -> Identity | None:
        raise AuthenticationUnavailable("the API server does not answer")


class Knows:
    def __init__(self, token: str) -> None:
        self.token = token

    async def authenticate(self, token: str) -> Identity | None:
        return Identity.of("known", [Scope.ADMIN]) if token == self.token else None


@pytest.mark.parametrize(
    ("token", "read", "write"),
    [
        pytest.param(None, 401, 401, id="nobody"),
        pytest.param("made-up", 401, 401, id="a made-up token"),
        pytest.param(READ_TOKEN, 200, 403, id="a reader"),
        pytest.param(OPERATE_TOKEN, 200, 201, id="an operator"),
        pytest.param(ADMIN_TOKEN, 200, 201, id="an administrator"),
    ],
)
async def test_what_each_may_do(token: str | None, read: int, write: int) -> None:
    async with client_of(sample_app(), token) as client:
        assert (await client.get("/api/v1/notes/x")).status_code == read
        assert (await client.post("/api/v1/notes", json=NOTE)).status_code == write


def test_the_right_to_speak_for_others_is_part_of_no_other() -> None:
    assert not any(Scope.DELEGATE in included for included in INCLUDES.values())


async def test_a_refusal_names_the_scope_that_is_lacking() -> None:
    async with client_of(sample_app(), READ_TOKEN) as client:
        problem = (await client.post("/api/v1/notes", json=NOTE)).json()

    assert problem["detail"] == "reader lacks the scope operate"
    assert problem["scope"] == "operate"


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        pytest.param({}, 'Bearer realm="k8s-health-checker"', id="no credential"),
        pytest.param({"Authorization": "Basic dTpw"}, 'Bearer realm="k8s-health-checker"', id="another scheme"),
        pytest.param(
            {"Authorization": "Bearer x"},
            'Bearer realm="k8s-health-checker", error="invalid_token"',
            id="unknown token",
        ),
    ],
)
async def test_a_challenge_says_how_to_come_in(header: dict[str, str], challenge: str) -> None:
    async with client_of(sample_app()) as client:
        response = await client.get("/api/v1/notes/x", headers=header)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == challenge


async def test_when_tokens_cannot_be_checked_it_is_nobodys_fault(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(sample_app(authenticator=Unavailable()), "any") as client:
        response = await client.get("/api/v1/notes/x")

    assert response.status_code == 503
    assert "the API server" not in response.text
    assert "tokens cannot be checked: the API server does not answer" in caplog.text


@pytest.mark.parametrize(
    ("authenticator", "status"),
    [
        pytest.param(AnyOf(TOKENS, Knows("k")), 200, id="the second knows the token"),
        pytest.param(AnyOf(Unavailable(), Knows("k")), 200, id="one is away, another knows the token"),
        pytest.param(AnyOf(Unavailable(), TOKENS), 503, id="one is away, the others do not know the token"),
        pytest.param(AnyOf(TOKENS), 401, id="nobody knows the token"),
    ],
)
async def test_several_authenticators(authenticator: Authenticator, status: int) -> None:
    async with client_of(sample_app(authenticator=authenticator), "k") as client:
        assert (await client.get("/api/v1/notes/x")).status_code == status


def test_every_scope_says_what_it_includes() -> None:
    assert set(INCLUDES) == set(Scope)
    assert Identity.of("x", [Scope.ADMIN]).scopes == set(Scope) - {Scope.DELEGATE}
    assert Identity.of("x", [Scope.OPERATE]).scopes == {Scope.OPERATE, Scope.READ}
    assert Identity.of("x", []).scopes == set()

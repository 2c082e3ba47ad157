"""Tokens of Kubernetes: asked for once, remembered for a while, never taken for granted."""

import asyncio

import pytest
from tests.support.clock import SteppedClock

from common.web.auth import AuthenticationUnavailable, Scope
from common.web.kubernetes_tokens import KubernetesTokens, Reviewed


class ApiServer:
    """Knows the tokens of some users, and counts what it is asked."""

    def __init__(self, users: dict[str, Reviewed], allowed: set[tuple[str, str]]) -> None:
        self.users = users
        self.allowed = allowed
        self.token_reviews = 0
        self.access_reviews: list[tuple[str, str, str, str]] = []
        self.away = False

    async def review_token(self, token: str) -> Reviewed | None:
        self.token_reviews += 1
        await asyncio.sleep(0)
        if self.away:
            raise AuthenticationUnavailable("connection refused")
        return self.users.get(token)

    async def is_allowed(self, user: Reviewed, *, verb: str, group: str, resource: str) -> bool:
        self.access_reviews.append((user.username, verb, group, resource))
        return (user.username, verb) in self.allowed


ALICE = Reviewed("alice", groups=("sre",))


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def server() -> ApiServer:
    return ApiServer({"t-alice": ALICE, "t-bob": Reviewed("bob")}, {("alice", "operate")})


@pytest.fixture
def tokens(server: ApiServer, clock: SteppedClock) -> KubernetesTokens:
    return KubernetesTokens(server, "health", monotonic=clock.monotonic)


async def test_scopes_are_verbs_on_the_resource_of_the_service(tokens: KubernetesTokens, server: ApiServer) -> None:
    identity = await tokens.authenticate("t-alice")

    assert identity is not None
    assert (identity.name, identity.groups) == ("alice", {"sre"})
    assert identity.scopes == {Scope.OPERATE, Scope.READ}
    assert set(server.access_reviews) == {("alice", scope, "k8s-health-checker", "health") for scope in Scope}


async def test_a_user_without_any_right_is_known_and_may_do_nothing(tokens: KubernetesTokens) -> None:
    identity = await tokens.authenticate("t-bob")

    assert identity is not None
    assert identity.scopes == set()


@pytest.mark.parametrize(
    ("token", "seconds", "reviews"),
    [
        pytest.param("t-alice", 29, 1, id="a known token is remembered for 30 s"),
        pytest.param("t-alice", 31, 2, id="and then asked for again"),
        pytest.param("made-up", 4, 1, id="an unknown one for 5 s"),
        pytest.param("made-up", 6, 2, id="as it may have become known"),
    ],
)
async def test_answers_are_remembered(
    tokens: KubernetesTokens, server: ApiServer, clock: SteppedClock, token: str, seconds: float, reviews: int
) -> None:
    first = await tokens.authenticate(token)
    clock.step(seconds)
    second = await tokens.authenticate(token)

    assert first == second
    assert server.token_reviews == reviews


async def test_many_requests_at_once_ask_once(tokens: KubernetesTokens, server: ApiServer) -> None:
    identities = await asyncio.gather(*(tokens.authenticate("t-alice") for _ in range(50)))

    assert {identity.name for identity in identities if identity} == {"alice"}
    assert server.token_reviews == 1


async def test_a_failure_is_told_and_not_remembered(tokens: KubernetesTokens, server: ApiServer) -> None:
    server.away = True
    with pytest.raises(AuthenticationUnavailable, match="connection refused"):
        await tokens.authenticate("t-alice")
    server.away = False

    assert await tokens.authenticate("t-alice") is not None


async def test_what_cannot_be_a_token_is_not_asked_for(tokens: KubernetesTokens, server: ApiServer) -> None:
    assert await tokens.authenticate("x" * 20_000) is None
    assert server.token_reviews == 0


async def test_made_up_tokens_do_not_fill_the_memory(tokens: KubernetesTokens, server: ApiServer) -> None:
    await tokens.authenticate("t-alice")
    for number in range(2_100):
        await tokens.authenticate(f"made-up-{number}")
    asked = server.token_reviews

    await tokens.authenticate("made-up-2099")
    assert server.token_reviews == asked
    await tokens.authenticate("t-alice")
    assert server.token_reviews == asked + 1

"""Kubeconfigs whose tokens come from an OpenID provider: used while they last, refreshed, kept, refused."""

import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.apiserver import StandIn
from tests.support.following import connected

from common.kube.errors import BadKubeconfig
from common.kube.oidc import expired

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    async with StandIn().serving() as stand_in:
        yield stand_in


@pytest.fixture
async def issuer() -> AsyncIterator[StandIn]:
    async with StandIn().serving() as stand_in:
        stand_in.answer_always(DISCOVERY, 200, json.dumps({"token_endpoint": f"{stand_in.url}/token"}).encode())
        yield stand_in


def a_token(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"sub": "\u00ff?>~ops"} | claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def a_user(issuer: StandIn, **changes: str | None) -> dict[str, Any]:
    config = {
        "idp-issuer-url": issuer.url,
        "client-id": "kubectl",
        "client-secret": "hunter2",
        "id-token": a_token(exp=time.time() - 60),
        "refresh-token": "once",
    }
    given = {name: value for name, value in (config | changes).items() if value is not None}
    return {"auth-provider": {"name": "oidc", "config": given}}


def kept(folder: Path) -> dict[str, str]:
    users = yaml.safe_load((folder / "kubeconfig").read_text())["users"]
    config: dict[str, str] = users[0]["user"]["auth-provider"]["config"]
    return config


async def test_a_token_that_lasts_is_used_and_nobody_else_is_asked(
    server: StandIn, issuer: StandIn, tmp_path: Path
) -> None:
    server.token = a_token(exp=time.time() + 3600)
    async with connected(server, tmp_path, a_user(issuer, **{"id-token": server.token})) as api:
        await api.get("/version")
    assert issuer.requests == []


@pytest.mark.parametrize(
    "secret", [pytest.param("hunter2", id="a client with a secret"), pytest.param(None, id="none")]
)
@pytest.mark.parametrize("token", [pytest.param(a_token(exp=1), id="an old token"), pytest.param(None, id="no token")])
async def test_a_token_that_has_ended_is_replaced_and_a_rotated_refresh_token_is_kept(
    server: StandIn, issuer: StandIn, tmp_path: Path, token: str | None, secret: str | None
) -> None:
    server.token = a_token(exp=time.time() + 3600)
    issuer.answer("/token", 200, json.dumps({"id_token": server.token, "refresh_token": "twice"}).encode())
    user = a_user(issuer, **{"id-token": token, "client-secret": secret})
    async with connected(server, tmp_path, user) as api:
        await api.get("/version")
    assert issuer.asked("/token") == 1
    assert (kept(tmp_path)["id-token"], kept(tmp_path)["refresh-token"]) == (server.token, "twice")


async def test_a_kubeconfig_is_left_alone_where_its_refresh_token_stays_good(
    server: StandIn, issuer: StandIn, tmp_path: Path
) -> None:
    server.token = a_token(exp=time.time() + 3600)
    issuer.answer("/token", 200, json.dumps({"id_token": server.token}).encode())
    async with connected(server, tmp_path, a_user(issuer)) as api:
        before = (tmp_path / "kubeconfig").read_bytes()
        await api.get("/version")
    assert (tmp_path / "kubeconfig").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "status", "answer", "reason"),
    [
        pytest.param({}, 400, {"error": "invalid_grant"}, "gives no new token .400.*log in again", id="refused"),
        pytest.param({}, 200, {"access_token": "x"}, "without an id_token", id="no id-token in the answer"),
        pytest.param({}, 200, "nonsense", "without an id_token", id="another answer"),
        pytest.param({"refresh-token": None}, 200, {}, "without refresh-token", id="no refresh token"),
        pytest.param({"id-token": "nonsense"}, 200, {}, "no JSON web token", id="no token at all"),
        pytest.param({"idp-issuer-url": "http://127.0.0.1:1"}, 200, {}, "cannot be asked", id="no such provider"),
        pytest.param({"idp-certificate-authority": "/no/such.pem"}, 200, {}, "cannot be asked", id="no such authority"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line_that_names_no_secret(
    server: StandIn,
    issuer: StandIn,
    tmp_path: Path,
    changes: dict[str, str | None],
    status: int,
    answer: Any,
    reason: str,
) -> None:
    issuer.answer("/token", status, json.dumps(answer).encode())
    with pytest.raises(BadKubeconfig, match=reason) as error:
        async with connected(server, tmp_path, a_user(issuer, **changes)):
            pass
    line = str(error.value)
    assert str(tmp_path) in line
    assert "\n" not in line
    assert "hunter2" not in line
    assert "once" not in line


async def test_what_is_no_provider_is_named(server: StandIn, issuer: StandIn, tmp_path: Path) -> None:
    issuer.answer_always(DISCOVERY, 200, b"{}")
    with pytest.raises(BadKubeconfig, match="names no token_endpoint"):
        async with connected(server, tmp_path, a_user(issuer)):
            pass


@pytest.mark.parametrize(
    ("claims", "at_its_end"),
    [
        pytest.param({"exp": 1000}, False, id="it lasts"),
        pytest.param({"exp": 590}, True, id="it ends before the next look"),
        pytest.param({}, False, id="it has no end"),
    ],
)
def test_end_of_a_token(claims: dict[str, Any], at_its_end: bool) -> None:
    assert expired(a_token(**claims), 500.0 + 60) is at_its_end

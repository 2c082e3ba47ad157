"""Who is let in, and which lock a replica takes."""

from typing import Any, cast

import pytest
from pydantic import SecretStr

from common.clock import SystemClock
from common.kube.api import Api
from common.kube.lease import LeaderElection
from common.leading.locks import DatabaseLock, LeaderSettings, lock_for
from common.web.access import AccessMissing, access, is_loopback
from common.web.auth import AnyOf, Scope
from common.web.settings import WebSettings
from common.web.static_tokens import new_token

NO_API = cast("Api", None)
NO_DATABASE = cast("Any", None)
NO_TABLE = cast("Any", None)


async def test_on_ones_own_machine_a_token_is_made_for_the_run() -> None:
    given = access(WebSettings(), NO_API, service="health_monitor")

    assert given.token is not None
    identity = await given.authenticator.authenticate(given.token)
    assert identity is not None
    assert Scope.ADMIN in identity.scopes
    assert await given.authenticator.authenticate("another") is None


def test_for_everybody_else_access_must_be_configured() -> None:
    with pytest.raises(AccessMissing, match="HEALTH_MONITOR_WEB__TOKENS"):
        access(WebSettings(host="0.0.0.0"), NO_API, service="health_monitor")


async def test_configured_tokens_are_the_only_ones() -> None:
    token, entry = new_token("alice", Scope.READ)
    given = access(WebSettings(host="0.0.0.0", tokens=SecretStr(entry)), NO_API, service="health_monitor")

    assert given.token is None
    identity = await given.authenticator.authenticate(token)
    assert identity is not None
    assert identity.name == "alice"


def test_kubernetes_tokens_are_access_enough() -> None:
    given = access(WebSettings(host="0.0.0.0", kubernetes_auth=True), cast("Api", object()), service="health_monitor")

    assert given.token is None
    assert isinstance(given.authenticator, AnyOf)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("node", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("election", "in_pod", "lock"),
    [
        pytest.param("auto", True, LeaderElection, id="in a pod a Lease"),
        pytest.param("auto", False, DatabaseLock, id="elsewhere a row in the database"),
        pytest.param("lease", False, LeaderElection, id="a Lease when asked for"),
        pytest.param("database", True, DatabaseLock, id="a row when asked for"),
    ],
)
def test_lock(election: Any, in_pod: bool, lock: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if in_pod:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    settings = LeaderSettings(election=election, lease="a-lease")

    made = lock_for(settings, NO_DATABASE, NO_TABLE, identity="me", api=NO_API, clock=SystemClock())

    assert isinstance(made, lock)

"""Connecting: what is found, what is wrong with it in one line, and credentials that stay fresh."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.apiserver import StandIn, kubeconfig_for, status_body
from tests.support.following import connected

from common.kube.connect import connect
from common.kube.errors import BadKubeconfig, Conflict, Invalid, Unauthorized, Unavailable
from common.kube.settings import KubeSettings

PODS = "/api/v1/pods"


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    async with StandIn().serving() as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return tmp_path


def write(path: Path, url: str, user: Any = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kubeconfig_for(url, user)))
    return path


def plugin(folder: Path, script: str) -> dict[str, Any]:
    """A user whose credentials come from a program."""
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}}


def credential(token: str, expires: str = "") -> str:
    status = {"token": token} | ({"expirationTimestamp": expires} if expires else {})
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


async def test_the_kubeconfig_is_found_where_kubectl_finds_it(
    home: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".kube" / "config", "http://home")
    async with await connect() as api:
        assert api.host == "http://home"
    second = write(home / "second", server.url)
    monkeypatch.setenv("KUBECONFIG", f"{home / 'missing'}:{second}")
    async with await connect() as api:
        assert (api.host, api.context) == (server.url, "stand-in")
        assert (await api.get("/version"))["minor"] == "36"
    third = write(home / "third", "http://third")
    async with await connect(KubeSettings(kubeconfig=third)) as api:
        assert api.host == "http://third"


async def test_another_context_can_be_chosen(home: Path) -> None:
    config = kubeconfig_for("http://one")
    config["clusters"].append({"name": "two", "cluster": {"server": "http://two"}})
    config["contexts"].append({"name": "two", "context": {"cluster": "two", "user": "tester"}})
    file = home / "config"
    file.write_text(json.dumps(config))
    async with await connect(KubeSettings(kubeconfig=file, context="two")) as api:
        assert (api.host, api.context) == ("http://two", "two")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "not a kubeconfig", id="an empty file"),
        pytest.param("{", "parsing", id="no YAML"),
        pytest.param("just words", "not a kubeconfig", id="words"),
        pytest.param(json.dumps(kubeconfig_for("ftp://x")), "'ftp://x' is not an http(s) URL", id="another protocol"),
        pytest.param(
            json.dumps(kubeconfig_for("http://x") | {"current-context": "other"}),
            "there is no context 'other' in it",
            id="unknown context",
        ),
        pytest.param(
            json.dumps(kubeconfig_for("https://x", {"client-certificate": "missing.pem"})),
            "missing.pem",
            id="a certificate that is not there",
        ),
        pytest.param(
            json.dumps(kubeconfig_for("https://x", {"client-certificate-data": "bm8=", "client-key-data": "bm8="})),
            "certificates cannot be used",
            id="a certificate that is none",
        ),
        pytest.param(
            json.dumps(kubeconfig_for("http://x", {"exec": {"apiVersion": "v1", "command": "no-such-program"}})),
            "no-such-program",
            id="a plugin that is not installed",
        ),
        pytest.param(
            json.dumps(kubeconfig_for("http://x", {"exec": {"apiVersion": "v1", "command": "false"}})),
            "process returned 1",
            id="a plugin that fails",
        ),
    ],
)
async def test_what_is_wrong_is_said_in_one_line_that_names_the_file(home: Path, text: str, reason: str) -> None:
    file = home / "broken"
    file.write_text(text)
    with pytest.raises(BadKubeconfig) as caught:
        await connect(KubeSettings(kubeconfig=file))
    assert str(file) in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_nothing_at_all_is_said_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadKubeconfig, match="no kubeconfig: set KUBECONFIG"):
        await connect()
    monkeypatch.setenv("KUBECONFIG", str(home / "missing"))
    with pytest.raises(BadKubeconfig, match=r"missing \(from KUBECONFIG\): no such file"):
        await connect()
    monkeypatch.setenv("KUBECONFIG", str(home))
    with pytest.raises(BadKubeconfig, match=r"\(from KUBECONFIG\): it is a folder"):
        await connect()
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(BadKubeconfig, match=r"service account in .*token file"):
        await connect()


async def test_an_unreachable_server_is_named(home: Path) -> None:
    settings = KubeSettings(kubeconfig=write(home / "c", "http://127.0.0.1:1"), attempts=2)
    async with await connect(settings) as api:
        with pytest.raises(Unavailable, match=r"get /version: cannot reach http://127\.0\.0\.1:1: ") as caught:
            await api.get("/version")
        assert not caught.value.sent
        assert api.statistics.health.unreachable_since is not None
        assert api.statistics.health.errors == 2


async def test_a_server_that_does_not_answer_is_given_up(server: StandIn, home: Path) -> None:
    server.hush("/version")
    async with connected(server, home, attempts=1, request_timeout_seconds=0.2) as api:
        with pytest.raises(Unavailable, match=r"no answer from http.* in time"):
            await api.get("/version")


async def test_an_overloaded_server_is_tried_again(server: StandIn, home: Path) -> None:
    server.answer("/version", 429, Retry_After="1")
    server.answer("/version", 503)
    async with connected(server, home) as api:
        assert (await api.get("/version"))["minor"] == "36"
    assert server.asked("/version") == 3


async def test_a_write_is_not_repeated_when_it_may_have_been_carried_out(server: StandIn, home: Path) -> None:
    server.answer(PODS, 500, times=3)
    server.answer(PODS, 409, status_body(409, "exists"))
    async with connected(server, home) as api:
        with pytest.raises(Unavailable):
            await api.post(PODS, {})
        assert server.asked(PODS) == 1
        for _ in range(2):
            with pytest.raises(Unavailable):
                await api.patch(PODS, {})
        with pytest.raises(Conflict, match="create pods: exists"):
            await api.post(PODS, {})


async def test_an_answer_of_another_shape_is_refused(server: StandIn, home: Path) -> None:
    server.answer("/version", 200, b"<html>")
    async with connected(server, home) as api:
        with pytest.raises(Invalid, match="not what was expected"):
            await api.get("/version")


async def test_a_fixed_token_that_is_refused_is_an_error(server: StandIn, home: Path) -> None:
    server.token = "right"
    async with connected(server, home, {"token": "right"}) as api:
        await api.get("/version")
    async with connected(server, home, {"token": "wrong"}) as api:
        with pytest.raises(Unauthorized, match="wrong or have expired"):
            await api.get("/version")


async def test_a_plugin_is_asked_again_when_its_token_is_refused(server: StandIn, home: Path) -> None:
    answer = home / "answer"
    answer.write_text(credential("first", "2999-01-01T00:00:00Z"))
    server.token = "first"
    async with connected(server, home, plugin(home, f"cat {answer}")) as api:
        await api.get("/version")
        server.token = "second"
        answer.write_text(credential("second", "2999-01-01T00:00:00Z"))
        await api.get("/version")
        answer.write_text("not JSON")
        server.token = "third"
        with pytest.raises(BadKubeconfig, match="failed to decode"):
            await api.get("/version")


async def test_a_token_file_is_read_again_when_it_changes(server: StandIn, home: Path) -> None:
    file = home / "token"
    file.write_text("first")
    server.token = "first"
    async with connected(server, home, {"tokenFile": str(file)}) as api:
        await api.get("/version")
        file.write_text("second")
        server.token = "second"
        await api.get("/version")


async def test_streams_get_along_with_a_proxy_that_knows_no_old_http(server: StandIn, home: Path) -> None:
    server.put(PODS, {"metadata": {"name": "a", "uid": "a"}})
    server.answer(PODS, 426, b"Upgrade Required")
    async with connected(server, home) as api:
        params = {"watch": "1", "sendInitialEvents": "true"}
        for _ in range(2):
            async with api.stream(PODS, params, silence_seconds=30) as content:
                assert b'"ADDED"' in await content.readany()
    assert server.asked(PODS) == 3


async def test_streams_get_along_with_a_proxy_that_holds_old_http_back(server: StandIn, home: Path) -> None:
    server.put(PODS, {"metadata": {"name": "a", "uid": "a"}})
    server.holds_back_old_http = True
    async with connected(server, home) as api:
        params = {"watch": "1", "sendInitialEvents": "true"}
        with pytest.raises(Unavailable, match="in time"):
            async with api.stream(PODS, params, silence_seconds=0.5) as content:
                await content.readany()
        async with api.stream(PODS, params, silence_seconds=30) as content:
            assert b'"ADDED"' in await content.readany()

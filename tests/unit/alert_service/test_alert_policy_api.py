"""The policy over HTTP: what holds, what is wrong with its file, and what is wrong with another one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import yaml
from tests.support.web import READ_TOKEN, TOKENS, client_of

from alert_service.api import policy
from alert_service.policy import AlertPolicy
from alert_service.policy.file import PolicyFile
from alert_service.policy.parse import parse_policy
from alert_service.policy.reference import EXAMPLE
from alert_service.readiness import probes
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings


async def well() -> None:
    """Nothing else is wrong."""


@asynccontextmanager
async def a_client(file: PolicyFile | None = None) -> AsyncIterator[httpx.AsyncClient]:
    part = SimpleNamespace(trouble=well, mistakes=())
    app = create_app(
        "alert_service",
        "1.0",
        routers=[policy.router],
        authenticator=TOKENS,
        probes=probes(part, storage=part, policy=file, channels=part, peers={}),  # type: ignore[arg-type]
        metrics=ServiceMetrics("alert_service", "1.0"),
        settings=WebSettings(),
    )
    holds = AlertPolicy() if file is None else file.policy
    app.state.services = SimpleNamespace(policy=lambda: holds, policy_file=file)
    async with client_of(app, READ_TOKEN) as client:
        yield client


def spoilt(folder: Path) -> PolicyFile:
    """Good when it was opened, and changed to something that is not."""
    path = folder / "policy.yaml"
    path.write_text(EXAMPLE)
    file = PolicyFile.open(path)
    path.write_text("version: 1\nchanels: {}\n")
    file.poll()
    return file


async def test_the_policy_that_holds_is_shown_as_a_file_would_say_it(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(EXAMPLE)
    async with a_client(PolicyFile.open(path)) as client:
        shown = (await client.get("/api/v1/policy")).json()

    assert (shown["file"], shown["valid"], shown["mistakes"]) == (str(path), True, [])
    assert parse_policy(yaml.safe_dump(shown["policy"])) == parse_policy(EXAMPLE)


async def test_mistakes_of_the_file_are_shown_beside_the_last_good_policy(tmp_path: Path) -> None:
    async with a_client(spoilt(tmp_path)) as client:
        shown = (await client.get("/api/v1/policy")).json()

    assert shown["valid"] is False
    assert shown["mistakes"] == [{"path": "chanels", "message": "no such setting; did you mean channels?"}]
    assert parse_policy(yaml.safe_dump(shown["policy"])) == parse_policy(EXAMPLE)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(EXAMPLE, [], id="the example of the reference"),
        pytest.param(
            "{version: 1, routes: [{name: a, channels: [b]}], canary: {channels: [c]}}",
            ["routes[0].channels[0]", "canary.channels[0]"],
            id="channels that are not there",
        ),
        pytest.param("[", ["line 2, column 1"], id="no YAML"),
    ],
)
async def test_a_policy_is_checked_without_being_used(text: str, paths: list[str]) -> None:
    async with a_client() as client:
        checked = (await client.post("/api/v1/policy/check", json={"text": text})).json()
        shown = (await client.get("/api/v1/policy")).json()

    assert checked["valid"] == (not paths)
    assert [mistake["path"] for mistake in checked["mistakes"]] == paths
    assert shown["policy"]["routes"] == []


async def test_the_schema_is_one_of_policy_files() -> None:
    async with a_client() as client:
        schema = (await client.get("/api/v1/policy/schema")).json()

    assert {"channels", "routes", "escalations", "people"} <= set(schema["properties"])


async def test_readiness_says_that_nobody_is_told_without_a_policy_file() -> None:
    async with a_client() as client:
        answer = await client.get("/readyz")

    said = {each["name"]: each for each in answer.json()["dependencies"]}["policy"]
    assert (answer.status_code, said["state"]) == (200, "degraded")
    assert "nobody is told of anything" in said["reason"]


async def test_readiness_names_the_mistakes_of_the_policy_file(tmp_path: Path) -> None:
    async with a_client(spoilt(tmp_path)) as client:
        answer = await client.get("/readyz")

    said = {each["name"]: each for each in answer.json()["dependencies"]}["policy"]
    assert (answer.status_code, said["state"]) == (200, "degraded")
    assert "did you mean channels?" in said["reason"]

"""The policy over HTTP: what holds, what is wrong with its file, and what a file may name."""

from pathlib import Path

import pytest
import yaml
from tests.support.healing_policy_api import a_policy_client

from auto_healing.actions import ACTIONS
from auto_healing.guards import GUARDS
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.policy.file import PolicyFile
from auto_healing.policy.parse import parse_policy


async def test_the_policy_that_holds_is_shown_whole() -> None:
    async with a_policy_client() as client:
        shown = (await client.get("/api/v1/policy")).json()
    assert (shown["file"], shown["valid"], shown["mistakes"]) == (None, True, [])
    assert parse_policy(yaml.safe_dump(shown["policy"])) == DEFAULT_POLICY


async def test_mistakes_of_the_file_are_shown_beside_the_last_good_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("{version: 1, mode: approve}")
    file = PolicyFile.open(path)
    path.write_text("{version: 1, moed: auto}")
    file.poll()
    async with a_policy_client(file=file) as client:
        shown = (await client.get("/api/v1/policy")).json()
    assert (shown["file"], shown["valid"]) == (str(path), False)
    assert shown["mistakes"] == [{"path": "moed", "message": "no such setting; did you mean mode?"}]
    assert shown["policy"]["mode"] == "approve"


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param("version: 1", [], id="a good one"),
        pytest.param("{version: 1, mode: all, scope: {opt: true}}", ["mode", "scope.opt"], id="two mistakes"),
        pytest.param("[", ["line 2, column 1"], id="no YAML"),
        pytest.param("", [""], id="nothing"),
    ],
)
async def test_a_policy_is_checked_without_being_used(text: str, paths: list[str]) -> None:
    async with a_policy_client() as client:
        checked = (await client.post("/api/v1/policy/check", json={"text": text})).json()
    assert checked["valid"] == (not paths)
    assert [mistake["path"] for mistake in checked["mistakes"]] == paths


async def test_the_schema_is_one_of_policy_files() -> None:
    async with a_policy_client() as client:
        schema = (await client.get("/api/v1/policy/schema")).json()
    assert schema["required"] == ["version"]
    assert {"mode", "rules", "guards", "cleanup", "scope"} <= set(schema["properties"])


async def test_catalogues_list_every_action_and_guard() -> None:
    async with a_policy_client() as client:
        actions = (await client.get("/api/v1/actions")).json()["items"]
        guards = (await client.get("/api/v1/guards")).json()["items"]
    assert [each["code"] for each in actions] == [action.code for action in ACTIONS]
    assert [each["code"] for each in guards] == [guard.code for guard in GUARDS]
    assert all(each["title"] and each["expects"] and each["permissions"] for each in actions)
    assert all(each["title"] and each["looks_at"] for each in guards)


@pytest.mark.parametrize("path", ["policy", "policy/schema", "actions", "guards", "autonomy"])
async def test_a_credential_is_needed(path: str) -> None:
    async with a_policy_client(token=None) as client:
        assert (await client.get(f"/api/v1/{path}")).status_code == 401


async def test_without_a_database_there_is_no_evidence_of_autonomy() -> None:
    async with a_policy_client() as client:
        answer = await client.get("/api/v1/autonomy")
    assert (answer.status_code, answer.json()["detail"]) == (503, "no database")

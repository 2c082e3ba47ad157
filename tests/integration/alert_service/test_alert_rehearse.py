"""The notification tests, as a user runs them: every card of every kind of channel on vendors that are strict."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.alert_service import chat_settings
from tests.support.chat import a_chat, shown_text

from alert_service.__main__ import main
from alert_service.rehearsal.scenes import HARMLESS
from devchat import Chat, Settings
from devchat.crawlers import links_of

POLICY: dict[str, Any] = {
    "version": 1,
    "channels": {
        "sre": {"kind": "slack", "conversation": "#sre"},
        "sre-webhook": {"kind": "slack-webhook", "secret": "slack-oncall"},
        "sre-teams": {"kind": "teams", "secret": "teams-sre"},
        "pager": {"kind": "webhook", "secret": "hook-ops"},
    },
    "people": {"ana": {"identity": "ana@example.com", "slack": "U0ANA", "teams": "ana@example.com"}},
    "escalations": {"page": {"steps": [{"people": ["ana"], "channels": ["sre", "sre-teams"]}], "repeat": 0}},
}
CARDS = 9 + 2  # states, a storm, a message of its own


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with a_chat(Settings(channels=("sre", "oncall", "ops"))) as chat:
        yield chat


async def rehearse(chat: Chat, folder: Path, patch: pytest.MonkeyPatch, *arguments: str, **policy: Any) -> int:
    """The exit code of the command."""
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(POLICY | policy))
    for name, value in (chat_settings(chat, "") | {"LINKS__KEYS": ""}).items():
        patch.setenv(f"ALERT_SERVICE_{name}", str(value))
    return await asyncio.to_thread(main, ["rehearse", "--policy", str(file), "--escalation-seconds", "0.5", *arguments])


def strings(value: Any) -> Iterator[str]:
    """Every text in JSON."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


async def test_every_card_arrives_on_every_kind_of_channel(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await rehearse(chat, tmp_path, monkeypatch, "--mention")
    shown = capsys.readouterr().out
    assert code == 0, shown
    slack, webhook = await chat.messages("sre", "slack"), await chat.messages("oncall", "slack")
    teams, hook = await chat.messages("sre", "teams"), await chat.messages("ops", "hook")
    assert len([each for each in slack if not each.thread]) == CARDS - 5 + 1  # one of them in six states, an escalation
    assert slack[0].versions == 6
    assert (len(webhook), len(teams), len(hook)) == (CARDS, CARDS + 1, CARDS)
    assert "sre-teams: 12 of 12 went well" in shown
    assert "after the opening" in shown_text(slack[-1])
    # Text that must do nothing did nothing: only the escalation notifies somebody.
    assert [each.pings for each in (*slack, *webhook) if each.pings] == [["<@U0ANA>"]]
    assert [each.pings for each in teams if each.pings] == [["<at>ana@example.com</at>"]]
    for each in (*slack, *webhook, *teams):
        assert [link for link in links_of(each) if "invalid" in link] == []
    assert any("{{ 1 }}" in shown_text(each) for each in (*slack, *teams))
    assert any(HARMLESS in text for each in hook for text in strings(each.body))


async def test_what_does_not_arrive_is_told_and_the_exit_code_says_so(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await chat.inject("slack.chat.*", "error", error="token_revoked")
    channels = ("--channel", "sre", "--channel", "pager", "--no-escalations", "--json")
    assert await rehearse(chat, tmp_path, monkeypatch, *channels) == 1
    steps = json.loads(capsys.readouterr().out)["steps"]
    failed = {each["channel"] for each in steps if each["outcome"] == "failed"}
    assert failed == {"sre"}
    assert any("token_revoked; install the app again" in each["detail"] for each in steps)
    assert {each["outcome"] for each in steps if each["channel"] == "pager"} == {"posted", "left-out"}


async def test_a_template_that_fails_fails_the_rehearsal_though_people_are_told(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "storm.j2").write_text("{{ nothing.of.the.kind }}")
    arguments = ("--channel", "pager", "--no-escalations")
    assert await rehearse(chat, tmp_path, monkeypatch, *arguments, templates=str(templates)) == 1
    assert "its template failed" in capsys.readouterr().out
    assert len(await chat.messages("ops", "hook")) == CARDS


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        pytest.param(
            ["--channel", "nowhere"], "the policy has no channel nowhere; it has pager, sre, ", id="no such channel"
        ),
        pytest.param(["--escalation", "x"], "the policy has no escalation x; it has page", id="no such escalation"),
    ],
)
async def test_a_wrong_command_says_what_there_is(
    chat: Chat,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    saying: str,
) -> None:
    assert await rehearse(chat, tmp_path, monkeypatch, *arguments) == 2
    assert saying in capsys.readouterr().err
    assert await chat.messages() == []

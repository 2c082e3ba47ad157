"""Slack is away, a token is revoked, a flow accepts and never posts: whoever has to know hears of it all the same."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.alert_service import AlertService, alert_service
from tests.support.chat import a_chat, shown_text
from tests.support.waiting import eventually

from devchat import Chat, Message, Settings

pytestmark = pytest.mark.database

Json = dict[str, Any]
SRE = {"kind": "slack", "conversation": "#sre"}
OPS = {"kind": "teams", "secret": "teams-ops", "confirm_within": "0s"}


def policy(**channels: Json) -> Json:
    first = next(iter(channels))
    return {"version": 1, "channels": channels, "routes": [{"name": "all", "channels": [first]}], "gather": "0s"}


async def post(service: AlertService, name: str, status: str = "firing") -> None:
    alert = {
        "status": status,
        "labels": {"alertname": name, "namespace": "shop", "severity": "critical"},
        "annotations": {},
        "startsAt": "2026-03-01T12:00:00Z",
        "endsAt": "2026-03-01T12:05:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
    }
    body = {"version": "4", "groupKey": f"{{}}:{{{name}}}", "status": status, "receiver": "r", "alerts": [alert]}
    answer = await service.answer("/api/v1/webhooks/alertmanager", "POST", json=body)
    assert answer.status_code == 200, answer.text


def about(name: str) -> Any:
    return lambda message: name in shown_text(message)


async def cards(chat: Chat, name: str, channel: str) -> list[Message]:
    return [each for each in await chat.messages(channel=channel) if about(name)(each)]


async def was_tried(chat: Chat, times: int) -> None:
    async def tried() -> bool:
        return len(await chat.exchanges("slack.chat.*")) >= times

    await eventually(tried)


async def test_while_slack_is_away_all_is_kept_and_what_is_over_by_then_is_not_told(alert_url: str) -> None:
    """The service is killed meanwhile: what waits stands in the database."""
    async with a_chat(Settings(channels=("sre", "ops"))) as chat:
        await chat.inject("slack.chat.*", "status", status=503)
        async with alert_service(alert_url, policy(sre=SRE), chat) as service:
            await post(service, "Lasting")
            await post(service, "Passing")
            await service.incident("Passing")
            await was_tried(chat, 2)
            await post(service, "Passing", "resolved")
            await service.incident("Passing", "resolved")
            await service.kill()
        await chat.mend()
        async with alert_service(alert_url, policy(sre=SRE), chat) as service:
            await chat.message(about("Lasting"), channel="sre", within=120)
            assert len(await cards(chat, "Lasting", "sre")) == 1
            await service.until("deliveries", lambda page: all(each["state"] != "sending" for each in page["items"]))
            assert await cards(chat, "Passing", "sre") == []


async def test_what_one_channel_refuses_or_swallows_another_tells(alert_url: str) -> None:
    """A revoked token, and a flow that accepts cards and never posts them."""
    async with a_chat(Settings(channels=("sre", "ops", "silent"))) as chat:
        await chat.inject("slack.chat.*", "error", error="token_revoked")
        await chat.inject("teams.workflow", "swallow", channel="silent")
        channels = {
            "sre": {**SRE, "fallback": "ops"},
            "silent": {"kind": "teams", "secret": "teams-silent", "fallback": "ops", "confirm_within": "1s"},
            "ops": OPS,
        }
        routes = [
            {"name": "revoked", "match": ["alertname=Revoked"], "channels": ["sre"]},
            {"name": "swallowed", "match": ["alertname=Swallowed"], "channels": ["silent"]},
        ]
        async with alert_service(alert_url, {**policy(**channels), "routes": routes}, chat) as service:
            await post(service, "Revoked")
            await post(service, "Swallowed")
            copy = await chat.message(about("Revoked"), channel="ops", within=120)
            assert "Meant for sre, which did not take it" in shown_text(copy)
            page = await service.get("deliveries", channel="sre", kind="card")
            assert {each["error_reason"] for each in page["items"]} == {"credentials"}
            copy = await chat.message(about("Swallowed"), channel="ops", within=120)
            assert "where nobody was seen to act on it within 1 s" in shown_text(copy)
            [sent] = (await service.get("deliveries", channel="silent", kind="card"))["items"]
            assert (sent["state"], sent["fallback_at"] is not None) == ("accepted", True)
            await chat.mend()
            await chat.message(about("Revoked"), channel="sre", within=120)


async def test_a_token_that_is_replaced_in_its_file_is_used_without_a_restart(alert_url: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with a_chat(Settings(channels=("sre",))) as chat:
        file.write_text(chat.settings.token)
        secrets = {"SLACK__TOKEN": "", "SLACK__TOKEN_FILE": file}
        async with alert_service(alert_url, policy(sre=SRE), chat, **secrets) as service:
            await chat.change(token="xoxb-another")
            await post(service, "Revoked")
            await was_tried(chat, 1)
            file.write_text(chat.settings.token)
            await chat.message(about("Revoked"), channel="sre", within=120)

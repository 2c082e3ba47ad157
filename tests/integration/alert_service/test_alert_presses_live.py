"""Presses on a running service beside strict stand-ins of Slack and Teams and a real Alertmanager: what is shown to
whoever presses, on the card, and in Alertmanager."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.support.alert_service import AlertService, alert_service
from tests.support.chat import a_chat, buttons, shown_text
from tests.support.monitoring import RunAlertmanager
from tests.support.service import WITHIN_SECONDS

from devchat import Chat, Message, Settings
from devchat.crawlers import AGENTS, links_of
from devchat.record import Press
from devchat.slack.pressing import signed

pytestmark = pytest.mark.database

Json = dict[str, Any]
ALERT = "KubePodCrashLooping"
LABELS = {"alertname": ALERT, "namespace": "shop", "pod": "web-0", "severity": "warning"}
NOBODY = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
POLICY: Json = {
    "version": 1,
    "channels": {
        "sre": {"kind": "slack", "conversation": "#sre"},
        "ops": {"kind": "teams", "secret": "teams-ops", "confirm_within": "0s"},
    },
    "routes": [{"name": "all", "channels": ["sre", "ops"]}],
    "people": {
        "ana": {"identity": "ana@example.com", "shown": "Ana", "slack": "U0ANA"},
        "ben": {"identity": "ben@example.com", "shown": "Ben", "slack": "U0BEN", "rights": ["explain"]},
    },
    "gather": "0s",
}


@asynccontextmanager
async def running(alert_url: str, **settings: object) -> AsyncIterator[tuple[AlertService, Chat]]:
    async with (
        a_chat(Settings(channels=("sre", "ops"))) as chat,
        alert_service(alert_url, POLICY, chat, **settings) as service,
    ):
        yield service, chat


async def post(service: AlertService, status: str = "firing") -> None:
    """As Alertmanager posts it."""
    times = {"startsAt": "2026-03-01T12:00:00Z"}
    times["endsAt"] = "2026-03-01T12:05:00Z" if status == "resolved" else "0001-01-01T00:00:00Z"
    alert = {"status": status, "labels": LABELS, "annotations": {}, "fingerprint": "0123456789abcdef", **times}
    body = {"version": "4", "groupKey": '{}:{alertname="A"}', "status": status, "receiver": "x", "alerts": [alert]}
    answer = await service.answer("/api/v1/webhooks/alertmanager", "POST", json=body)
    assert answer.status_code == 200, answer.text


async def incident(service: AlertService, state: str) -> Json:
    """The incident, once it is in that state."""
    page: Json = await service.until(
        "incidents", lambda found: found["items"] and found["items"][0]["state"] == state, alertname=ALERT
    )
    found: Json = page["items"][0]
    return found


async def card(chat: Chat, *words: str, channel: str = "sre", vendor: str = "slack") -> Message:
    """The card, once it shows all these words."""
    return await chat.message(
        lambda each: buttons(each) and all(word in shown_text(each) for word in (ALERT, *words)),
        channel=channel,
        vendor=vendor,
        within=WITHIN_SECONDS,
    )


async def told(chat: Chat, user: str, word: str) -> str:
    """What only they see."""
    message = await chat.message(lambda each: each.only_for == user and word in shown_text(each), within=WITHIN_SECONDS)
    return shown_text(message)


async def acts(service: AlertService, incident_id: str) -> list[str]:
    """What people did, by the timeline."""
    found: Json = await service.get(f"incidents/{incident_id}")
    return [each["kind"] for each in found["timeline"] if each["by"]]


def signed_again(press: Press, chat: Chat) -> Press:
    """The same press a second later: of a card that is still on a screen, though it has changed since."""
    headers = signed(press.body, chat.settings.signing_secret, time.time() + 1)
    return Press(url=press.url, headers=headers, body=press.body)


async def forged(press: Press) -> list[int]:
    """What is answered to clicks that Slack never made."""
    timestamp, signature = "X-Slack-Request-Timestamp", "X-Slack-Signature"
    body, headers = press.body, press.headers
    wrong = [
        (body, {**headers, signature: "v0=" + "0" * 64}),
        (body + "&x=1", headers),
        (body, {**headers, timestamp: str(int(headers[timestamp]) - 400)}),
        (body, {name: value for name, value in headers.items() if name != signature}),
    ]
    async with httpx.AsyncClient() as http:
        return [(await http.post(press.url, content=text, headers=given)).status_code for text, given in wrong]


async def crawled(links: list[str]) -> set[int]:
    """What every previewer gets for every link."""
    async with httpx.AsyncClient() as http:
        return {
            (await http.request(method, link, headers={"User-Agent": agent})).status_code
            for link in links
            for agent in AGENTS
            for method in ("HEAD", "GET")
        }


async def test_presses_in_slack_take_effect_once_for_those_who_may(
    alert_url: str, run_alertmanager: RunAlertmanager
) -> None:
    alertmanager = run_alertmanager(NOBODY)
    async with running(alert_url, ALERTMANAGER__URL=alertmanager.url) as (service, chat):
        await post(service)
        opened = await incident(service, "firing")
        shown = await card(chat)
        press = await chat.prepare(shown, "Acknowledge")

        assert await forged(press) == [401] * 4
        assert (await chat.press(shown, "Acknowledge", "U0EVE")).status == 200
        assert "slack: U0EVE" in await told(chat, "U0EVE", "do not know you")
        assert (await chat.press(shown, "Acknowledge", "U0BEN")).status == 200
        assert "Ben may not acknowledge" in await told(chat, "U0BEN", "may not")
        assert await acts(service, opened["id"]) == ["click_refused"] * 2

        assert (await chat.send(press)).status == 200
        assert "it is yours" in await told(chat, "U0ANA", "acknowledged")
        assert (await card(chat, "Ana")).id == shown.id
        assert (await chat.send(press)).status == 409

        assert (await chat.press(await card(chat, "Ana"), "Silence 1 h")).status == 200
        assert "silenced for 1 h" in await told(chat, "U0ANA", "silenced")
        (silence,) = (await service.get("silences"))["items"]
        assert (silence["created_by"], silence["incident_id"]) == ("ana@example.com", opened["id"])
        assert (await chat.press(shown, "Explain")).status == 200
        assert "Nobody is told: silenced by Ana" in await told(chat, "U0ANA", "Next, at")

        await post(service, "resolved")
        await incident(service, "resolved")
        assert (await chat.send(signed_again(press, chat))).status == 200
        assert "nothing is left to do" in await told(chat, "U0ANA", "resolved")
        assert (await acts(service, opened["id"]))[2:] == ["acknowledged", "silenced"]
        whole = await service.get(f"incidents/{opened['id']}")
        assert "acted" in [each["state"] for each in whole["deliveries"]]


async def test_links_in_teams_act_once_and_only_when_a_person_confirms(alert_url: str) -> None:
    async with running(alert_url) as (service, chat):
        await post(service)
        opened = await incident(service, "firing")
        shown = await card(chat, channel="ops", vendor="teams")

        links = [each for each in links_of(shown) if each.startswith(service.url)]
        assert len(links) >= 3
        assert await crawled(links) == {200}
        assert await acts(service, opened["id"]) == []

        done = await chat.press(shown, "Acknowledge")
        assert (done.status, "Acknowledge: done" in done.answer) == (200, True)
        again = await chat.press(shown, "Acknowledge", "U0BEN")
        assert "This link was used" in again.answer
        assert await acts(service, opened["id"]) == ["acknowledged"]
        # Whoever looks at Slack sees it, too.
        await card(chat, "Ana")
        # Whoever reads a log with a link in it could act.
        service.secrets += [link.rpartition("/")[2].split(".")[1] for link in links]

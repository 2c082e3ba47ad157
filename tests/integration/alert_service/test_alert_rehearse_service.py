"""Rehearsals and canaries of the running service: what comes back of a press, links, and the address in between."""

from typing import Any

import pytest
from tests.support.alert_service import alert_service
from tests.support.chat import a_chat, buttons

from devchat import Settings

pytestmark = pytest.mark.database

POLICY: dict[str, Any] = {
    "version": 1,
    "channels": {
        "sre": {"kind": "slack", "conversation": "#sre"},
        "sre-teams": {"kind": "teams", "secret": "teams-sre"},
    },
    "people": {"ana": {"identity": "ana@example.com", "slack": "U0ANA"}},
    "canary": {"channels": ["sre", "sre-teams"]},
}


async def test_a_running_service_rehearses_presses_and_links_and_flies_canaries(alert_url: str) -> None:
    async with a_chat(Settings(channels=("sre",))) as chat, alert_service(alert_url, POLICY, chat) as service:
        wanted = {"channels": ["sre", "sre-teams"], "escalations": [], "press_seconds": 60}
        begun = await service.answer("/api/v1/rehearsals", "POST", json=wanted)
        assert begun.status_code == 202, begun.text

        # Somebody presses a button of the first card. Nobody knows its incident, and they are told so.
        card = await chat.message(lambda each: "Acknowledge" in buttons(each), channel="sre", vendor="slack")
        assert (await chat.press(card, "Acknowledge")).complaints == []
        assert (await chat.message(lambda each: each.only_for == "U0ANA", channel="sre")).text

        path = f"rehearsals/{begun.json()['id']}"
        report = await service.until(path, lambda body: body["ended_at"] is not None)
        assert report["passed"], [each for each in report["steps"] if each["outcome"] == "failed"]
        tried = {(each["channel"], each["tried"]): each for each in report["steps"]}
        assert tried["sre", "press"]["detail"] == "pressed by ana"
        assert tried["sre", "way-back"]["outcome"] == "done"
        assert tried["sre-teams", "link"]["outcome"] == "done"

        # Canaries flew by themselves, through the queue.
        flown = await service.until("rehearsals", lambda page: page["items"][0]["ended_at"], kind="canary")
        steps = (await service.get(f"rehearsals/{flown['items'][0]['id']}"))["steps"]
        outcomes = {(each["channel"], each["tried"]): each["outcome"] for each in steps}
        assert outcomes == {
            ("intake", "intake"): "done",
            ("sre", "post"): "posted",
            ("sre", "way-back"): "done",
            ("sre-teams", "post"): "accepted",
        }
        assert await service.metric('canaries_total{channel="sre",result="arrived"}') == 1

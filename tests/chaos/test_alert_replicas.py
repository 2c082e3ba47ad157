"""Three replicas, and whichever leads is killed, paused, cut off from the database, and asked to end, amid everything.

Alerts are posted to all of them, and escalate by round robin: each opens one incident, and each card and each step of
the escalation is told once, in turn.
"""

import asyncio
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path

import httpx
import pytest
import yaml
from tests.support.alert_intake import a_post, an_alert
from tests.support.alert_service import AlertService, chat_settings
from tests.support.chat import a_chat
from tests.support.cut_off import Line
from tests.support.postgres_proxy import before
from tests.support.service import Json, start_program

from devchat import Chat, Settings

pytestmark = pytest.mark.database

PATH, TOKEN = "/api/v1/webhooks/alertmanager", "0123456789abcdef"
PEOPLE = ["ana", "ben", "eve"]
ROUNDS = 3
POLICY: Json = {
    "version": 1,
    "gather": "0s",
    "storm": {"incidents": 1000},
    "correlation": {"by": []},
    "channels": {"sre": {"kind": "webhook", "secret": "hook-sre"}},
    "routes": [{"name": "all", "channels": ["sre"], "escalation": "on-call"}],
    "people": {name: {"identity": f"{name}@example.com"} for name in PEOPLE},
    "escalations": {
        "on-call": {
            "steps": [{"after": "4s", "people": PEOPLE, "channels": ["sre"], "round_robin": True}],
            "repeat": ROUNDS - 1,
        }
    },
}


class Team:
    """Replicas over one database, each posted to in turn until one of them answers with 200."""

    def __init__(self, chat: Chat, folder: Path) -> None:
        self._chat = chat
        self._folder = folder
        self.replicas: list[AlertService] = []
        self.posted = 0

    async def joins(self, database_url: str) -> AlertService:
        file = self._folder / "policy.yaml"
        file.write_text(yaml.safe_dump(POLICY))
        settings = {"POLICY__FILE": file, **chat_settings(self._chat, "http://127.0.0.1:1")}
        replica = start_program(AlertService, None, self._folder, database_url, settings, token=TOKEN)
        replica.may_complain = True
        self.replicas.append(replica)
        await replica.ready()
        return replica

    async def leads(self, *of: AlertService) -> AlertService:
        """Which of them does, once one does and no other says so."""

        async def found() -> AlertService | None:
            leading = [each for each in of if await each.metric("leader") == 1]
            return leading[0] if len(leading) == 1 else None

        one: AlertService = await of[0].eventually(found)
        return one

    async def post(self) -> None:
        """One group after the other, until cancelled. Whoever is paused does not answer in time."""
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=2) as http:
            for replica in cycle(range(3)):
                number = self.posted
                body = a_post(an_alert(f"checkout-{number}", job=str(number)), group=f"group {number}")
                if await self._taken(http, self.replicas[replica % len(self.replicas)], body):
                    self.posted += 1
                await asyncio.sleep(0.2)

    async def _taken(self, http: httpx.AsyncClient, replica: AlertService, body: bytes) -> bool:
        try:
            return (await http.post(replica.url + PATH, content=body)).status_code == 200
        except httpx.HTTPError:
            return False

    async def posts_more(self) -> None:
        wanted = self.posted + 5
        async with asyncio.timeout(60):
            while self.posted < wanted:
                await asyncio.sleep(0.2)


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="khc-") as folder:
        yield Path(folder)


async def test_whatever_befalls_the_leader_each_alert_is_told_once_and_each_step_in_its_turn(
    alert_url: str, folder: Path
) -> None:
    async with (
        a_chat(Settings(channels=("sre",)), careless=True) as chat,
        before(alert_url, folder, Line) as (line, by_line),
    ):
        team = Team(chat, folder)
        try:
            first = await team.joins(alert_url)
            await team.leads(first)
            second, third = await team.joins(by_line), await team.joins(alert_url)
            posting = asyncio.create_task(team.post())
            await team.posts_more()
            await first.kill()
            await team.posts_more()
            await cut_off(team, line, second, third)
            await paused(team, second, third)
            posting.cancel()
            leader = await team.leads(second, third)
            await told_in_turn(leader, chat, team.posted)
        finally:
            line.mend()
            for each in team.replicas:
                await each.close()


async def cut_off(team: Team, line: Line, second: AlertService, third: AlertService) -> None:
    """The one by the line leads, and does not hear of its end: nothing answers. It ends by itself, in time."""
    if await team.leads(second, third) is third:
        third.process.send_signal(signal.SIGSTOP)
        await second.reaches("leader", lambda value: value == 1)
        third.process.send_signal(signal.SIGCONT)
        await third.reaches("leader", lambda value: value == 0)
    await second.reaches('open_incidents{severity="warning",state="firing"}', lambda value: value > 0)
    line.cut()
    await second.reaches("leader", lambda value: value == 0)
    await third.reaches("leader", lambda value: value == 1)
    await team.posts_more()
    assert (await second.answer("/livez")).status_code == 200
    assert (await second.answer("/readyz")).status_code == 503
    assert await second.metric('open_incidents{severity="warning",state="firing"}') is None
    line.mend()
    await second.ready()


async def paused(team: Team, second: AlertService, third: AlertService) -> None:
    """It believes that it still leads when it goes on."""
    third.process.send_signal(signal.SIGSTOP)
    await second.reaches("leader", lambda value: value == 1)
    await team.posts_more()
    third.process.send_signal(signal.SIGCONT)
    await third.reaches("leader", lambda value: value == 0)
    await team.posts_more()


async def told_in_turn(leader: AlertService, chat: Chat, posted: int) -> None:
    """Cards that had to wait are one, which calls everybody. Only what was tried again may have arrived twice."""

    async def is_told() -> bool:
        entries = await leader.metric("inbox_waiting")
        waiting = [
            each
            for state in ("queued", "sending", "failed")
            for each in (await leader.get("deliveries", state=state, limit=1))["items"]
        ]
        return entries == 0 and not waiting

    await leader.until("incidents", lambda page: len(page["items"]) >= posted, limit=500)
    incidents = [await escalated(leader, each["id"]) for each in await leader.incidents(limit=500)]
    await leader.eventually(is_told)
    assert sorted(each["group_key"] for each in incidents) == sorted(f"group {number}" for number in range(posted))
    messages = [each.body["data"] for each in await chat.messages(channel="sre")]
    for each in incidents:
        told = [message for message in messages if message["incident_id"] == each["id"]]
        assert {name for message in told for name in message["mentions"]} == {f"{name}@example.com" for name in PEOPLE}
        again = {row["id"] for row in each["deliveries"] if row["attempts"] > 1}
        twice = {name for name, times in Counter(message["id"] for message in told).items() if times > 1}
        assert twice <= again


async def escalated(leader: AlertService, incident_id: str) -> Json:
    """The incident once everybody was told, each in turn, whoever was the first."""

    def has_ended(incident: Json) -> bool:
        return any(each["kind"] == "escalation_ended" for each in incident["timeline"])

    incident: Json = await leader.until(f"incidents/{incident_id}", has_ended)
    steps = [each["text"] for each in incident["timeline"] if each["kind"] == "escalated"]
    called = [next(name for name in PEOPLE if name in each) for each in steps]
    first = PEOPLE.index(called[0])
    assert called == [PEOPLE[(first + round) % len(PEOPLE)] for round in range(ROUNDS)]
    return incident | incident["incident"]

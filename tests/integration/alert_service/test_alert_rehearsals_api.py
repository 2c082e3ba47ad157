"""Rehearsing over HTTP: begun, played in the background, kept, and looked at; and on schedule."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.waiting import eventually
from tests.support.web import OPERATE_TOKEN, READ_TOKEN, TOKENS, client_of

from alert_service.api import rehearsals
from alert_service.policy.settings import AlertPolicy
from alert_service.rehearsal.playing import Script
from alert_service.rehearsal.rehearser import Rehearser
from alert_service.rehearsal.report import Outcome, Report, Step, Tried
from alert_service.storage.rehearsals import RehearsalKind, Rehearsals
from common.database.connections import Database
from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings

pytestmark = pytest.mark.database

POLICY = {
    "channels": {"sre": {"kind": "slack", "conversation": "#sre"}, "ops": {"kind": "teams", "secret": "ops"}},
    "people": {"ana": {"identity": "ana@example.com"}},
    "escalations": {"page": {"steps": [{"people": ["ana"], "channels": ["sre"]}]}},
    "rehearsal": {"cron": "0 13 * * *", "channels": ["sre"]},
}


class Scripted:
    """Plays nothing, until it is let."""

    def __init__(self, failing: str = "") -> None:
        self.scripts: list[Script] = []
        self.may_end = asyncio.Event()
        self._failing = failing

    async def play(self, script: Script) -> Report:
        self.scripts.append(script)
        await self.may_end.wait()
        outcome = Outcome.FAILED if self._failing else Outcome.POSTED
        step = Step(channel="sre", tried=Tried.POST, what="x", outcome=outcome, at=NOON, detail=self._failing)
        return Report(started_at=NOON, ended_at=NOON, steps=(step,))


class Rehearsing:
    """The API, and the rehearser behind it."""

    def __init__(self, database: Database) -> None:
        self.scripted, self.clock = Scripted(), SteppedClock()
        self.policy = AlertPolicy.model_validate(POLICY)
        self.kept = Rehearsals(database)
        self.rehearser = Rehearser(lambda: self.scripted, self.kept, self.clock, policy=lambda: self.policy)  # type: ignore[arg-type, return-value]
        self.app = create_app(
            "alert_service",
            "1.0",
            routers=[rehearsals.router],
            authenticator=TOKENS,
            probes=(),
            metrics=ServiceMetrics("alert_service", "1.0"),
            settings=WebSettings(),
        )
        self.app.state.services = SimpleNamespace(
            policy=lambda: self.policy,
            rehearser=lambda: self.rehearser,
            storage=SimpleNamespace(stored=SimpleNamespace(rehearsals=self.kept)),
        )

    async def ask(self, method: str, path: str = "", token: str = OPERATE_TOKEN, **request: Any) -> httpx.Response:
        async with client_of(self.app, token) as http:
            return await http.request(method, f"/api/v1/rehearsals{path}", **request)

    async def ended(self, made: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def has_ended() -> bool:
            found.update((await self.ask("GET", f"/{made}")).json())
            return found["ended_at"] is not None

        await eventually(has_ended)
        return found


@pytest.fixture
async def rehearsing(alert_database: Database) -> AsyncIterator[Rehearsing]:
    found = Rehearsing(alert_database)
    yield found
    await found.rehearser.close()


async def test_a_rehearsal_is_begun_and_its_report_is_kept(rehearsing: Rehearsing) -> None:
    begun = await rehearsing.ask("POST", json={"press_seconds": 9})
    assert begun.status_code == 202, begun.text
    made = begun.json()["id"]
    shown = (await rehearsing.ask("GET", f"/{made}", READ_TOKEN)).json()
    assert (shown["kind"], shown["passed"], shown["steps"]) == ("rehearsal", None, [])
    again = await rehearsing.ask("POST", json={})
    assert (again.status_code, "is being played" in again.text) == (409, True)
    rehearsing.scripted.may_end.set()
    ended = await rehearsing.ended(made)
    assert (ended["passed"], ended["failed"], ended["steps"][0]["outcome"]) == (True, 0, "posted")
    script = rehearsing.scripted.scripts[0]
    assert (script.channels, script.escalations, script.press_seconds) == (["sre", "ops"], ["page"], 9)


async def test_what_failed_is_counted_in_the_list(rehearsing: Rehearsing) -> None:
    rehearsing.scripted = Scripted(failing="token_revoked")
    rehearsing.scripted.may_end.set()
    made = (await rehearsing.ask("POST", json={"channels": ["sre"]})).json()["id"]
    await rehearsing.ended(made)
    [item] = (await rehearsing.ask("GET", params={"kind": "rehearsal"})).json()["items"]
    assert (item["passed"], item["failed"], item["steps"]) == (False, 1, [])
    assert (await rehearsing.ask("GET", params={"kind": "canary"})).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({"channels": ["nowhere"]}, "/channels", id="a channel that is not there"),
        pytest.param({"escalations": ["nothing"]}, "/escalations", id="an escalation that is not there"),
        pytest.param({"channels": []}, "/channels", id="no channel"),
        pytest.param({"press_seconds": 9999}, "/press_seconds", id="a long wait"),
    ],
)
async def test_what_cannot_be_rehearsed_is_refused(rehearsing: Rehearsing, body: dict[str, Any], path: str) -> None:
    answer = await rehearsing.ask("POST", json=body)
    assert answer.status_code == 422
    assert [each["path"] for each in answer.json()["errors"]] == [path]
    assert rehearsing.scripted.scripts == []


async def test_a_reader_sends_nothing(rehearsing: Rehearsing) -> None:
    assert (await rehearsing.ask("POST", token=READ_TOKEN, json={})).status_code == 403
    missing = await rehearsing.ask("GET", "/00000000-0000-4000-8000-000000000000", READ_TOKEN)
    assert missing.status_code == 404


async def test_it_is_rehearsed_on_schedule(rehearsing: Rehearsing) -> None:
    rehearsing.scripted.may_end.set()
    running = asyncio.create_task(rehearsing.rehearser.run())

    async def listed(count: int) -> bool:
        return len(await rehearsing.kept.list(9, kind=RehearsalKind.REHEARSAL)) == count

    async def planned() -> bool:
        return rehearsing.rehearser.next_at is not None

    try:
        await eventually(planned)
        assert await listed(0)
        for count in (1, 2):
            rehearsing.clock.step(rehearsing.rehearser.next_at - rehearsing.clock.now())  # type: ignore[operator]
            await eventually(lambda count=count: listed(count))  # type: ignore[misc]
        assert [each.channels for each in rehearsing.scripted.scripts] == [["sre"], ["sre"]]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

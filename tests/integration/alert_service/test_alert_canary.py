"""Canaries through the real queue, and alarms of the service about itself."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.alert_database import alert_rows
from tests.support.clock import SteppedClock
from tests.support.waiting import eventually

from alert_service.delivery.canary import ALERT, INTAKE, Canary
from alert_service.incidents.alert import Source
from alert_service.incidents.settling import Settling
from alert_service.intake.own_alerts import OwnAlerts
from alert_service.intake.pipeline import Pipeline
from alert_service.policy.settings import AlertPolicy
from alert_service.rehearsal.report import Outcome, Report, Step, Tried
from alert_service.storage.deliveries import Deliveries
from alert_service.storage.inbox import Inbox
from alert_service.storage.rehearsals import RehearsalKind, Rehearsals
from common.database.connections import Database

pytestmark = pytest.mark.database

CHANNELS = {"sre": {"kind": "slack", "conversation": "#sre"}, "ops": {"kind": "teams", "secret": "ops"}}
OTHER_CHANNELS = CHANNELS | {"sre": {"kind": "slack", "conversation": "#other"}}
POLICY = {
    "channels": CHANNELS,
    "routes": [{"name": "all", "channels": ["ops"]}],
    "canary": {"channels": ["sre", "ops"], "every": "1h", "within": "2s"},
}


class Flying:
    """A canary, with everything around it but the sender, whose part a test plays."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, SteppedClock()
        self.policy = AlertPolicy.model_validate(POLICY)
        self.results: list[tuple[str, bool]] = []
        self.inbox = Inbox(database)
        deliveries = Deliveries(database)
        self.rehearsals = Rehearsals(database)
        self.canary = Canary(
            database,
            self.inbox,
            deliveries,
            self.clock,
            policy=lambda: self.policy,
            channel=lambda name: None,
            way_back=None,
            alarms=OwnAlerts(database, self.inbox, self.clock, cluster="east"),
            on_result=lambda name, arrived: self.results.append((name, arrived)),
        )
        self.pipeline = Pipeline(
            database,
            self.inbox,
            Settling(deliveries, lambda: self.policy),
            self.clock,
            policy=lambda: self.policy,
            on_worked=lambda worked: None,
        )

    async def fly(self, *, worked: bool = True, **states: str) -> Report:
        """One flight; the sender brings each channel's message to the state that is given, all others to none."""
        flying = asyncio.create_task(self.canary.fly())
        try:
            await self._let_in(worked)
            await self._bring(states)
            while not flying.done():
                self.clock.step(0.5)
                await asyncio.sleep(0.05)
            return await flying
        finally:
            flying.cancel()

    async def _let_in(self, worked: bool) -> None:
        async def came_in() -> bool:
            flown = "SELECT id::text FROM rehearsal ORDER BY started_at DESC LIMIT 1"
            waits = f"SELECT id FROM inbox WHERE done_at IS NULL AND key = ({flown})"
            return bool(await alert_rows(self.database, waits))

        await eventually(came_in)
        if worked:
            await self.pipeline.work()
        else:
            self.clock.step(2.5)

    async def _bring(self, states: dict[str, str]) -> None:
        async def queued() -> bool:
            sql = "SELECT channel FROM delivery WHERE reason = 'canary' AND state = 'queued' AND queued_at = :now"
            return len(await alert_rows(self.database, sql, now=self.clock.now())) == 2

        await eventually(queued)
        for channel, state in states.items():
            await alert_rows(
                self.database,
                "UPDATE delivery SET state = :state, posted_at = CASE WHEN :state = 'posted' THEN queued_at END,"
                " accepted_at = queued_at, error = CASE WHEN :state = 'dead' THEN 'token_revoked' END"
                " WHERE channel = :channel AND state = 'queued'",
                channel=channel,
                state=state,
            )

    async def incidents(self) -> list[tuple[Any, ...]]:
        while await self.pipeline.work():
            pass
        return await alert_rows(self.database, "SELECT source, title, state, severity FROM incident ORDER BY opened_at")


@pytest.fixture
def flying(alert_database: Database) -> Flying:
    return Flying(alert_database)


async def test_a_canary_that_arrives_is_timed_and_kept(flying: Flying) -> None:
    report = await flying.fly(sre="posted", ops="accepted")
    outcomes = {each.channel: each.outcome for each in report.steps}
    assert outcomes == {INTAKE: Outcome.DONE, "sre": Outcome.POSTED, "ops": Outcome.ACCEPTED}
    assert sorted(flying.results) == [("ops", True), ("sre", True)]
    kept = await flying.rehearsals.last(RehearsalKind.CANARY)
    assert kept is not None
    assert (kept.passed, Report.from_json(kept.report)) == (True, report)
    assert await flying.incidents() == []


async def test_one_that_does_not_arrive_is_an_alert_until_the_next_one_does(flying: Flying) -> None:
    report = await flying.fly(ops="accepted")
    assert [(each.channel, each.detail) for each in report.failed] == [("sre", "not sent within 2 s")]
    assert await flying.incidents() == [(Source.SELF, f"{ALERT}: east", "firing", "critical")]
    flying.clock.step(timedelta(hours=1))
    assert not (await flying.fly(ops="accepted", sre="dead")).passed
    assert len(await flying.incidents()) == 1
    flying.clock.step(timedelta(hours=1))
    assert (await flying.fly(ops="accepted", sre="posted")).passed
    assert [state for _, _, state, _ in await flying.incidents()] == ["resolved"]


async def test_an_alarm_ends_also_where_the_leader_died_amid_a_canary_since(flying: Flying) -> None:
    assert not (await flying.fly(ops="accepted")).passed
    assert [state for _, _, state, _ in await flying.incidents()] == ["firing"]
    flying.clock.step(timedelta(hours=1))
    await flying.rehearsals.begin(RehearsalKind.CANARY, flying.clock.now())
    flying.clock.step(timedelta(hours=1))
    assert (await flying.fly(ops="accepted", sre="posted")).passed
    assert [state for _, _, state, _ in await flying.incidents()] == ["resolved"]


async def test_when_nothing_that_comes_in_takes_effect_every_channel_counts_as_cut_off(flying: Flying) -> None:
    report = await flying.fly(worked=False, sre="posted", ops="accepted")
    assert [(each.channel, each.detail) for each in report.failed] == [
        (INTAKE, "what comes in takes no effect within 2 s")
    ]
    assert sorted(flying.results) == [("ops", False), ("sre", False)]
    assert [title for _, title, _, _ in await flying.incidents()] == [f"{ALERT}: east"] * 2
    flying.clock.step(timedelta(hours=1))
    assert (await flying.fly(sre="posted", ops="accepted")).passed
    assert {state for _, _, state, _ in await flying.incidents()} == {"resolved"}


async def test_what_was_not_sent_in_its_time_is_not_sent_later(flying: Flying) -> None:
    states = "SELECT state FROM delivery WHERE channel = 'sre' ORDER BY number"
    await flying.fly(ops="accepted")
    assert await alert_rows(flying.database, states) == [("superseded",)]
    flying.clock.step(timedelta(hours=1))
    await flying.fly(ops="accepted", sre="posted")
    assert await alert_rows(flying.database, states) == [("superseded",), ("posted",)]


@pytest.mark.parametrize(
    ("change", "flies"),
    [
        pytest.param({}, False, id="nothing has changed"),
        pytest.param({"canary": {"channels": ["sre"], "every": "1h"}}, True, id="other channels are tried"),
        pytest.param({"channels": OTHER_CHANNELS}, True, id="a channel is another one"),
        pytest.param({"reopen_within": "5m"}, False, id="something else"),
        pytest.param({"canary": {}}, False, id="there is none any more"),
    ],
)
async def test_it_flies_on_schedule_and_when_its_channels_change(
    flying: Flying, change: dict[str, Any], flies: bool
) -> None:
    await flying.fly(ops="accepted", sre="posted")
    assert not await flying.canary.due()
    flying.policy = AlertPolicy.model_validate({**POLICY, **change})
    assert await flying.canary.due() is flies
    if "canary" not in change:
        flying.clock.step(timedelta(hours=1))
        assert await flying.canary.due()


async def test_rehearsals_are_listed_the_newest_first(flying: Flying) -> None:
    kinds = (RehearsalKind.REHEARSAL, RehearsalKind.CANARY, RehearsalKind.REHEARSAL)
    made = [await flying.rehearsals.begin(kind, flying.clock.step(1)) for kind in kinds]
    step = Step(channel="sre", tried=Tried.POST, what="x", outcome=Outcome.FAILED, at=flying.clock.now())
    report = Report(started_at=flying.clock.now(), ended_at=flying.clock.now(), steps=(step,))
    await flying.rehearsals.end(made[2], at=flying.clock.now(), passed=report.passed, report=report.to_json())
    listed = await flying.rehearsals.list(2)
    assert [(each.id, each.passed) for each in listed] == [(made[2], False), (made[1], None)]
    rest = await flying.rehearsals.list(2, before=(listed[-1].started_at, listed[-1].id))
    assert [each.id for each in rest] == [made[0]]
    assert [each.id for each in await flying.rehearsals.list(9, kind=RehearsalKind.REHEARSAL)] == [made[2], made[0]]
    assert await flying.rehearsals.get(UUID(int=0)) is None

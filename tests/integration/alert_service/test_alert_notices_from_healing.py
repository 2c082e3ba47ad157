"""What auto_healing's ledger says, told to alert_service's real route, and what becomes of it there."""

from datetime import timedelta

import pytest
from tests.support.alert_intake import Intake, a_post, an_alert
from tests.support.clock import NOON, SteppedClock
from tests.support.healing_database import claim_healing, healing_database, healing_url
from tests.support.healing_store import a_plan, a_stored_run, store_runs

from auto_healing.alert_service import AlertService
from auto_healing.metrics import Metrics
from auto_healing.notifier import Notifier
from auto_healing.run import Run, RunState
from auto_healing.storage.ledger import Entry, Ledger
from auto_healing.storage.notified import Notified
from auto_healing.storage.run_entries import Told, about_run, proposed
from common.database.connections import Database
from common.metrics import ServiceMetrics

__all__ = ["healing_database", "healing_url"]

pytestmark = pytest.mark.database

LATER = NOON + timedelta(hours=1)


class Both:
    """A ledger of auto_healing, and alert_service, which is told of it."""

    def __init__(self, healing: Database, intake: Intake) -> None:
        self.healing = healing
        self.intake = intake
        transport = intake.client()._transport
        token = intake.client().headers["Authorization"].removeprefix("Bearer ")
        client = AlertService("http://alerts", token, transport=transport)
        metrics = Metrics(ServiceMetrics("auto_healing", "1.0"))
        self.notifier = Notifier(client, Notified(healing), cluster="prod", clock=SteppedClock(), metrics=metrics)

    async def says(self, *entries: Entry) -> None:
        """The ledger does, and everybody who has to know does then."""
        epoch = await claim_healing(self.healing)
        await self.notifier.step(epoch)
        await Ledger(self.healing).append(*entries)
        while await self.notifier.step(epoch):
            pass
        await self.intake.work()

    async def said(self) -> list[str]:
        """What the timelines tell of healing."""
        rows = await self.intake.rows("SELECT text FROM timeline WHERE kind = 'healing' ORDER BY id")
        return [text for (text,) in rows]


@pytest.fixture
def both(healing_database: Database, alert_database: Database) -> Both:
    return Both(healing_database, Intake(alert_database))


async def a_run(both: Both, state: RunState) -> Run:
    run = a_stored_run(state, plan=a_plan("checkout-1"), approval_expires_at=LATER)
    await store_runs(both.healing, run)
    return run


async def test_a_run_that_waits_opens_an_incident_when_nobody_had_told_of_the_fault(both: Both) -> None:
    run = await a_run(both, RunState.AWAITING_APPROVAL)
    await both.says(proposed(run, NOON))
    assert await both.intake.states() == ["firing"]
    ((value,),) = await both.intake.rows("SELECT value->'healing'->>'run_id' FROM incident")
    assert value == str(run.id)
    assert await both.said() == ["delete-pod of Pod shop/checkout-1 waits for approval: it crashes"]


async def test_a_run_joins_the_incident_about_its_pod_and_its_end_is_told_there(both: Both) -> None:
    await both.intake.take(a_post(an_alert("checkout-1")))
    run = await a_run(both, RunState.RUNNING)
    started = about_run(run, Told.STEP_STARTED, NOON, message="it crashes", data={"step": 0, "try": 1})
    await both.says(started)
    await both.says(about_run(run, Told.HEALED, NOON + timedelta(seconds=30), message="it is well again"))
    assert await both.intake.states() == ["firing"]
    assert await both.said() == [
        "delete-pod of Pod shop/checkout-1 has begun: it crashes",
        "delete-pod of Pod shop/checkout-1 helped: it is well again",
    ]

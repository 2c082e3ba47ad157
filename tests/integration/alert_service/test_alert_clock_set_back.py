"""The clock of the leader is set back: nobody is told an hour later for that."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.alert_intake import Intake, a_post, an_alert

from common.database.connections import Database

pytestmark = pytest.mark.database

POLICY: dict[str, Any] = {
    "routes": [{"name": "all", "channels": ["sre"], "escalation": "up"}],
    "escalations": {"up": {"steps": [{"after": "5m", "people": ["ana"], "channels": ["sre"]}], "repeat": 1}},
    "people": {"ana": {"identity": "ana@example.com"}},
}


async def escalated(intake: Intake) -> int:
    """How often, once all that is due was done."""
    while await intake.clockwork.work():
        pass
    return len(await intake.rows("SELECT id FROM timeline WHERE kind = 'escalated'"))


async def test_escalation_waits_no_longer_than_it_would_have_from_now_on(alert_database: Database) -> None:
    intake = Intake(alert_database, policy=POLICY)
    await intake.take(a_post(an_alert()))
    intake.clock.step(timedelta(minutes=1))
    assert await intake.clockwork.look_back() == 0

    intake.clock.jump(timedelta(hours=-1))
    assert await intake.clockwork.look_back() == 1
    assert await intake.clockwork.look_back() == 0
    intake.clock.step(timedelta(minutes=5))
    assert await escalated(intake) == 1
    intake.clock.step(timedelta(minutes=5))
    assert await escalated(intake) == 2


async def test_clocks_of_replicas_may_differ_a_little(alert_database: Database) -> None:
    intake = Intake(alert_database, policy=POLICY)
    await intake.take(a_post(an_alert()))
    intake.clock.jump(timedelta(seconds=-20))
    assert await intake.clockwork.look_back() == 0

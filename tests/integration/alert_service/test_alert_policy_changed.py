"""A policy that changes while the service runs, on a real database."""

import pytest
from tests.support.alert_intake import Intake, a_post, an_alert
from tests.support.clock import NOON

from alert_service.policy import AlertPolicy
from common.database.connections import Database

pytestmark = pytest.mark.database

WINDOW = {"name": "w", "match": ['namespace="shop"'], "starts_at": (NOON).isoformat(), "lasts": "8h"}


async def test_a_window_that_ends_before_its_time_lets_people_know(alert_database: Database) -> None:
    intake = Intake(alert_database, policy={"maintenance": [WINDOW]})
    await intake.take(a_post(an_alert()))
    await intake.clockwork.work()
    assert await intake.messages() == []

    intake.policy = AlertPolicy.model_validate({**intake.policy.model_dump(by_alias=True), "maintenance": []})
    intake.clock.step(60)
    await intake.clockwork.work()
    assert await intake.messages() == [("card", "unsuppressed", False)]
    assert await intake.clockwork.work() == 0  # and is looked at again only when something is due

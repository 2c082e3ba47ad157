"""An alert that always fires: heard without a word, and an alarm when it is not."""

from datetime import timedelta

import pytest
from tests.support.alert_intake import POLICY, Intake, a_post, an_alert

from common.database.connections import Database

pytestmark = pytest.mark.database

WATCHDOG = an_alert("", alertname="Watchdog", namespace="", severity="none")
BEAT = {"name": "prod", "match": ['alertname="Watchdog"'], "every": "5m", "grace": 2}


@pytest.fixture
def intake(alert_database: Database) -> Intake:
    channels = POLICY["channels"] | {"phone": {"kind": "webhook", "secret": "phone"}}
    return Intake(alert_database, policy={"channels": channels, "heartbeats": [BEAT | {"channels": ["phone"]}]})


async def beat(intake: Intake) -> None:
    await intake.take(a_post(WATCHDOG, group="watchdog"))


async def pass_time(intake: Intake, minutes: float) -> None:
    intake.clock.step(timedelta(minutes=minutes))
    await intake.listener.look()
    await intake.pipeline.work()


async def test_a_heartbeat_is_no_incident(intake: Intake) -> None:
    await intake.listener.look()
    for _ in range(5):
        await pass_time(intake, 5)
        await beat(intake)
    assert await intake.states() == []
    assert await intake.messages() == []
    assert intake.missing == {"prod": False}


async def test_a_missing_one_is_an_incident_on_its_channels_until_it_is_heard_again(intake: Intake) -> None:
    await intake.listener.look()
    await beat(intake)
    await pass_time(intake, 10)
    assert await intake.states() == []
    await pass_time(intake, 0.1)
    await pass_time(intake, 1)
    assert intake.missing == {"prod": True}
    assert await intake.rows("SELECT title, state, severity, source, cluster FROM incident") == [
        ("HeartbeatMissing: prod", "firing", "critical", "self", "prod")
    ]
    assert await intake.rows("SELECT DISTINCT channel FROM delivery") == [("phone",)]
    async with intake.client() as client:
        (shown,) = (await client.get("/api/v1/heartbeats")).json()["items"]
    assert shown["missing_since"] is not None
    assert shown["missing_after_seconds"] == 600
    await beat(intake)
    await pass_time(intake, 0.1)
    assert await intake.states() == ["resolved"]
    assert intake.missing == {"prod": False}
    await pass_time(intake, 11)
    assert await intake.history() == ["opened", "resolved", "reopened"]


async def test_one_that_never_came_is_missing_too(intake: Intake) -> None:
    await intake.listener.look()
    await pass_time(intake, 11)
    assert await intake.states() == ["firing"]


async def test_one_that_resolves_is_not_heard(intake: Intake) -> None:
    await intake.listener.look()
    await pass_time(intake, 9)
    await intake.take(a_post(WATCHDOG | {"status": "resolved", "endsAt": intake.clock.now().isoformat()}))
    await pass_time(intake, 2)
    assert await intake.rows("SELECT title FROM incident") == [("HeartbeatMissing: prod",)]


async def test_whoever_begins_to_listen_waits_before_it_raises_an_alarm(
    intake: Intake, alert_database: Database
) -> None:
    """Nothing could be heard while nobody was there to store it."""
    await intake.listener.look()
    await beat(intake)
    intake.clock.step(timedelta(hours=3))
    new = Intake(alert_database)
    new.policy = intake.policy
    new.clock.step(timedelta(hours=3))
    await pass_time(new, 0)
    await pass_time(new, 9)
    assert await new.states() == []
    await pass_time(new, 2)
    assert await new.states() == ["firing"]


async def test_one_that_the_policy_no_longer_has_is_forgotten(intake: Intake) -> None:
    await intake.listener.look()
    intake.policy = intake.policy.model_copy(update={"heartbeats": []})
    await pass_time(intake, 60)
    assert await intake.heartbeats.known() == {}
    assert await intake.states() == []


async def test_one_that_waits_behind_a_storm_is_not_missing(intake: Intake) -> None:
    await intake.listener.look()
    intake.clock.step(timedelta(minutes=9))
    await intake.put(a_post(an_alert()))
    await intake.put(a_post(WATCHDOG, group="watchdog"))
    intake.clock.step(timedelta(minutes=9))
    await intake.listener.look()
    assert intake.missing == {"prod": False}
    await intake.work()
    await intake.listener.look()
    assert intake.missing == {"prod": False}
    await pass_time(intake, 2)
    assert intake.missing == {"prod": True}


async def test_the_alarm_of_one_that_the_policy_no_longer_has_ends(intake: Intake) -> None:
    await intake.listener.look()
    await pass_time(intake, 11)
    assert await intake.states() == ["firing"]
    intake.policy = intake.policy.model_copy(update={"heartbeats": []})
    for _ in range(2):
        await pass_time(intake, 1)
    assert await intake.states() == ["resolved"]
    assert await intake.heartbeats.known() == {}


async def test_an_incident_of_what_became_a_heartbeat_ends(intake: Intake) -> None:
    listening, intake.policy = intake.policy, intake.policy.model_copy(update={"heartbeats": []})
    other = an_alert("checkout-1")
    await intake.take(a_post(WATCHDOG, other, group="watchdog"))
    intake.policy = listening
    await intake.take(a_post(WATCHDOG, other, group="watchdog"))
    assert await intake.rows("SELECT alertname FROM member WHERE status = 'firing'") == [("KubePodCrashLooping",)]
    assert await intake.rows("SELECT name FROM heartbeat") == [("prod",)]

"""What is old goes, and nothing else, on a real database."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.support.alert_intake import Intake, a_post, a_resolved_alert, an_alert
from tests.support.clock import NOON

from alert_service.settings import KeepSettings
from alert_service.storage.retention import Retention
from common.database.connections import Database

pytestmark = pytest.mark.database

OLD = timedelta(days=91)


@pytest.fixture
def intake(alert_database: Database) -> Intake:
    return Intake(alert_database)


def retention(intake: Intake) -> Retention:
    return Retention(intake.database, intake.clock, KeepSettings())


async def an_old_incident(intake: Intake, pod: str) -> UUID:
    """Resolved at noon."""
    group = f'{{}}:{{pod="{pod}"}}'
    await intake.take(a_post(an_alert(pod, at=NOON - timedelta(hours=1)), group=group))
    await intake.take(a_post(a_resolved_alert(pod, at=NOON), group=group))
    ((found,),) = await intake.rows("SELECT incident_id FROM member WHERE alert->'labels'->>'pod' = :pod", pod=pod)
    return UUID(str(found))


async def test_a_resolved_incident_goes_with_all_that_belongs_to_it_when_its_time_has_come(intake: Intake) -> None:
    await an_old_incident(intake, "old")
    await intake.take(a_post(an_alert("still-fires"), group="another"))
    assert await retention(intake).once(intake.clock.now() + timedelta(days=89)) == 0
    assert await retention(intake).once(intake.clock.now() + OLD) == 1
    assert await intake.states() == ["firing"]
    for table in ("member", "timeline", "delivery"):
        ((count,),) = await intake.rows(f"SELECT count(DISTINCT incident_id) FROM {table}")
        assert count == 1


async def test_a_parent_goes_after_its_last_child(intake: Intake) -> None:
    parent, child = await an_old_incident(intake, "parent"), await an_old_incident(intake, "child")
    await intake.rows("UPDATE incident SET parent_id = :parent WHERE id = :child", parent=parent, child=child)
    assert await retention(intake).once(intake.clock.now() + OLD) == 2
    assert await intake.states() == []


async def test_a_parent_stays_while_a_child_is_kept(intake: Intake) -> None:
    parent = await an_old_incident(intake, "parent")
    await intake.take(a_post(an_alert("child"), group="another"))
    await intake.rows("UPDATE incident SET parent_id = :parent WHERE state = 'firing'", parent=parent)
    assert await retention(intake).once(intake.clock.now() + OLD) == 0
    assert sorted(await intake.states()) == ["firing", "resolved"]


async def test_what_came_in_goes_once_it_has_taken_effect_and_what_waits_stays(intake: Intake) -> None:
    await intake.take(a_post(an_alert("one")))
    await intake.put(a_post(an_alert("two")))
    await retention(intake).once(intake.clock.now() + timedelta(hours=49))
    assert await intake.inbox.waiting() == 1
    ((count,),) = await intake.rows("SELECT count(*) FROM inbox")
    assert count == 1


async def test_what_belongs_to_no_incident_goes_too(intake: Intake) -> None:
    now = intake.clock.now()
    await intake.rows(
        "INSERT INTO used_link (id, used_at, expires_at, person, answer) VALUES "
        "('old', :now, :now, 'ana', ''), ('new', :now, :later, 'ana', '')",
        now=now,
        later=now + timedelta(days=365),
    )
    await intake.rows(
        "INSERT INTO rehearsal (id, kind, started_at, report) VALUES (:id, 'canary', :now, '{}')", id=uuid4(), now=now
    )
    await intake.rows(
        "INSERT INTO healing (kind, namespace, name, at, value) VALUES ('Pod', 'shop', 'web-1', :now, '{}')", now=now
    )
    await retention(intake).once(now + OLD)
    assert await intake.rows("SELECT id FROM used_link") == [("new",)]
    assert await intake.rows("SELECT id FROM rehearsal UNION ALL SELECT NULL FROM healing") == []

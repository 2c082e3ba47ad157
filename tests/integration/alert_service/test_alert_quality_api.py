"""How rules fare, from what really happened to their incidents."""

from datetime import timedelta

import pytest
from tests.support.alert_incidents import a_person
from tests.support.alert_intake import Intake, a_post, a_resolved_alert, an_alert
from tests.support.clock import NOON

from alert_service.api import quality
from alert_service.incidents.acts import Act, ActKind, Via
from alert_service.incidents.alert import Source
from common.contracts import Notice
from common.contracts.healing import NoticeKind
from common.contracts.objects import ObjectRef
from common.database.connections import Database

pytestmark = pytest.mark.database

CRASH, SLOW = "KubePodCrashLooping", "Slow"


@pytest.fixture
def intake(alert_database: Database) -> Intake:
    return Intake(alert_database)


async def fire(intake: Intake, number: int, rule: str = CRASH) -> None:
    alert = an_alert(f"web{number}-0", alertname=rule, at=intake.clock.now())
    await intake.take(a_post(alert, group=f"{rule}{number}"))


async def end(intake: Intake, number: int, rule: str = CRASH) -> None:
    over = a_resolved_alert(f"web{number}-0", alertname=rule, at=intake.clock.now())
    await intake.take(a_post(over, group=f"{rule}{number}"))


async def act(intake: Intake, number: int, kind: ActKind, rule: str = CRASH) -> None:
    ((incident,),) = await intake.rows("SELECT id FROM incident WHERE group_key = :key", key=f"{rule}{number}")
    now = intake.clock.now()
    await intake.desk.act(Act(kind=kind, incident_id=incident, by=a_person(), via=Via.API, at=now))


async def test_rules_are_judged_by_what_became_of_their_incidents(intake: Intake) -> None:
    for number in range(4):
        await fire(intake, number)
    await fire(intake, 0, SLOW)
    intake.clock.step(timedelta(seconds=90))
    await act(intake, 0, ActKind.ACKNOWLEDGE)
    await act(intake, 3, ActKind.RESOLVE)
    await act(intake, 0, ActKind.NOISY, SLOW)
    subject = ObjectRef(kind="Pod", namespace="shop", name="web1-0")
    healed = Notice(id="1", kind=NoticeKind.HEALED, at=NOON, subject=subject, message="healed")
    await intake.take(healed.model_dump_json().encode(), source=Source.HEALING)
    intake.clock.step(timedelta(seconds=30))
    for number in (1, 2):
        await end(intake, number)
    async with intake.client(routers=[quality.router]) as client:
        found = (await client.get("/api/v1/quality")).raise_for_status().json()["rules"]
        one = (await client.get("/api/v1/quality", params={"rule": SLOW})).raise_for_status().json()["rules"]
        later = (await client.get("/api/v1/quality", params={"days": 1})).raise_for_status().json()["rules"]
    crash, slow = found
    assert (crash["rule"], crash["incidents"], crash["told"], crash["open"]) == (CRASH, 4, 4, 1)
    assert (crash["ack_share"], crash["healed_share"], crash["self_resolve_share"]) == (0.25, 0.25, 0.25)
    assert (crash["quick_share"], crash["in_vain"], crash["median_ack_seconds"]) == (0.25, 2, 90.0)
    assert (slow["rule"], slow["noisy"], slow["advice"]) == (SLOW, 1, "voted_noisy")
    assert [each["rule"] for each in one] == [SLOW]
    assert len(later) == 2


async def test_what_opened_long_ago_counts_no_more(intake: Intake) -> None:
    await fire(intake, 0)
    intake.clock.step(timedelta(days=8))
    async with intake.client(routers=[quality.router]) as client:
        assert (await client.get("/api/v1/quality")).raise_for_status().json()["rules"] == []
        longer = (await client.get("/api/v1/quality", params={"days": 30})).raise_for_status().json()
    assert len(longer["rules"]) == 1

"""Who is called in turn, over many incidents and through a restart, on a real database."""

from typing import Any

import pytest
from tests.support.alert_intake import Intake, a_post, an_alert

from common.database.connections import Database

pytestmark = pytest.mark.database

STEP = {"after": "5m", "people": ["ana", "ben", "eve"], "channels": ["sre"], "round_robin": True}
POLICY: dict[str, Any] = {
    "routes": [{"name": "all", "channels": ["sre"], "escalation": "up"}],
    "escalations": {"up": {"steps": [STEP], "repeat": 1}},
    "people": {name: {"identity": f"{name}@example.com"} for name in STEP["people"]},  # type: ignore[attr-defined]
}


async def called(intake: Intake) -> list[str]:
    """Who was called so far, in the order of the incidents, and of their rounds."""
    rows = await intake.rows(
        "SELECT mentions FROM delivery JOIN incident ON incident.id = incident_id "
        "WHERE delivery.kind = 'card' AND mentions <> '[]' ORDER BY group_key, number"
    )
    return [name for ((name,),) in rows]


async def opened(intake: Intake, *numbers: int) -> None:
    for number in numbers:
        await intake.take(a_post(an_alert(f"web{number}"), group=f"group {number}"))


async def minutes(intake: Intake, count: int) -> None:
    intake.clock.step(count * 60)
    while await intake.clockwork.work():
        pass


async def test_each_incident_calls_the_next_person_first(alert_database: Database) -> None:
    before = Intake(alert_database, policy=POLICY)
    await opened(before, 1, 2)
    after = Intake(alert_database, policy=POLICY)  # another process
    await opened(after, 3, 4)
    await minutes(after, 5)
    assert await called(after) == ["ana", "ben", "eve", "ana"]
    await minutes(after, 5)
    assert await called(after) == ["ana", "ben", "ben", "eve", "eve", "ana", "ana", "ben"]


async def test_all_of_one_batch_take_turns_too(alert_database: Database) -> None:
    intake = Intake(alert_database, policy=POLICY)
    await intake.take(*(a_post(an_alert(f"web{number}"), group=f"group {number}") for number in range(4)))
    await minutes(intake, 5)
    assert sorted(await called(intake)) == ["ana", "ana", "ben", "eve"]


async def test_without_turns_none_are_counted(alert_database: Database) -> None:
    intake = Intake(alert_database, policy=POLICY | {"escalations": {"up": {"steps": [STEP | {"round_robin": False}]}}})
    await opened(intake, 1)
    assert await intake.rows("SELECT * FROM rota") == []

"""A storm from its first card to the cards of what it leaves open, on a real database."""

from typing import Any

import pytest
from tests.support.alert_intake import Intake, a_post, a_resolved_alert, an_alert

from common.database.connections import Database

pytestmark = pytest.mark.database

POLICY: dict[str, Any] = {
    "routes": [{"name": "all", "channels": ["sre"], "escalation": "up"}],
    "escalations": {"up": {"steps": [{"people": ["ana"], "channels": ["sre"]}], "repeat": 0}},
    "people": {"ana": {"identity": "ana@example.com"}},
    "storm": {"incidents": 4, "apart": 1},
}


@pytest.fixture
def intake(alert_database: Database) -> Intake:
    return Intake(alert_database, policy=POLICY)


def body(number: int, severity: str = "warning") -> bytes:
    return a_post(an_alert(f"web{number}-0", severity=severity), group=f"group-{number}")


async def suppressed(intake: Intake) -> list[str | None]:
    """What holds each incident back, in the order of their groups."""
    query = "SELECT value -> 'suppression' ->> 'reason' FROM incident ORDER BY group_key"
    return [reason for (reason,) in await intake.rows(query)]


async def tick(intake: Intake, seconds: float) -> None:
    intake.clock.step(seconds)
    while await intake.clockwork.work():
        pass


async def test_a_storm_from_beginning_to_end(intake: Intake) -> None:
    await intake.take(*(body(number) for number in range(7)), body(7, "critical"))

    assert await suppressed(intake) == [None] * 3 + ["storm"] * 4 + [None]  # the critical one stays apart
    kinds = [kind for kind, _, _ in await intake.messages()]
    assert (kinds.count("card"), kinds.count("storm"), kinds.count("reply")) == (4, 1, 1)

    await tick(intake, 301)  # the escalation of those that were told
    assert await intake.rows("SELECT count(*) FROM timeline WHERE kind = 'escalated'") == [(4,)]

    await tick(intake, 61)
    assert await intake.rows("SELECT ended_at IS NOT NULL FROM storm") == [(True,)]
    assert (await suppressed(intake)).count("storm") == 2  # half of what would be a storm again is told by itself
    told = await intake.rows("SELECT count(*) FROM delivery WHERE reason = 'unsuppressed' AND loud")
    assert told == [(2,)]

    await tick(intake, 301)
    assert await intake.rows("SELECT count(*) FROM timeline WHERE kind = 'escalated'") == [(6,)]


async def test_a_channel_that_stood_in_hears_of_the_end_too(intake: Intake) -> None:
    await intake.take(*(body(number) for number in range(6)))
    await intake.rows(
        "INSERT INTO card (channel, subject, conversation, message_id, revision, posted_at) "
        "SELECT 'ops', 'storm:' || id, '', '', 0, now() FROM storm RETURNING channel"
    )
    await tick(intake, 400)
    told = await intake.rows("SELECT channel, count(*) FROM delivery WHERE kind = 'storm' GROUP BY 1 ORDER BY 1")
    assert told == [("ops", 1), ("sre", 2)]


async def test_what_only_the_storm_told_of_ends_without_a_word(intake: Intake) -> None:
    await intake.take(*(body(number) for number in range(6)))
    before = await intake.messages()
    over = a_resolved_alert("web5-0", at=intake.clock.step(10), severity="warning")
    await intake.take(a_post(over, group="group-5"))

    assert await intake.messages() == before
    assert (await intake.states()).count("resolved") == 1


async def test_what_opened_under_the_leader_before_counts_for_the_next_one(
    intake: Intake, alert_database: Database
) -> None:
    await intake.take(*(body(number) for number in range(3)))
    other = Intake(alert_database, policy=POLICY)
    other.clock.step(30)
    other.clock = intake.clock
    await other.take(body(3))  # the fourth within a minute
    assert await suppressed(other) == [None] * 3 + ["storm"]


async def test_a_replica_that_leads_again_counts_what_opened_in_between(
    intake: Intake, alert_database: Database
) -> None:
    await intake.take(body(0))
    other = Intake(alert_database, policy=POLICY)
    await other.take(body(1), body(2))
    intake.settling.begin()
    await intake.take(body(3))
    assert await suppressed(other) == [None] * 3 + ["storm"]

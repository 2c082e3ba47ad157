"""Events in the database: each once, whoever stores it, and none lost before a decision took it into account."""

import asyncio
from datetime import timedelta

import pytest
from tests.support.clock import NOON
from tests.support.healing_events import a_pod_finding, an_event

from auto_healing.findings import KnownFinding, OpenFindings
from auto_healing.storage.inbox import Inbox, settle, waiting_count
from common.contracts import Change, Finding, HealthEvent
from common.database.connections import Database

pytestmark = pytest.mark.database


def known(cursor: int, finding: Finding | None = None, *, resolved: bool = False) -> KnownFinding:
    at = NOON + timedelta(seconds=cursor)
    return KnownFinding(
        finding=finding or a_pod_finding(), cursor=cursor, opened_at=NOON, resolved_at=at if resolved else None
    )


async def settled(database: Database, events: list[HealthEvent], *findings: KnownFinding) -> None:
    async with database.begin() as connection:
        await settle(connection, events, findings, NOON)


async def test_an_event_is_stored_once_and_comes_back_as_it_was(healing_database: Database) -> None:
    inbox, event = Inbox(healing_database), an_event(1, score=40.5)

    assert await inbox.receive([event], NOON) == 1
    assert inbox.arrived.is_set()
    inbox.arrived.clear()
    assert await inbox.receive([event, an_event(1)], NOON) == 0
    assert not inbox.arrived.is_set()
    assert await inbox.waiting(10) == [event]


async def test_replicas_that_take_the_same_events_at_once_store_each_once(healing_database: Database) -> None:
    events = [an_event(cursor, name=f"web-{cursor}") for cursor in range(1, 51)]
    orders = [events, events[::-1], events[25:] + events[:25], [*events, *events]]

    counts = await asyncio.gather(*(Inbox(healing_database).receive(order, NOON) for order in orders))

    assert sum(counts) == 50
    assert await waiting_count(healing_database) == 50


async def test_events_wait_in_the_order_of_their_cursors(healing_database: Database) -> None:
    inbox = Inbox(healing_database)
    await inbox.receive([an_event(cursor) for cursor in (3, 1, 2)], NOON)

    assert [event.cursor for event in await inbox.waiting(2)] == [1, 2]


async def test_what_was_taken_into_account_waits_no_more_and_is_not_taken_again(healing_database: Database) -> None:
    inbox, events = Inbox(healing_database), [an_event(1), an_event(2, name="web-2")]
    await inbox.receive(events, NOON)
    await settled(healing_database, events[:1], known(1))

    assert await inbox.waiting(10) == events[1:]
    assert await inbox.receive(events[:1], NOON) == 0
    assert await inbox.waiting(10) == events[1:]


async def test_what_is_known_survives_a_restart(healing_database: Database) -> None:
    before = OpenFindings()
    told = [an_event(1, score=40), an_event(2, name="web-2"), an_event(3, Change.RESOLVED, name="web-2")]
    changes = [change for event in told if (change := before.apply(event)) is not None]
    await settled(healing_database, [], *changes)

    after = OpenFindings()
    after.load(await Inbox(healing_database).known_findings())
    assert after.open() == before.open()
    assert after.score_of(a_pod_finding().object.key) == 40
    assert after.apply(told[1]) is None, "an older event does not open it again"


async def test_the_newest_cursor_wins(healing_database: Database) -> None:
    late, ended, again = (a_pod_finding(name) for name in ("late", "ended", "again"))
    await settled(healing_database, [], known(5, late, resolved=True), known(5, ended), known(5, again))
    await settled(healing_database, [], known(4, late), known(6, ended, resolved=True), known(5, again))

    found = {each.finding.object.name: each for each in await Inbox(healing_database).known_findings()}
    assert {name: (each.cursor, each.resolved_at is None) for name, each in found.items()} == {
        "late": (5, False),
        "ended": (6, False),
        "again": (5, True),
    }


async def test_of_one_finding_in_one_decision_the_last_word_counts_and_others_are_others(
    healing_database: Database,
) -> None:
    others = [a_pod_finding(part="app"), a_pod_finding("web-2"), a_pod_finding(code="pod-not-ready")]
    await settled(healing_database, [], known(1), known(2, resolved=True), *(known(1, finding) for finding in others))

    found = {each.key: each.cursor for each in await Inbox(healing_database).known_findings()}
    assert found == {a_pod_finding().key: 2} | {finding.key: 1 for finding in others}


async def test_how_far_was_read_is_stored_with_what_was_read(healing_database: Database) -> None:
    inbox = Inbox(healing_database)
    assert (await inbox.read_up_to())[1] is None, "nothing was ever read"

    await inbox.receive([an_event(7)], NOON, read_up_to=7)
    assert await inbox.read_up_to() == (7, NOON)
    await inbox.receive([an_event(9)], NOON + timedelta(seconds=1))
    assert await inbox.read_up_to() == (7, NOON), "a webhook says nothing about what came before it"
    await inbox.receive([], NOON + timedelta(seconds=2), read_up_to=7)
    assert await inbox.read_up_to() == (7, NOON + timedelta(seconds=2))

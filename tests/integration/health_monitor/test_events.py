"""Consumers read on from a cursor and miss nothing, or are told that they did."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from tests.support.clock import NOON, SteppedClock
from tests.support.health_database import an_event, claim, execute, run_until_done
from tests.support.waiting import eventually

from common.contracts import Change, EventData, HealthEvent, ObjectKey, Severity
from common.database.connections import Database
from health_monitor.storage.events import Bounds, EventFilter, EventLog, Expired, ExpiredReason, Tail
from health_monitor.storage.publish import Outbox

pytestmark = pytest.mark.database


@pytest.fixture
async def outbox(database: Database) -> AsyncIterator[Outbox]:
    made = Outbox(database, SteppedClock(), source="/clusters/test")
    made.lead(await claim(database))
    running = asyncio.create_task(made.run())
    yield made
    await run_until_done(running)


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


async def tell(outbox: Outbox, *events: EventData) -> None:
    outbox.put(events)
    assert await outbox.flush(60)


async def test_a_consumer_that_reads_page_by_page_gets_every_event_once(outbox: Outbox, log: EventLog) -> None:
    await tell(outbox, *(an_event(f"pod-{number}") for number in range(250)))

    cursor, read, pages = None, [], 0
    more = True
    while more:
        page = await log.read(cursor, limit=100)
        read += page.events
        cursor, more, pages = page.next_cursor, page.more, pages + 1

    assert [event.cursor for event in read] == list(range(1, 251))
    assert pages == 3
    assert (cursor, page.head) == (250, 250)
    assert (await log.read(cursor)).events == []


async def test_what_is_read_is_what_was_stored(outbox: Outbox, log: EventLog) -> None:
    event = an_event("a", Change.CHANGED, previous_severity=Severity.WARNING, object_score=12.5, cluster_score=99.1)
    await tell(outbox, event)

    (read,) = (await log.read()).events
    assert read.data == event
    assert (read.source, read.subject, read.time) == ("/clusters/test", "Pod/shop/a", event.detected_at)
    assert await log.get(UUID(read.id)) == read
    assert await log.get(UUID(int=1)) is None


@pytest.mark.parametrize(
    ("where", "names"),
    [
        pytest.param(EventFilter(codes=frozenset({"node-not-ready"})), ["n1"], id="by code"),
        pytest.param(EventFilter(min_severity=Severity.WARNING), ["a", "n1", "a"], id="by severity"),
        pytest.param(EventFilter(kinds=frozenset({"Node", "Job"})), ["n1"], id="by kind"),
        pytest.param(EventFilter(namespaces=frozenset({"bank"})), ["b"], id="by namespace"),
        pytest.param(EventFilter(changes=frozenset({Change.RESOLVED})), ["a"], id="by change"),
        pytest.param(EventFilter(kinds=frozenset({"CronJob"})), [], id="nothing"),
    ],
)
async def test_events_are_filtered(outbox: Outbox, log: EventLog, where: EventFilter, names: list[str]) -> None:
    await tell(
        outbox,
        an_event("a"),
        an_event("b", namespace="bank", severity=Severity.INFO),
        an_event("n1", kind="Node", namespace="", code="node-not-ready", severity=Severity.WARNING),
        an_event("a", Change.RESOLVED),
    )
    page = await log.read(where=where)
    assert [event.data.finding.object.name for event in page.events] == names
    assert page.next_cursor == 4, "also a page without events moves the consumer on"


async def test_the_timeline_of_an_object_has_its_events_newest_first(outbox: Outbox, log: EventLog) -> None:
    for number in range(4):
        change = Change.RESOLVED if number % 2 else Change.OPENED
        await tell(outbox, an_event("a", change), an_event("b", change))
    key = ObjectKey("Pod", "shop", "a")

    newest = await log.timeline(key, limit=3)
    assert [event.cursor for event in newest] == [7, 5, 3]
    assert [event.cursor for event in await log.timeline(key, before=3)] == [1]


async def test_a_cursor_that_is_not_of_this_stream_is_refused(
    outbox: Outbox, log: EventLog, database: Database
) -> None:
    await tell(outbox, *(an_event(f"pod-{number}") for number in range(10)))
    await execute(database, "UPDATE stream SET floor = 4")

    with pytest.raises(Expired) as old:
        await log.read(3)
    assert (old.value.reason, old.value.oldest, old.value.head) == (ExpiredReason.TOO_OLD, 4, 10)
    with pytest.raises(Expired) as ahead:
        await log.read(11)
    assert ahead.value.reason is ExpiredReason.AHEAD
    assert [event.cursor for event in (await log.read(4)).events] == list(range(5, 11))
    assert (await log.read()).events[0].cursor == 5


async def test_a_reader_that_waits_gets_what_is_stored_meanwhile(outbox: Outbox, log: EventLog) -> None:
    tail = Tail(log, lambda events: None)
    await tail.catch_up()
    running = asyncio.create_task(tail.run())
    reading = asyncio.create_task(log.read(0, wait_seconds=240))
    await tell(outbox, an_event("a"))
    page = await asyncio.wait_for(reading, 120)
    await run_until_done(running)
    assert [event.cursor for event in page.events] == [1]


async def test_a_reader_that_waits_in_vain_gets_an_empty_page(log: EventLog) -> None:
    page = await log.read(0, wait_seconds=0.01)
    assert (page.events, page.next_cursor, page.more) == ([], 0, False)


async def test_the_tail_hands_on_every_event_once_on_the_replica_that_stores_and_on_another(database: Database) -> None:
    log = EventLog(database)
    heard: dict[str, list[HealthEvent]] = {"leader": [], "standby": []}
    leading, following = Tail(log, heard["leader"].extend), Tail(EventLog(database), heard["standby"].extend)
    await leading.catch_up()
    await following.catch_up()
    tasks = [asyncio.create_task(tail.run()) for tail in (leading, following)]
    outbox = Outbox(database, SteppedClock(), source="/clusters/test", on_stored=leading.stored)
    outbox.lead(await claim(database))
    tasks.append(asyncio.create_task(outbox.run()))
    for number in range(50):
        outbox.put([an_event(f"pod-{number}-{part}") for part in range(60)])
        await asyncio.sleep(0)

    async def both_heard_all() -> bool:
        return all(len(events) >= 3_000 for events in heard.values())

    await eventually(both_heard_all)
    for task in tasks:
        await run_until_done(task)
    for events in heard.values():
        assert [event.cursor for event in events] == list(range(1, 3_001))


class SlowLog(EventLog):
    """Gives the answer about the bounds only when it is let to."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def bounds(self) -> Bounds:
        found = await super().bounds()
        self.asked.set()
        await self.let.wait()
        return found


async def test_what_is_stored_while_the_tail_asks_for_the_end_is_handed_on_once(
    outbox: Outbox, database: Database
) -> None:
    log = SlowLog(database)
    heard: list[HealthEvent] = []
    tail = Tail(log, heard.extend)
    log.let.set()
    await tail.catch_up()
    log.let.clear()
    log.asked.clear()
    looking = asyncio.create_task(tail.catch_up())
    await log.asked.wait()
    await tell(outbox, an_event("a"), an_event("b"))
    tail.stored((await log.read(0)).events)
    log.let.set()
    await looking
    await tell(outbox, an_event("c"))
    await tail.catch_up()
    assert [event.cursor for event in heard] == [1, 2, 3]


async def test_events_from_before_the_start_are_not_handed_on(outbox: Outbox, log: EventLog) -> None:
    await tell(outbox, an_event("before"))
    heard: list[HealthEvent] = []
    tail = Tail(log, heard.extend)
    await tail.catch_up()
    await tell(outbox, an_event("after", at=NOON + timedelta(seconds=1)))
    await tail.catch_up()
    assert [event.cursor for event in heard] == [2]


async def test_a_tail_that_fell_behind_what_is_kept_goes_on_from_there(
    outbox: Outbox, log: EventLog, database: Database
) -> None:
    heard: list[HealthEvent] = []
    tail = Tail(log, heard.extend)
    await tail.catch_up()
    await tell(outbox, *(an_event(f"pod-{number}") for number in range(5)))
    await execute(database, "UPDATE stream SET floor = 3")
    await tail.catch_up()
    assert [event.cursor for event in heard] == [4, 5]


async def test_a_tail_goes_on_after_the_database_was_put_back_to_a_backup(
    outbox: Outbox, log: EventLog, database: Database
) -> None:
    heard: list[HealthEvent] = []
    tail = Tail(log, heard.extend)
    await tell(outbox, an_event("a"), an_event("b"))
    await tail.catch_up()
    await execute(database, "DELETE FROM event WHERE cursor = 2")
    await execute(database, "UPDATE stream SET cursor = 1")
    await tail.catch_up()
    await tell(outbox, an_event("c"))
    await tail.catch_up()
    assert [(event.cursor, event.data.finding.object.name) for event in heard] == [(2, "c")]

"""One replica leads. Another takes over when it is gone, and tells only what was not told yet."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.support.clock import SteppedClock
from tests.support.health_database import an_event, claim, execute, rows, run_until_done, scalar
from tests.support.waiting import eventually

from common.contracts import Change
from common.database.connections import Database
from common.database.errors import DatabaseUnavailable
from common.database.settings import DatabaseSettings
from common.leading.leadership import Leadership
from common.leading.locks import DatabaseLock
from health_monitor.storage.models import election, stream
from health_monitor.storage.publish import Outbox
from health_monitor.storage.published import published_findings

pytestmark = pytest.mark.database


class HandLock:
    """A lock that the test gives and takes."""

    def __init__(self) -> None:
        self.held: Callable[[], None] = lambda: None
        self.lost: Callable[[], None] = lambda: None
        self.running = asyncio.Event()
        self.released = False
        self.leading = True

    async def run(self, on_held: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self.held, self.lost = on_held, on_lost
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.released = True


@dataclass
class Replica:
    """A replica that sees `open_pods` crash-loop, and tells so when it leads."""

    database: Database
    open_pods: set[str]
    lock: HandLock = field(default_factory=HandLock)
    told: list[str] = field(default_factory=list)
    on_duty: bool = False
    failures: int = 0

    def __post_init__(self) -> None:
        self.outbox = Outbox(
            self.database,
            SteppedClock(),
            source="/clusters/test",
            on_stored=lambda events: self.told.extend(event.data.finding.object.name for event in events),
            on_deposed=self.deposed,
        )
        self.leadership = Leadership(
            self.database,
            self.lock,
            identity="replica",
            epochs=stream,
            on_gained=self.gained,
            on_lost=self.outbox.follow,
            duties=[self.duty],
        )

    async def gained(self, epoch: int) -> None:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("no server")
        told = {finding.finding.object.name for finding in await published_findings(self.database)}
        self.outbox.lead(epoch)
        self.outbox.put([an_event(name) for name in sorted(self.open_pods - told)])
        self.outbox.put([an_event(name, Change.RESOLVED) for name in sorted(told - self.open_pods)])

    def deposed(self, epoch: int) -> None:
        self.leadership.deposed(epoch)

    async def duty(self) -> None:
        self.on_duty = True
        try:
            await asyncio.Event().wait()
        finally:
            self.on_duty = False

    async def leads(self) -> bool:
        return self.leadership.is_leader and self.on_duty


@asynccontextmanager
async def a_replica(database: Database, *open_pods: str) -> AsyncIterator[Replica]:
    replica = Replica(database, set(open_pods))
    tasks = [asyncio.create_task(replica.outbox.run()), asyncio.create_task(replica.leadership.run())]
    await replica.lock.running.wait()
    try:
        yield replica
    finally:
        for task in reversed(tasks):
            await run_until_done(task)


async def stored(database: Database) -> list[tuple[int, str, str]]:
    return await rows(database, "SELECT cursor, name, change FROM event ORDER BY cursor")


async def test_nobody_leads_without_the_lock(database: Database) -> None:
    async with a_replica(database, "a") as replica:
        assert not replica.leadership.is_leader
        replica.lock.held()
        await eventually(replica.leads)
        assert replica.leadership.epoch == 1
        assert replica.on_duty
        assert await scalar(database, "SELECT holder FROM stream") == "replica"
    assert not replica.leadership.is_leader
    assert not replica.on_duty
    assert replica.lock.released


async def test_the_next_leader_tells_only_what_was_not_told(database: Database) -> None:
    async with a_replica(database, "a", "b") as first, a_replica(database, "b", "c") as second:
        first.lock.held()
        await eventually(first.leads)
        assert await first.outbox.flush(60)

        second.lock.held()
        await eventually(second.leads)
        assert await second.outbox.flush(60)

        async def first_has_noticed() -> bool:
            return not first.leadership.is_leader and not first.on_duty

        await eventually(first_has_noticed)
        first.lock.lost()

    assert await stored(database) == [
        (1, "a", "opened"),
        (2, "b", "opened"),
        (3, "c", "opened"),
        (4, "a", "resolved"),
    ]


async def test_a_deposed_leader_notices_when_it_writes(database: Database) -> None:
    async with a_replica(database) as replica:
        replica.lock.held()
        await eventually(replica.leads)
        replica.lock.lost()
        await claim(database)
        replica.outbox.put([an_event("late")])

        async def noticed() -> bool:
            return not replica.leadership.is_leader

        await eventually(noticed)
    assert await stored(database) == []


async def test_a_leader_that_lost_the_lock_goes_on_until_somebody_else_leads(database: Database) -> None:
    """The API server that keeps the Lease is away for everybody: its absence has to be told all the same."""
    async with a_replica(database) as replica:
        replica.lock.held()
        await eventually(replica.leads)
        replica.lock.lost()
        replica.outbox.put([an_event("api-server-is-away")])
        assert await replica.outbox.flush(60)
        assert replica.leadership.epoch == 1
        replica.lock.held()
        replica.outbox.put([an_event("api-server-is-away", Change.RESOLVED)])
        assert await replica.outbox.flush(60)
        assert replica.leadership.epoch == 1

    assert [change for _, _, change in await stored(database)] == ["opened", "resolved"]


async def test_a_start_that_failed_for_want_of_the_database_is_repeated(database: Database) -> None:
    async with a_replica(database, "a") as replica:
        replica.failures = 1
        replica.lock.held()
        await eventually(replica.leads)
        assert replica.leadership.epoch == 2
        assert await replica.outbox.flush(60)
    assert await stored(database) == [(1, "a", "opened")]


class Candidate:
    """A replica that tries to hold the lock in the database."""

    def __init__(self, database: Database, name: str, *, ttl_seconds: float = 3600) -> None:
        lock = DatabaseLock(database, election, identity=name, ttl_seconds=ttl_seconds, renew_seconds=0.02)
        self.holds = False
        self.answers = 0
        self.running = asyncio.create_task(lock.run(lambda: self._note(True), lambda: self._note(False)))

    def _note(self, holds: bool) -> None:
        self.holds = holds
        self.answers += 1

    async def is_holder(self) -> bool:
        return self.holds

    async def is_none(self) -> bool:
        return not self.holds

    async def has_asked_again(self) -> bool:
        return self.answers > 2


async def test_the_lock_in_the_database_has_one_holder_and_is_given_back(database: Database) -> None:
    one = Candidate(database, "one")
    await eventually(one.is_holder)
    other = Candidate(database, "other")
    await eventually(other.has_asked_again)
    assert (one.holds, other.holds) == (True, False)

    await run_until_done(one.running)
    await eventually(other.is_holder)
    await run_until_done(other.running)


class Cut(Database):
    """The line to it may be cut: then nothing answers, and nothing ends."""

    cut = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        if self.cut:
            await asyncio.Event().wait()
        async with super().begin() as connection:
            yield connection


async def test_a_holder_that_nothing_answers_any_more_holds_it_no_longer_than_its_time(database: Database) -> None:
    line = Cut(database.target, DatabaseSettings())
    one = Candidate(line, "one", ttl_seconds=1)
    await eventually(one.is_holder)
    line.cut = True
    await eventually(one.is_none)

    other = Candidate(database, "other")
    await eventually(other.is_holder)
    line.cut = False
    for each in (one, other):
        await run_until_done(each.running)
    await line.close()


async def test_a_holder_that_vanished_is_succeeded_when_its_time_is_over(database: Database) -> None:
    expires = "UPDATE election SET holder = 'dead', expires_at = now() + make_interval(secs => :seconds)"
    await execute(database, expires, seconds=3600)
    heir = Candidate(database, "heir")
    await eventually(heir.has_asked_again)
    assert not heir.holds

    await execute(database, expires, seconds=-1)
    await eventually(heir.is_holder)
    await run_until_done(heir.running)


async def test_a_holder_keeps_the_lock_in_the_database_while_nobody_took_it(database: Database) -> None:
    one = Candidate(database, "one")
    await eventually(one.is_holder)
    await execute(database, "UPDATE election SET expires_at = now() - interval '1 hour'")

    async def renewed() -> bool:
        return bool(await scalar(database, "SELECT expires_at > now() FROM election"))

    await eventually(renewed)
    assert one.holds
    await run_until_done(one.running)

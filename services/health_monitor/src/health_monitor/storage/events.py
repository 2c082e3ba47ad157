"""Reading the stream of events: after a cursor, by id, and the timeline of one object.

Every replica reads from the database, so it matters to no consumer which one answers.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts import Change, EventData, HealthEvent, ObjectKey, Severity
from common.database.connections import Database
from common.database.errors import DatabaseError
from health_monitor.storage.envelope import enveloped
from health_monitor.storage.models import event, stream

logger = logging.getLogger(__name__)

# A rare filter over a long stream: so much is looked through per page, and the consumer asks on from there.
_SCAN = 20_000
# How often a replica that does not write itself looks for what was written.
_POLL_SECONDS = 0.5
_TAIL_AT_ONCE = 1000


class ExpiredReason(StrEnum):
    """Why one cannot read on from a cursor."""

    TOO_OLD = "too-old"  # events after it have been deleted
    AHEAD = "ahead"  # the stream has not come so far: another database, or one restored from a backup


class Expired(Exception):
    """The consumer has missed events: read the open findings, then go on from `head` (or from `oldest`)."""

    def __init__(self, reason: ExpiredReason, *, oldest: int, head: int) -> None:
        what = "is older than the events that are kept" if reason is ExpiredReason.TOO_OLD else "is ahead of the stream"
        super().__init__(
            f"the cursor {what} ({oldest} to {head}); read /api/v1/findings for what is open now, "
            f"then read events after {head}"
        )
        self.reason = reason
        self.oldest = oldest
        self.head = head


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; an empty set or None lets everything through."""

    codes: frozenset[str] = frozenset()
    min_severity: Severity | None = None
    kinds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    changes: frozenset[Change] = frozenset()


EVERYTHING = EventFilter()


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of their cursors. Read on after `next_cursor`, also when the page is empty."""

    events: list[HealthEvent]
    next_cursor: int
    head: int  # cursor of the newest event
    more: bool  # whether events after `next_cursor` exist already


@dataclass(frozen=True, slots=True)
class Bounds:
    """Events are kept from just after `floor` up to `head`."""

    floor: int
    head: int

    def start(self, after: int | None) -> int:
        """Where to read from. Raises Expired."""
        if after is None:
            return self.floor
        if after < self.floor:
            raise Expired(ExpiredReason.TOO_OLD, oldest=self.floor, head=self.head)
        if after > self.head:
            raise Expired(ExpiredReason.AHEAD, oldest=self.floor, head=self.head)
        return after


class EventLog:
    """The stored events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news = asyncio.Event()

    async def read(
        self, after: int | None = None, *, where: EventFilter = EVERYTHING, limit: int = 100, wait_seconds: float = 0
    ) -> EventPage:
        """Up to `limit` events after a cursor; None reads from the oldest that is kept.

        When there is nothing yet it waits up to `wait_seconds`, woken by a running Tail. Raises Expired and
        DatabaseError.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        while True:
            news = self._news
            page = await self._page(after, where, limit)
            left = deadline - loop.time()
            if page.events or left <= 0:
                return page
            after = page.next_cursor
            if not page.more:
                await _waited(news, left)

    async def get(self, event_id: UUID) -> HealthEvent | None:
        """The event of an id; None when there is none, or none any more."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(event).where(event.c.id == event_id))).first()
        return None if row is None else health_event(row)

    async def timeline(self, key: ObjectKey, *, before: int | None = None, limit: int = 50) -> list[HealthEvent]:
        """What was told about one object, newest first; `before` is the cursor to read on from."""
        statement = select(event).where(
            event.c.kind == key.kind, event.c.namespace == key.namespace, event.c.name == key.name
        )
        if before is not None:
            statement = statement.where(event.c.cursor < before)
        async with self._database.begin() as connection:
            found = await connection.execute(statement.order_by(event.c.cursor.desc()).limit(limit))
            return [health_event(row) for row in found]

    async def bounds(self) -> Bounds:
        """What is kept. Raises DatabaseError."""
        async with self._database.begin() as connection:
            return await _bounds(connection)

    def announce(self) -> None:
        """Wake the readers that wait: something was stored."""
        self._news.set()
        self._news = asyncio.Event()

    async def _page(self, after: int | None, where: EventFilter, limit: int) -> EventPage:
        async with self._database.begin() as connection:
            bounds = await _bounds(connection)
            start = bounds.start(after)
            end = min(bounds.head, start + _SCAN)
            statement = select(event).where(event.c.cursor > start, event.c.cursor <= end, *_conditions(where))
            found = await connection.execute(statement.order_by(event.c.cursor).limit(limit))
            events = [health_event(row) for row in found]
            # Had old events been dropped between the two, their absence would go unnoticed.
            (await _bounds(connection)).start(start)
        last = events[-1].cursor if len(events) == limit else end
        return EventPage(events, last, bounds.head, last < bounds.head)


async def _waited(news: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()


class Tail:
    """Hands on every stored event once and in order, on the replica that stores them and on those that do not.

    The leader gives it what it has stored; what it is not given it finds in the database, twice a second.
    """

    def __init__(self, log: EventLog, on_events: Callable[[Sequence[HealthEvent]], None]) -> None:
        self._log = log
        self._on_events = on_events
        self._cursor: int | None = None  # of the last event handed on; None until the stream's end was read

    def stored(self, events: Sequence[HealthEvent]) -> None:
        """Hand on events that this process has stored. Never waits."""
        if self._cursor is None:
            return
        news = [event for event in events if event.cursor > self._cursor]
        if news and news[0].cursor == self._cursor + 1:
            self._cursor = news[-1].cursor
            self._on_events(news)
            self._log.announce()

    async def run(self) -> None:
        """Hand on until cancelled; events from before the start are not handed on."""
        while True:
            try:
                await self.catch_up()
            except DatabaseError as error:
                logger.debug("cannot look for new events: %s", error)
            await asyncio.sleep(_POLL_SECONDS)

    async def catch_up(self) -> None:
        """Hand on what is in the database. Raises DatabaseError."""
        before = self._cursor
        head = (await self._log.bounds()).head
        # The second: the database was put back to a backup. What was stored while it was asked is no sign of that.
        if self._cursor is None or (before is not None and before > head):
            self._cursor = head
        while self._cursor < head:
            try:
                page = await self._log.read(self._cursor, limit=_TAIL_AT_ONCE)
            except Expired as expired:
                if expired.reason is ExpiredReason.AHEAD:
                    return  # put back just now, which the next look finds
                self._cursor = max(self._cursor, expired.oldest)
                continue
            self.stored(page.events)
            self._cursor = max(self._cursor, page.next_cursor)


def health_event(row: Row[Any]) -> HealthEvent:
    """The event of a row of its table."""
    data = EventData.model_validate_json(row.data)
    return enveloped(data, event_id=row.id, cursor=row.cursor, source=row.source)


async def _bounds(connection: AsyncConnection) -> Bounds:
    row = (await connection.execute(select(stream.c.floor, stream.c.cursor))).one()
    return Bounds(row.floor, row.cursor)


def _conditions(where: EventFilter) -> list[ColumnElement[bool]]:
    lists = (
        (event.c.code, where.codes),
        (event.c.kind, where.kinds),
        (event.c.namespace, where.namespaces),
        (event.c.change, where.changes),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(allowed) for column, allowed in lists if allowed]
    if where.min_severity is not None:
        conditions.append(event.c.severity_rank >= where.min_severity.rank)
    return conditions

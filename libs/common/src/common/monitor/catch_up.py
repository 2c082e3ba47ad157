"""Reads health_monitor's events after the last one known, so that nothing that a webhook lost stays lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from common.clock import Clock
from common.contracts import HealthEvent
from common.database.errors import DatabaseError
from common.logs import Complaint
from common.monitor.client import CursorExpired, Listing, MonitorClient, MonitorUnavailable

logger = logging.getLogger(__name__)

WAIT_SECONDS = 20.0  # how long health_monitor keeps a question open until there is something to tell
RECONCILE_SECONDS = 600.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_IDLE_SECONDS = 1.0  # between questions when there was nothing to tell, though somebody drops our `wait`


class NotTaken(Exception):
    """There is no room for events now; they are read again in a moment."""


class EventStore(Protocol):
    """What keeps the events, and the place up to which they were read. All raise DatabaseError, `receive` NotTaken."""

    async def receive(self, events: Sequence[HealthEvent], now: datetime, *, read_up_to: int | None = None) -> object:
        """Store what is new. `read_up_to`: the cursor up to which nothing was missed."""
        ...

    async def read_up_to(self) -> tuple[int, datetime | None]:
        """That cursor, and when it was last confirmed; None: never."""
        ...

    async def set_back(self, head: int, now: datetime) -> None:
        """The stream has begun anew and ends at `head`."""
        ...


class CatchUp:
    """Runs while this replica leads. What it reads is stored, like webhooks.

    The full list of findings is read at the start, after a gap, after a storm (which is told as one event), and now
    and then; `on_listing` takes it. `on_set_back` hears of a stream that has begun anew, and of its head.
    """

    def __init__(
        self,
        monitor: MonitorClient,
        events: EventStore,
        clock: Clock,
        *,
        on_listing: Callable[[Listing], Awaitable[None] | None],
        on_set_back: Callable[[int], None],
    ) -> None:
        self._monitor = monitor
        self._events = events
        self._clock = clock
        self._on_listing = on_listing
        self._on_set_back = on_set_back
        self._listed_at: float | None = None  # by the stopwatch
        self._complaint = Complaint(logger, clock)
        self.heard_at: datetime | None = None  # last answer of health_monitor
        self.reason = "health_monitor has not been asked yet"  # why nothing is heard; empty when it is

    async def trouble(self) -> str | None:
        """For a probe."""
        return self.reason or None

    async def run(self) -> None:
        """Until cancelled, whatever happens to health_monitor and the database."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            asked_at = self._clock.monotonic()
            try:
                told = await self._step()
            except (MonitorUnavailable, CursorExpired, NotTaken, DatabaseError) as error:
                self.reason = str(error)
                self._complaint.warn(f"events cannot be read: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            self._complaint.over()
            self.reason = ""
            pause = _FIRST_PAUSE_SECONDS
            if not told:
                await asyncio.sleep(max(0.0, asked_at + _IDLE_SECONDS - self._clock.monotonic()))

    async def _step(self) -> bool:
        """Whether there was something to tell, so that more may come at once."""
        cursor, heard_at = await self._events.read_up_to()
        if heard_at is None:  # the past before the first start is no business of ours: what is wrong now is
            cursor = await self._list(before=0)
        elif self._listed_at is None or self._clock.monotonic() - self._listed_at >= RECONCILE_SECONDS:
            await self._list()
        try:
            page = await self._monitor.events(cursor, wait_seconds=WAIT_SECONDS)
        except CursorExpired as error:
            await self._list(before=cursor)
            raise CursorExpired(
                f"events after cursor {cursor} are gone, so the full list of findings was read: {error}"
            ) from error
        self.heard_at = self._clock.now()
        await self._events.receive(page.events, self.heard_at, read_up_to=page.next_cursor)
        if any(event.data.storm for event in page.events):
            await self._list()
        return bool(page.events)

    async def _list(self, *, before: int | None = None) -> int:
        """`before`: the cursor up to which was read, when events are to be read on from the head of the list."""
        listing = await self._monitor.listing()
        self.heard_at = self._clock.now()
        if before is not None and listing.head < before:
            await self._events.set_back(listing.head, self.heard_at)
            self._on_set_back(listing.head)
        elif before is not None:
            await self._events.receive((), self.heard_at, read_up_to=listing.head)
        if (taking := self._on_listing(listing)) is not None:
            await taking
        self._listed_at = self._clock.monotonic()
        self.reason = ""  # the question for events may stay open for long when there is nothing to tell
        return listing.head

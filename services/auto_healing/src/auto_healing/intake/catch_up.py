"""Reads health_monitor's events after the last one known, so that nothing that a webhook lost stays lost."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from auto_healing.intake.monitor import CursorExpired, Listing, MonitorClient, MonitorUnavailable
from auto_healing.storage.inbox import Inbox
from common.clock import Clock
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

WAIT_SECONDS = 20.0  # how long health_monitor keeps a question open until there is something to tell
RECONCILE_EVERY = timedelta(minutes=10)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0


class CatchUp:
    """Runs while this replica leads. What it reads goes through the inbox, like webhooks.

    The full list of findings is read at the start, after a gap, after a storm (which is told as one event), and now
    and then; `on_listing` takes it.
    """

    def __init__(
        self, monitor: MonitorClient, inbox: Inbox, clock: Clock, *, on_listing: Callable[[Listing], None]
    ) -> None:
        self._monitor = monitor
        self._inbox = inbox
        self._clock = clock
        self._on_listing = on_listing
        self._listed_at: datetime | None = None
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
            try:
                await self._step()
            except (MonitorUnavailable, CursorExpired, DatabaseError) as error:
                self.reason = str(error)
                self._complaint.warn(f"events cannot be read: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                self._complaint.over()
                self.reason = ""
                pause = _FIRST_PAUSE_SECONDS

    async def _step(self) -> None:
        now = self._clock.now()
        cursor, heard_at = await self._inbox.read_up_to()
        if heard_at is None:  # the past before the first start is no business of ours: what is wrong now is
            cursor = await self._list(now)
        elif self._listed_at is None or now - self._listed_at >= RECONCILE_EVERY:
            await self._list(now, read_up_to=False)
        try:
            page = await self._monitor.events(cursor, wait_seconds=WAIT_SECONDS)
        except CursorExpired:
            logger.warning("events after cursor %d are gone: the full list of findings is read instead", cursor)
            await self._list(now)
            return
        self.heard_at = self._clock.now()
        await self._inbox.receive(page.events, self.heard_at, read_up_to=page.next_cursor)
        if any(event.data.storm for event in page.events):
            await self._list(self.heard_at, read_up_to=False)

    async def _list(self, now: datetime, *, read_up_to: bool = True) -> int:
        listing = await self._monitor.listing()
        self.heard_at = self._clock.now()
        if read_up_to:
            await self._inbox.receive((), now, read_up_to=listing.head)
        self._on_listing(listing)
        self._listed_at = now
        return listing.head

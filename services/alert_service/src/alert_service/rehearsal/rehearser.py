"""Rehearses when somebody asks for it, and on the policy's schedule, and keeps the reports."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from alert_service.policy.settings import AlertPolicy
from alert_service.policy.trials import RehearsalPart
from alert_service.rehearsal.playing import Rehearsal, Script
from alert_service.rehearsal.report import Report
from alert_service.storage.rehearsals import RehearsalKind, Rehearsals
from common.clock import Clock
from common.database.errors import DatabaseError
from common.logs import Complaint
from common.schedule import Schedule

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class Busy(Exception):
    """One is being played by this replica already."""


class Rehearser:
    """`rehearsal()` makes one of the channels and the policy as they are now."""

    def __init__(
        self,
        rehearsal: Callable[[], Rehearsal],
        rehearsals: Rehearsals,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
    ) -> None:
        self._rehearsal = rehearsal
        self._rehearsals = rehearsals
        self._clock = clock
        self._policy = policy
        self._playing: asyncio.Task[Report] | None = None
        self._complaint = Complaint(logger, clock)
        self.next_at: datetime | None = None  # on schedule, while `run` does

    async def begin(self, script: Script) -> UUID:
        """Its id, under which the report will be kept. Raises Busy and DatabaseError."""
        if self._playing is not None and not self._playing.done():
            raise Busy("a rehearsal is being played already; wait for its end")
        made = await self._rehearsals.begin(RehearsalKind.REHEARSAL, self._clock.now())
        self._playing = asyncio.create_task(self._play(made, script))
        return made

    async def run(self) -> None:
        """On schedule, until cancelled."""
        planned: RehearsalPart | None = None
        while True:
            part, now = self._policy().rehearsal, self._clock.now()
            if part != planned:
                planned, self.next_at = part, _next(part, now)
            if self.next_at is not None and now >= self.next_at:
                self.next_at = _next(part, now)
                await self._scheduled(part)
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        """Breaks off what is being played."""
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)

    async def _scheduled(self, part: RehearsalPart) -> None:
        channels = part.channels or list(self._policy().channels)
        try:
            await self.begin(Script(channels=channels, escalations=part.escalations))
            self._complaint.over()
        except (Busy, DatabaseError) as error:
            self._complaint.warn(f"the rehearsal on schedule was left out: {error}")

    async def _play(self, made: UUID, script: Script) -> Report:
        report = await self._rehearsal().play(script)
        for each in report.failed:
            logger.warning("rehearsal %s: %s on channel %s failed: %s", made, each.what, each.channel, each.detail)
        logger.info("rehearsal %s ended with %d of %d failed", made, len(report.failed), len(report.steps))
        try:
            await self._rehearsals.end(made, at=report.ended_at, passed=report.passed, report=report.to_json())
        except DatabaseError as error:
            logger.warning("the report of rehearsal %s is not kept: %s", made, error)
        return report


def _next(part: RehearsalPart, now: datetime) -> datetime | None:
    return None if part.cron is None else Schedule(part.cron, part.zone).next_after(now)

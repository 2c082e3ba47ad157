"""Tells alert_service what the ledger says, in its order, at least once: it reads on from a place that is stored."""

import asyncio
import logging
from collections.abc import Sequence

from auto_healing.alert_service import AlertService, AlertServiceUnavailable
from auto_healing.metrics import Metrics
from auto_healing.notices import notice_of
from auto_healing.storage.notified import Notified
from common.clock import Clock
from common.contracts import Notice
from common.database.errors import DatabaseError
from common.logs import Complaint

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_PAGE = 100
_AT_ONCE = 8  # a storm brings thousands of refusals


class Notifier:
    """Runs while this replica leads. What was written before it was first set up is the past, and not told."""

    def __init__(
        self,
        alerts: AlertService,
        notified: Notified,
        *,
        cluster: str,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._alerts = alerts
        self._notified = notified
        self._cluster = cluster
        self._metrics = metrics
        self._complaint = Complaint(logger, clock)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.reason = ""  # why nothing is told; empty when it is

    async def trouble(self) -> str | None:
        """For a probe."""
        return self.reason or None

    async def run(self, epoch: int) -> None:
        """Until cancelled, whatever happens to alert_service and the database. Raises Deposed."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                more = await self.step(epoch)
            except (AlertServiceUnavailable, DatabaseError) as error:
                self.reason = f"people are not told what healing does: {error}"
                self._complaint.warn(self.reason)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            self._complaint.over()
            self.reason = ""
            pause = _FIRST_PAUSE_SECONDS
            if not more:
                await asyncio.sleep(_POLL_SECONDS)

    async def step(self, epoch: int) -> bool:
        """One page of the ledger; whether there was one. Raises AlertServiceUnavailable, DatabaseError, Deposed."""
        told, newest = await self._notified.place()
        if told is None:
            await self._notified.told(newest, epoch=epoch)
            return False
        self._metrics.notices_waiting.set(max(newest - told, 0))
        page = await self._notified.after(told, _PAGE) if newest > told else []
        if not page:
            return False
        made = (notice_of(entry, run, cluster=self._cluster) for entry, run in page)
        await self._tell([notice for notice in made if notice is not None])
        await self._notified.told(page[-1][0].seq, epoch=epoch)
        return True

    async def _tell(self, notices: Sequence[Notice]) -> None:
        """Those about one subject in their order; what fails leaves the whole page to be told again."""
        by_subject: dict[object, list[Notice]] = {}
        for notice in notices:
            by_subject.setdefault(notice.subject.key, []).append(notice)
        done = await asyncio.gather(*map(self._in_turn, by_subject.values()), return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each

    async def _in_turn(self, notices: Sequence[Notice]) -> None:
        async with self._turns:
            for notice in notices:
                refused = await self._alerts.tell(notice)
                self._metrics.notices.labels(notice.kind, "refused" if refused else "told").inc()
                if refused:
                    logger.error("a notice is left out: %s", refused)

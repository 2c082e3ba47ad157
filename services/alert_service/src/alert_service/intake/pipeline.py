"""Works off what came in, in its order: each batch takes effect in one transaction, or not at all.

An entry that cannot be read is put aside with the reason; one bad entry holds up nobody.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from alert_service.incidents.settling import Settling
from alert_service.intake.batch import LONGEST_ERROR, Batch, Worked
from alert_service.intake.heartbeat import Heartbeats
from alert_service.policy import AlertPolicy
from alert_service.storage import heartbeats
from alert_service.storage import inbox as entries
from alert_service.storage.inbox import Inbox
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import Contended, DatabaseError, DatabaseUnavailable, StatementTimeout, ValueRejected
from common.logs import Complaint

logger = logging.getLogger(__name__)

_BATCH = 200
_POLL_SECONDS = 1.0  # for what other replicas have stored
_AGAIN_SECONDS = 1.0
# What is no fault of the entries: they are worked off another time.
_PASSES = (DatabaseUnavailable, Contended)


class Pipeline:
    """`on_worked` is told of each batch once it is committed."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        settling: Settling,
        clock: Clock,
        *,
        policy: Callable[[], AlertPolicy],
        on_worked: Callable[[Worked], None],
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._settling = settling
        self._clock = clock
        self._policy = policy
        self._on_worked = on_worked
        self._complaint = Complaint(logger, clock)
        self._heartbeats: tuple[AlertPolicy, Heartbeats] | None = None

    async def run(self) -> None:
        """Until cancelled. The database that goes away is waited for."""
        self._settling.begin()
        while True:
            self._inbox.arrived.clear()
            try:
                while await self.work():
                    self._complaint.over()
            except DatabaseError as error:
                self._complaint.warn(f"what came in waits for the database: {error}")
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._inbox.arrived.wait()
            except TimeoutError:
                pass

    async def work(self) -> int:
        """One batch; how many entries it had. Raises DatabaseError."""
        try:
            return (await self._together(_BATCH)).entries
        except _PASSES:
            raise
        except Exception as error:
            logger.warning("a batch failed, and is tried entry by entry: %s: %s", type(error).__name__, error)
            return await self._one_by_one()

    async def _one_by_one(self) -> int:
        """What fails by itself too is put aside, if anything else goes through: else the fault is not in the entries,
        and none of them may be lost for it."""
        async with self._database.begin() as connection:
            waiting = await entries.waiting_ids(connection, _BATCH)
        failed: dict[int, Exception] = {}
        effect = False
        for number in waiting:
            try:
                effect |= not (await self._together(1, only=number)).unreadable
            except (*_PASSES, StatementTimeout):
                raise
            except Exception as error:
                failed[number] = error
        unclear = [each for each in failed.values() if not isinstance(each, ValueRejected)]
        if unclear and not effect:
            raise unclear[0]
        for number, why in failed.items():
            await self._put_aside(number, why)
        return len(waiting)

    async def _put_aside(self, number: int, error: Exception) -> None:
        logger.error("entry %d cannot take effect, and is put aside", number, exc_info=error)
        why = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
        async with self._database.begin() as connection:
            source = await entries.done(connection, [number], self._clock.now(), error=why)
        self._on_worked(Worked(unreadable=source))

    async def _together(self, limit: int, *, only: int | None = None) -> Worked:
        now = self._clock.now()
        try:
            return await self._at(now, limit, only)
        except BaseException:
            self._settling.forget(now)
            raise

    async def _at(self, now: datetime, limit: int, only: int | None) -> Worked:
        policy = self._policy()
        async with self._database.begin() as connection:
            taken = await entries.take(connection, limit, only=only)
            if not taken:
                return Worked()
            batch = Batch(connection, policy, now, heartbeats=self._heartbeats_of(policy))
            await batch.take(taken)
            batch.worked.settled = await self._settling.store(connection, batch.dues(), now)
            await heartbeats.heard(connection, batch.beats)
            bad = {each.id for each, _ in batch.bad}
            await entries.done(connection, [each.id for each in taken if each.id not in bad], now)
            for each, why in batch.bad:
                await entries.done(connection, [each.id], now, error=why)
        for each, why in batch.bad:
            logger.warning("entry %d of %s took no effect: %s", each.id, each.source, why)
        batch.worked.entries = len(taken)
        self._on_worked(batch.worked)
        return batch.worked

    def _heartbeats_of(self, policy: AlertPolicy) -> Heartbeats:
        if self._heartbeats is None or self._heartbeats[0] is not policy:
            self._heartbeats = (policy, Heartbeats(policy))
        return self._heartbeats[1]

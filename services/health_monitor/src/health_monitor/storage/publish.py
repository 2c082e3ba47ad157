"""The outbox: takes what the engine tells, at once and without waiting, and stores it in order.

Events are written as soon as nothing else is being written, together with all that came meanwhile (group commit).
Nothing is published before it is stored.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.clock import Clock
from common.contracts import EventData, HealthEvent, ObjectKey
from common.database.connections import Database
from common.database.errors import ConstraintViolated, ValueRejected
from health_monitor.storage.buffer import Batch, Buffer, DropReason
from health_monitor.storage.partitions import Partition, Partitioned, create
from health_monitor.storage.writer import Deposed, Stored, store

logger = logging.getLogger(__name__)

# Large enough for the throughput of long transactions, small enough that the next event does not wait for long.
_EVENTS_AT_ONCE = 1000
_SCORES_AT_ONCE = 500
# Nobody waits for a score's history, and most scores change again within the second.
_SCORE_DELAY_SECONDS = 1.0
# A server that does not answer for so long is taken for gone; the batch is repeated on another connection.
_WRITE_SECONDS = 30.0
# About the entry, not about the server: PostgreSQL, or JSON, cannot hold it.
_REFUSED = (ValueRejected, ConstraintViolated, ValueError, TypeError)
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class ScoreChange(Protocol):
    """An object's new score; None when the object is gone."""

    @property
    def key(self) -> ObjectKey: ...
    @property
    def score(self) -> float | None: ...
    @property
    def at(self) -> datetime: ...


class Outbox:
    """Buffers for one event loop and writes to one database. Call everything but `run` and `flush` at any time.

    `on_stored` gets the stored events in the order of their cursors; `on_queued` the subscriptions that have something
    to deliver, None for "perhaps any"; `on_deposed` the epoch that is over. A callback must not raise.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        source: str,
        capacity: int = 100_000,
        on_stored: Callable[[Sequence[HealthEvent]], None] = lambda events: None,
        on_queued: Callable[[Collection[UUID] | None], None] = lambda subscriptions: None,
        on_deposed: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._source = source
        self._buffer = Buffer(capacity)
        self._on_stored = on_stored
        self._on_queued = on_queued
        self._on_deposed = on_deposed
        self._epoch: int | None = None
        self._batch: Batch | None = None  # being written, or to be repeated
        self._later: list[Batch] = []  # the other parts of a refused batch
        self._partitions: set[Partition] = set()
        self._sure_of_partitions = False  # whether they were made once more for a refused batch
        self._ripening = self._ripe = False  # scores, which wait a little
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.stored_events = 0
        self.unavailable_since: datetime | None = None

    @property
    def depth(self) -> int:
        """Events that wait to be stored, those being written included."""
        written = [self._batch, *self._later] if self._batch is not None else self._later
        return self._buffer.events + sum(len(batch.entries) for batch in written)

    @property
    def capacity(self) -> int:
        return self._buffer.capacity

    @property
    def fill(self) -> float:
        """How full the buffer is, 0 to 1."""
        return min(1.0, self.depth / self.capacity)

    @property
    def dropped(self) -> Mapping[DropReason, int]:
        return self._buffer.dropped

    def lead(self, epoch: int) -> None:
        """Publish from now on, as the leader of that epoch."""
        self._forget()
        self._epoch = epoch

    def follow(self) -> None:
        """Publish nothing. What waits is dropped: the next leader tells how the cluster differs from what was told."""
        self._forget()
        self._epoch = self.unavailable_since = None

    def put(self, events: Sequence[EventData], scores: Sequence[ScoreChange] = ()) -> None:
        """Take over what is to be stored. Never waits and never fails; does nothing on a replica that does not lead."""
        if self._epoch is None or not (events or scores):
            return
        self._buffer.add_events(events)
        for change in scores:
            self._buffer.add_score(change.key, change.score, change.at)
        self._idle.clear()
        if self._buffer.events:
            self._work.set()
        elif not self._ripening:
            self._ripening = True
            asyncio.get_running_loop().call_later(_SCORE_DELAY_SECONDS, self._ripen)

    def _ripen(self) -> None:
        """Scores have waited long enough for an event to go with."""
        self._ripening = False
        self._ripe = self._buffer.scores > 0
        self._work.set()

    async def flush(self, seconds: float) -> bool:
        """Store everything without delay; whether that was done within `seconds`."""
        self._ripe = True
        self._work.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        return self._idle.is_set()

    async def run(self) -> None:
        """Write until cancelled. Without a database it goes on trying, with pauses of up to 5 s."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._work.wait()
            if await self._write_next():
                pause = _FIRST_PAUSE_SECONDS
            else:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _write_next(self) -> bool:
        """Write one batch; False when it has to be repeated after a pause."""
        batch = self._batch or self._next_batch()
        if batch is None:
            return True
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                stored = await self._store(batch)
        except Deposed as deposed:
            self._give_up(batch, deposed)
        except _REFUSED as error:
            return self._refused(batch, error)
        except Exception as error:  # whatever it is, nothing may be lost for it
            self._note_unavailable(error)
            return False
        else:
            self._done(batch, stored)
        return True

    def _next_batch(self) -> Batch | None:
        if self._later:
            self._batch = self._later.pop(0)
        elif self._epoch is not None and (self._buffer.events or (self._ripe and self._buffer.scores)):
            self._batch = self._buffer.take(
                self._epoch, self._clock.now(), events=_EVENTS_AT_ONCE, scores=_SCORES_AT_ONCE
            )
            self._ripe = self._buffer.scores > 0
            self._sure_of_partitions = False
        else:
            self._work.clear()
            if not self._buffer.scores:
                self._idle.set()
        return self._batch

    async def _store(self, batch: Batch) -> Stored:
        needed = {Partition.holding(Partitioned.SCORE, point.at) for point in batch.scores}
        if batch.entries:
            months = (Partitioned.EVENT, Partitioned.DELIVERY)
            needed |= {Partition.holding(table, batch.recorded_at) for table in months}
        if missing := needed - self._partitions:
            async with self._database.begin() as connection:
                await create(connection, sorted(missing))
            self._partitions |= missing
        async with self._database.begin() as connection:
            return await store(connection, batch, self._source)

    def _done(self, batch: Batch, stored: Stored) -> None:
        if self.unavailable_since is not None:
            logger.info("events are stored again", extra={"waiting": self.depth})
        self.unavailable_since = None
        self.stored_events += len(stored.events)
        if self._batch is batch:  # a change of leaders may have come between
            self._batch = None
        if stored.events:
            self._on_stored(stored.events)
        if stored.subscriptions is None or stored.subscriptions:
            self._on_queued(stored.subscriptions)

    def _note_unavailable(self, error: Exception) -> None:
        if self.unavailable_since is None:
            self.unavailable_since = self._clock.now()
            reason = str(error) or type(error).__name__
            logger.warning("events cannot be stored, they wait", extra={"reason": reason, "waiting": self.depth})

    def _refused(self, batch: Batch, error: Exception) -> bool:
        """PostgreSQL took offence at a value, or a partition is gone: find the entry, and store all others."""
        if self._batch is not batch:
            return True
        if not self._sure_of_partitions:
            self._sure_of_partitions = True
            self._partitions.clear()
            return True
        halves = batch.halves()
        if halves:
            self._batch, *self._later = *halves, *self._later
            return True
        self._batch = None
        self._buffer.dropped[DropReason.REJECTED] += 1
        logger.error("an event or a score cannot be stored and is dropped", exc_info=error)
        return True

    def _give_up(self, batch: Batch, deposed: Deposed) -> None:
        logger.warning("another replica leads: %s", deposed)
        if self._epoch == batch.epoch:
            self.follow()
            self._on_deposed(batch.epoch)

    def _forget(self) -> None:
        self._buffer.clear()
        self._batch = None
        self._later.clear()
        self._work.set()  # to find that there is nothing left

"""Keeps the tables small: partitions made ahead, old events dropped, old scores thinned. Run by the leader.

Scores are kept in full for a day, then the last and the lowest of each minute for a week, then of each hour for a
month. A day's partition is rewritten as a whole, so nothing is left to vacuum.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError
from health_monitor.storage.models import SCHEMA
from health_monitor.storage.partitions import Partition, Partitioned, create, existing, take_turn

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_DAY = timedelta(days=1)
# Ahead by so much, a leader that is away for a while leaves no work to the writer.
_DAYS_AHEAD = 3
# Everything that reads the table queues up behind us while we wait for a lock.
_LOCK_TIMEOUT = "2s"
_SCORES_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Thinning:
    """From the age of `after` on, one row is kept for each `unit` (of PostgreSQL's date_trunc) and object."""

    after: timedelta
    unit: str


THINNINGS = (Thinning(timedelta(days=7), "hour"), Thinning(timedelta(days=1), "minute"))


def thinning_for(partition: Partition, now: datetime) -> Thinning | None:
    """How a day of scores is to be thinned, seen from its newest row; None while it is kept in full."""
    age = now - partition.ends_at
    return next((each for each in THINNINGS if age >= each.after), None)


class Retention:
    """Does in one pass all that is due; a pass that fails is made good by the next."""

    def __init__(self, database: Database, clock: Clock, *, event_days: int = 90) -> None:
        self._database = database
        self._clock = clock
        self._events_kept = timedelta(days=event_days)

    async def run(self) -> None:
        """One pass an hour until cancelled."""
        while True:
            try:
                await self.once(self._clock.now())
            except DatabaseError as error:
                logger.warning("old rows could not be removed, the next try is in an hour: %s", error)
            await asyncio.sleep(_EVERY_SECONDS)

    async def once(self, now: datetime) -> None:
        """Make partitions ahead, thin and drop. Each partition is done in a transaction of its own."""
        async with self._database.begin() as connection:
            await create(connection, _ahead(now))
        for table in (Partitioned.EVENT, Partitioned.DELIVERY):
            for each in await self._partitions(table):
                if each.ends_at <= now - self._events_kept:
                    await self._drop(each)
        for each in await self._partitions(Partitioned.SCORE):
            if each.ends_at <= now - _SCORES_KEPT:
                await self._drop(each)
            elif (thinning := thinning_for(each, now)) is not None:
                await self._thin(each, thinning)

    async def _partitions(self, table: Partitioned) -> list[Partition]:
        async with self._database.begin() as connection:
            return await existing(connection, table)

    async def _drop(self, partition: Partition) -> None:
        async with self._exclusive() as connection:
            if partition.table is Partitioned.EVENT:
                await _raise_floor(connection, partition)
            elif partition.table is Partitioned.SCORE:
                await _carry_on(connection, partition)
            await connection.execute(text(f"DROP TABLE IF EXISTS {partition.qualified}"))
        logger.info("dropped %s", partition.name)

    async def _thin(self, partition: Partition, thinning: Thinning) -> None:
        async with self._exclusive() as connection:
            if await _comment(connection, partition) == thinning.unit:
                return
            await connection.execute(text(_THINNED.format(partition=partition.qualified)), {"unit": thinning.unit})
            await connection.execute(text(f"TRUNCATE {partition.qualified}"))
            await connection.execute(text(f"INSERT INTO {partition.qualified} SELECT * FROM thinned"))  # noqa: S608
            await connection.execute(text(f"COMMENT ON TABLE {partition.qualified} IS '{thinning.unit}'"))
        logger.info("thinned %s to one score a %s", partition.name, thinning.unit)

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes partitions, alone, and that gives up soon when readers hold them."""
        async with self._database.begin() as connection:
            await take_turn(connection)
            await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
            yield connection


# The last row of each bucket, with the lowest value of them all. A bucket ends with its full minute or hour, as the
# steps of a reader do, who therefore reads the same as before.
_THINNED = """
CREATE TEMPORARY TABLE thinned ON COMMIT DROP AS
SELECT DISTINCT ON (kind, namespace, name, bucket) kind, namespace, name, at, value,
       min(low) OVER (PARTITION BY kind, namespace, name, bucket) AS low
FROM (SELECT *, date_trunc(:unit, at - interval '1 microsecond') AS bucket FROM {partition}) AS bucketed
ORDER BY kind, namespace, name, bucket, at DESC
"""

# What held at the end of the partition holds at the start of the next one.
_CARRIED = """
INSERT INTO {next} (kind, namespace, name, at, value, low)
SELECT kind, namespace, name, CAST(:at AS timestamptz), value, value
FROM (SELECT DISTINCT ON (kind, namespace, name) * FROM {partition} ORDER BY kind, namespace, name, at DESC) AS last
WHERE value IS NOT NULL
ON CONFLICT DO NOTHING
"""


def _ahead(now: datetime) -> Iterable[Partition]:
    for table in (Partitioned.EVENT, Partitioned.DELIVERY):
        this_month = Partition.holding(table, now)
        yield from (this_month, Partition.holding(table, this_month.ends_at))
    yield from (Partition.holding(Partitioned.SCORE, now + days * _DAY) for days in range(_DAYS_AHEAD + 1))


async def _raise_floor(connection: AsyncConnection, partition: Partition) -> None:
    """Let readers know up to which cursor events are gone, before they are."""
    newest = f"(SELECT COALESCE(max(cursor), 0) FROM {partition.qualified})"  # noqa: S608
    await connection.execute(text(f"UPDATE {SCHEMA}.stream SET floor = GREATEST(floor, {newest})"))  # noqa: S608


async def _carry_on(connection: AsyncConnection, partition: Partition) -> None:
    """Objects whose score did not change since keep it: copy their last one to the next partition."""
    later = [each for each in await existing(connection, Partitioned.SCORE) if each.first >= partition.end]
    if later:
        carried = _CARRIED.format(partition=partition.qualified, next=later[0].qualified)
        await connection.execute(text(carried), {"at": later[0].starts_at})


async def _comment(connection: AsyncConnection, partition: Partition) -> str | None:
    """The unit to which a partition was thinned before."""
    found = await connection.scalar(
        text("SELECT obj_description(to_regclass(:name), 'pg_class')"), {"name": partition.qualified}
    )
    return None if found is None else str(found)

"""Keeps the tables small: what was decided about, is resolved or has ended goes after a while. Run by the leader."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Delete, Table, delete, or_, select

from auto_healing.storage.fence import Deposed, fenced
from auto_healing.storage.ledger import Entry, Ledger, append
from auto_healing.storage.models import change, finding, inbox, metadata, pause, run, shadow
from auto_healing.storage.rotation import LedgerBroken, Rotation, rotate
from common.clock import Clock
from common.database.connections import Database
from common.database.errors import DatabaseError

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_RUNS_AT_ONCE = 500
_OF_RUNS: tuple[Table, ...] = tuple(
    table for table in metadata.sorted_tables if any(key.column.table is run for key in table.foreign_keys)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """For how long. The ledger is kept for good unless `ledger` is set; `archive` is where it then goes first."""

    events: timedelta = timedelta(days=7)  # of the inbox, and resolved findings
    runs: timedelta = timedelta(days=90)  # with their evidence and manifests; what was observed, too
    ledger: timedelta | None = None
    archive: Path | None = None


class Retention:
    """Does in one pass all that is due; a pass that fails is made good by the next. `epoch` is that of the leader."""

    def __init__(self, database: Database, clock: Clock, kept: Kept, *, epoch: Callable[[], int | None]) -> None:
        self._database = database
        self._clock = clock
        self._kept = kept
        self._epoch = epoch

    async def run(self) -> None:
        """One pass an hour until cancelled."""
        while True:
            try:
                await self.once(self._clock.now())
            except Deposed as deposed:
                logger.info("old rows are left to another replica: %s", deposed)
            except (DatabaseError, OSError, LedgerBroken) as error:
                logger.warning("old rows could not be removed, the next try is in an hour: %s", error)
            await asyncio.sleep(_EVERY_SECONDS)

    async def once(self, now: datetime) -> None:
        """Table by table, and runs in parts. Raises Deposed, DatabaseError, OSError, LedgerBroken."""
        epoch = self._epoch()  # one for the whole pass: who is deposed in its midst gets no further
        await self._remove_outdated(now, epoch)
        runs = 0
        while gone := await self._remove_runs(now, epoch):
            runs += gone
        if runs:
            await self._tell(runs, now, epoch)
        if self._kept.ledger is not None:
            wanted = Rotation(before=now - self._kept.ledger, archive=self._kept.archive)
            await rotate(self._database, wanted, now=now, epoch=epoch)
        # In the logs, which are kept elsewhere, it proves later that nothing before it was touched since.
        head = await Ledger(self._database).head()
        logger.info("the ledger ends here", extra={"seq": head.seq, "hash": head.hash.hex()})

    async def _remove_outdated(self, now: datetime, epoch: int | None) -> None:
        for statement in self._outdated(now):
            async with fenced(self._database, epoch) as connection:
                await connection.execute(statement)

    def _outdated(self, now: datetime) -> tuple[Delete, ...]:
        told, seen = now - self._kept.events, now - self._kept.runs
        return (
            delete(inbox).where(inbox.c.decided_at.is_not(None), inbox.c.received_at < told),
            delete(finding).where(finding.c.resolved_at < told),
            delete(pause).where(pause.c.until < told),
            delete(shadow).where(or_(shadow.c.resolved_at < seen, shadow.c.given_up_at < seen)),
        )

    async def _remove_runs(self, now: datetime, epoch: int | None) -> int:
        """Some runs that ended long ago, with all that belongs to them; how many. A change still held keeps its run."""
        held = select(change.c.id).where(change.c.run_id == run.c.id, change.c.state == "held").exists()
        due = select(run.c.id).where(run.c.ended_at < now - self._kept.runs, ~held).limit(_RUNS_AT_ONCE)
        async with fenced(self._database, epoch) as connection:
            ids = list(await connection.scalars(due.with_for_update(skip_locked=True)))
            for table in _OF_RUNS:
                await connection.execute(delete(table).where(table.c.run_id.in_(ids)))
            await connection.execute(delete(run).where(run.c.id.in_(ids)))
        return len(ids)

    async def _tell(self, runs: int, now: datetime, epoch: int | None) -> None:
        days = self._kept.runs.days
        entry = Entry(
            event="runs-removed",
            at=now,
            actor="auto_healing",
            message=f"{runs} runs that ended more than {days} days ago were removed with their evidence and manifests",
            data={"runs": runs, "days": days},
        )
        async with fenced(self._database, epoch) as connection:
            await append(connection, [entry])

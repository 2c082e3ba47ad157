"""How far alert_service was told of the ledger. Entries become visible in their order, so a place in it is enough."""

from sqlalchemy import select, update

from auto_healing.run import Run
from auto_healing.storage.fence import fenced
from auto_healing.storage.ledger import Ledger, LedgerEntry
from auto_healing.storage.models import ledger_head, notified
from auto_healing.storage.run_reading import RunReader
from common.database.connections import Database


class Notified:
    """Read by whoever leads, and moved by it alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ledger = Ledger(database)
        self._runs = RunReader(database)

    async def place(self) -> tuple[int | None, int]:
        """The seq of the last entry that was told, None before the first, and that of the newest there is."""
        both = select(notified.c.seq, ledger_head.c.seq).join(ledger_head, ledger_head.c.id == notified.c.id)
        async with self._database.begin() as connection:
            told, newest = (await connection.execute(both)).one()
        return told, newest

    async def after(self, seq: int, limit: int) -> list[tuple[LedgerEntry, Run | None]]:
        """The entries that follow, each with its run as it stands by now."""
        entries = await self._ledger.after(seq, limit)
        runs = {run.id: run for run in await self._runs.many({each.run_id for each in entries if each.run_id})}
        return [(each, runs.get(each.run_id) if each.run_id else None) for each in entries]

    async def told(self, seq: int, *, epoch: int) -> None:
        """Everything up to that entry. Raises Deposed."""
        async with fenced(self._database, epoch) as connection:
            await connection.execute(update(notified).values(seq=seq))

"""The fence: whoever writes as a leader writes only while it leads, however late the write comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.storage.models import leader
from common.database.connections import Database

# Shared, so that writers of the same leader do not wait for one another; a new leader, who updates the row, waits for
# those that are under way, and then no other of the old one gets through.
_EPOCH = select(leader.c.epoch).with_for_update(read=True)


class Deposed(Exception):
    """Another replica has become the leader; nothing of the transaction was kept."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"epoch {epoch} is over: another replica leads")
        self.epoch = epoch


@asynccontextmanager
async def fenced(database: Database, epoch: int | None) -> AsyncIterator[AsyncConnection]:
    """A transaction of the leader of that epoch; `epoch` None is for what is not the leader's, such as a person's.

    Raises Deposed, and what `Database.begin` raises.
    """
    async with database.begin() as connection:
        if epoch is not None and await connection.scalar(_EPOCH) != epoch:
            raise Deposed(epoch)
        yield connection

"""auto_healing's tables on a PostgreSQL of the benchmark's own, of which this process is the leader."""

import contextlib
from collections.abc import AsyncIterator

from sqlalchemy import update

from auto_healing.storage.models import leader
from bench.postgres import temporary_postgres
from common.database.connections import Database
from common.database.engine import Target
from common.database.migrate import upgrade
from common.database.settings import DatabaseSettings
from common.database.work import WorkQueue

EPOCH = 1


@contextlib.asynccontextmanager
async def led_database() -> AsyncIterator[tuple[Database, WorkQueue]]:
    """Connected, in the epoch EPOCH."""
    async with temporary_postgres() as url:
        target = Target.of(url, schema="healing", service="bench")
        await upgrade(target, "auto_healing:migrations")
        database, queue = Database(target, DatabaseSettings()), WorkQueue(target, DatabaseSettings())
        await queue.open()
        try:
            async with database.begin() as connection:
                await connection.execute(update(leader).values(epoch=EPOCH))
            yield database, queue
        finally:
            await queue.close()
            await database.close()

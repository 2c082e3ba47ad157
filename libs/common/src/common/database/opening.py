"""Opens a service's database in the background: the service answers before it is there, and says why it is not."""

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from common.clock import Clock
from common.database.connections import Database
from common.database.embedded import EmbeddedFailed
from common.database.errors import DatabaseError
from common.database.migrate import MigrationFailed
from common.database.settings import DatabaseSettings
from common.database.source import DatabaseSource
from common.logs import Complaint

logger = logging.getLogger(__name__)

_AGAIN_SECONDS = 2.0
# The lock, the look at who leads, and what the leader writes: what readers must never hold up.
_LEADING_CONNECTIONS = 3

Opened = TypeVar("Opened")


class Opening(ABC, Generic[Opened]):
    """`opened` is what rests on the database, once it is there; until then `reason` says why it is not."""

    def __init__(self, settings: DatabaseSettings, clock: Clock, *, schema: str, service: str, scripts: str) -> None:
        """`schema` is the service's own, `scripts` its Alembic location."""
        self.opened: Opened | None = None
        self.reason = "the database is not open yet"
        self._pools = settings
        self._source = DatabaseSource(settings, schema=schema, service=service, scripts=scripts)
        self._complaint = Complaint(logger, clock)
        self._databases: tuple[Database, ...] = ()

    @abstractmethod
    async def _made(self, database: Database, leading: Database) -> Opened:
        """What rests on them; it waits for no answer of theirs. `leading` has connections for the leader alone."""

    async def open(self) -> Opened:
        """Start or find the database and bring its tables up to date, as often as it takes."""
        while self.opened is None:
            try:
                target = await self._source.ready()
            except (DatabaseError, EmbeddedFailed, MigrationFailed) as error:
                self.reason = f"the database cannot be opened: {error}"
                self._complaint.warn(f"{self.reason}; trying again")
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            leaders = self._pools.model_copy(update={"pool_size": _LEADING_CONNECTIONS})
            database, leading = self._databases = (Database(target, self._pools), Database(target, leaders))
            self.opened = await self._made(database, leading)
        self.reason = ""
        return self.opened

    async def trouble(self) -> str | None:
        """Why nothing can be stored; None when all is well. For a probe, which the public may read."""
        return self.reason if self.opened is None else await self._databases[0].trouble()

    async def close(self) -> None:
        """Let go of the database; an embedded one ends when nobody else holds it."""
        for each in self._databases:
            await each.close()
        await self._source.close()

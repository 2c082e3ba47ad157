"""The database as a service uses it: transactions, a probe, an end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.clock import SystemClock
from common.database.engine import Target, create_engine
from common.database.errors import DatabaseError, DatabaseUnavailable, translated
from common.database.settings import DatabaseSettings
from common.logs import Complaint

logger = logging.getLogger(__name__)


class Database:
    """Transactions on a pool of connections. It survives restarts of PostgreSQL: only what runs then fails."""

    def __init__(self, target: Target, settings: DatabaseSettings) -> None:
        self.target = target
        self._engine = create_engine(target, settings)
        # Waiting for a free connection, then for a new one.
        self._ping_seconds = 2 * settings.connect_timeout_seconds
        self._complaint = Complaint(logger, SystemClock())

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back when the block raises.

        Raises DatabaseUnavailable, StatementTimeout, Contended, ConstraintViolated or ValueRejected. When the
        connection is lost during the commit itself, whether it took place is unknown.
        """
        with translated():
            async with self._engine.begin() as connection:
                yield connection

    async def ping(self) -> None:
        """Raises DatabaseUnavailable unless the server answers within some seconds, and takes what is written."""
        try:
            async with asyncio.timeout(self._ping_seconds), self.begin() as connection:
                if await connection.scalar(text("SHOW transaction_read_only")) == "on":
                    await connection.invalidate()
                    raise DatabaseUnavailable("it is read-only: a standby, or set so (default_transaction_read_only)")
        except TimeoutError as error:
            raise DatabaseUnavailable(f"no answer within {self._ping_seconds} s") from error

    async def trouble(self) -> str | None:
        """Why the database is not ready, None when it is: for a readiness probe, which the public may read."""
        try:
            await self.ping()
        except DatabaseError as error:
            self._complaint.warn(f"the database is not ready: {error}")
            return str(error)
        self._complaint.over()
        return None

    async def close(self) -> None:
        """Close every connection; those in use are closed when they come back."""
        await self._engine.dispose()

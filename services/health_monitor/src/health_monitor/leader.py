"""Who publishes. A lock says which replica may begin to lead, the epoch in the database says which one leads.

Beginning means to raise the epoch; from then on no write of an earlier epoch gets through, however late it comes. So
losing the lock alone ends nothing: when the API server that keeps the Lease is away, the leader goes on and tells so,
until another replica has raised the epoch.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol

from sqlalchemy import func, select, update

from common.clock import SystemClock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.logs import Complaint
from health_monitor.storage.models import election, stream

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
# The lock's own keeper needs a moment to find out that it was lost, when it was.
_AFTER_DEPOSITION_SECONDS = 5.0


class Lock(Protocol):
    """The right to begin to lead; at most one replica has it, as far as the keeper of the lock can tell."""

    async def run(self, on_held: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Try to hold the lock until cancelled; then give it back."""


class Leadership:
    """Leads whenever this replica may. `duties` run while it leads and are cancelled when it does not any more.

    `on_gained(epoch)` prepares, and may be repeated with a later epoch when it raises DatabaseError; `on_lost` is
    called when another replica has taken over, and at the end.
    """

    def __init__(
        self,
        database: Database,
        lock: Lock,
        *,
        identity: str,
        on_gained: Callable[[int], Awaitable[None]],
        on_lost: Callable[[], None],
        duties: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        self._database = database
        self._lock = lock
        self._identity = identity
        self._on_gained = on_gained
        self._on_lost = on_lost
        self._duties = duties
        self._held = asyncio.Event()
        self._over = asyncio.Event()
        self._complaint = Complaint(logger, SystemClock())
        self.epoch: int | None = None

    @property
    def is_leader(self) -> bool:
        return self.epoch is not None

    def deposed(self, epoch: int) -> None:
        """Whoever writes has found that this epoch is over."""
        if epoch == self.epoch:
            self._over.set()

    async def run(self) -> None:
        """Lead when it may be, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lock.run(self._held.set, self._held.clear))
            await self._lead_again_and_again()

    async def _lead_again_and_again(self) -> None:
        while True:
            await self._held.wait()
            try:
                await self._lead()
            except DatabaseError as error:
                self._complaint.warn(f"cannot begin to lead without the database: {error}")
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                await asyncio.sleep(_AFTER_DEPOSITION_SECONDS)

    async def _lead(self) -> None:
        """Claim an epoch and lead until it is over. Raises DatabaseError when it cannot even begin."""
        epoch = await self._claim()
        await self._on_gained(epoch)
        self.epoch = epoch
        self._over.clear()
        self._complaint.over()
        logger.info("this replica leads", extra={"epoch": epoch})
        duties = [asyncio.create_task(duty()) for duty in self._duties]
        try:
            await self._until_over(epoch)
        finally:
            self.epoch = None
            self._on_lost()
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*duties, return_exceptions=True)
        logger.info("another replica leads")

    async def _claim(self) -> int:
        async with self._database.begin() as connection:
            claimed = await connection.execute(
                update(stream).values(epoch=stream.c.epoch + 1, holder=self._identity).returning(stream.c.epoch)
            )
            return int(claimed.scalar_one())

    async def _until_over(self, epoch: int) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._over.wait()
            with suppress(DatabaseError):  # who cannot ask goes on: nobody else can have asked either
                if await self._current_epoch() != epoch:
                    return

    async def _current_epoch(self) -> int:
        async with self._database.begin() as connection:
            return int((await connection.execute(select(stream.c.epoch))).scalar_one())


class DatabaseLock:
    """A lock in the database itself, for replicas that run outside of a cluster. It expires by the database's clock."""

    def __init__(
        self, database: Database, *, identity: str, ttl_seconds: float = 8.0, renew_seconds: float = 2.0
    ) -> None:
        self._database = database
        self._identity = identity
        self._ttl_seconds = ttl_seconds
        self._renew_seconds = renew_seconds

    async def run(self, on_held: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Take and renew the lock until cancelled; then let the next one have it at once."""
        try:
            while True:
                with suppress(DatabaseError):
                    if await self._renewed():
                        on_held()
                    else:
                        on_lost()
                await asyncio.sleep(self._renew_seconds)
        finally:
            with suppress(DatabaseError):
                await self._release()

    async def _renewed(self) -> bool:
        """Take or renew it. Who held it last may renew it late, as long as nobody else has taken it."""
        now = func.clock_timestamp()
        async with self._database.begin() as connection:
            taken = await connection.execute(
                update(election)
                .where((election.c.holder == self._identity) | (election.c.expires_at < now))
                .values(holder=self._identity, expires_at=now + func.make_interval(0, 0, 0, 0, 0, 0, self._ttl_seconds))
            )
        return taken.rowcount > 0

    async def _release(self) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                update(election).where(election.c.holder == self._identity).values(expires_at=func.clock_timestamp())
            )

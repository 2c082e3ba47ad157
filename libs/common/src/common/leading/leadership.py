"""A lock says which replica may begin to lead, the epoch in the database says which one leads.

Beginning means to raise the epoch; from then on no write of an earlier epoch gets through, however late it comes. So
losing the lock alone need not end it: when the API server that keeps the Lease is away, a leader that only writes to
the database goes on, until another replica has raised the epoch. One that writes elsewhere must stop at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Table, select, update

from common.clock import SystemClock
from common.database.connections import Database
from common.database.errors import DatabaseError
from common.leading.locks import Lock
from common.logs import Complaint

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_ASK_SECONDS = 5.0
# The lock's own keeper needs a moment to find out that it was lost, when it was.
_AFTER_DEPOSITION_SECONDS = 5.0


class Leadership:
    """Leads whenever this replica may. `duties` run while it leads and are cancelled when it does not any more.

    `epochs` is a table of one row with the columns epoch and holder. `on_gained(epoch)` prepares, and may be repeated
    with a later epoch when it raises DatabaseError; `on_lost` is called when another replica has taken over, and at
    the end. With `ends_with_lock` it is over once the lock is lost.
    """

    def __init__(
        self,
        database: Database,
        lock: Lock,
        *,
        identity: str,
        epochs: Table,
        on_gained: Callable[[int], Awaitable[None]],
        on_lost: Callable[[], None],
        duties: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        ends_with_lock: bool = False,
    ) -> None:
        self._database = database
        self._lock = lock
        self._identity = identity
        self._epochs = epochs
        self._ends_with_lock = ends_with_lock
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

    @property
    def may_act(self) -> bool:
        """Whether it leads and holds the lock, at this very moment: for whoever writes where no epoch is checked."""
        return self.epoch is not None and not self._over.is_set() and self._lock.leading

    def deposed(self, epoch: int) -> None:
        """Whoever writes has found that this epoch is over."""
        if epoch == self.epoch:
            self._over.set()

    async def run(self) -> None:
        """Lead when it may be, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lock.run(self._held.set, self._lock_lost))
            await self._lead_again_and_again()

    def _lock_lost(self) -> None:
        self._held.clear()
        if self._ends_with_lock:
            self._over.set()

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
        self._over.clear()
        epoch = await self._claim()
        await self._on_gained(epoch)
        self.epoch = epoch
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
                update(self._epochs)
                .values(epoch=self._epochs.c.epoch + 1, holder=self._identity)
                .returning(self._epochs.c.epoch)
            )
            return int(claimed.scalar_one())

    async def _until_over(self, epoch: int) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._over.wait()
            if self._over.is_set():
                return
            # Who cannot ask goes on, until the lock is lost for want of an answer.
            with suppress(DatabaseError, TimeoutError):
                async with asyncio.timeout(_ASK_SECONDS):
                    if await self._current_epoch() != epoch:
                        return

    async def _current_epoch(self) -> int:
        async with self._database.begin() as connection:
            return int((await connection.execute(select(self._epochs.c.epoch))).scalar_one())

"""What came in, as it came: stored before it is acknowledged, and worked off in its order.

Whoever stores at the same time shares a transaction: a disk can sync a few hundred times a second, and thousands of
posts may come.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.alert import Source
from alert_service.storage.models import inbox
from common.database.connections import Database
from common.database.errors import DatabaseUnavailable

_MOST_WAITING_BYTES = 64 << 20
_MOST_TOGETHER = 500
_PATIENCE_SECONDS = 10.0  # a database may neither answer nor refuse to
_MOST_TAKEN_BYTES = 4 << 20
_STORE = text(
    "INSERT INTO inbox (source, key, body, received_at) SELECT * FROM unnest("
    "CAST(:sources AS text[]), CAST(:keys AS text[]), CAST(:bodies AS bytea[]), CAST(:instants AS timestamptz[]))"
)


class InboxFull(Exception):
    """More waits for the database than there is room for; what is turned away now comes again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that came in. `id` rises in the order of coming in, but for what other replicas store meanwhile."""

    id: int
    source: Source
    key: str
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class _Waiting:
    source: Source
    key: str
    body: bytes
    at: datetime
    stored: asyncio.Future[None]


class Inbox:
    """Takes from any number of callers at once."""

    def __init__(
        self,
        database: Database,
        *,
        on_stored: Callable[[Source, int], None] = lambda source, count: None,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._database = database
        self._on_stored = on_stored
        self._patience_seconds = patience_seconds
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._storing: asyncio.Task[None] | None = None
        self.arrived = asyncio.Event()  # set whenever this replica has stored something

    async def put(self, source: Source, key: str, body: bytes, at: datetime) -> None:
        """Returns once it is committed. Raises InboxFull and DatabaseError; then it may or may not be stored."""
        if self._bytes + len(body) > _MOST_WAITING_BYTES:
            raise InboxFull("too much waits for the database; try again in a moment")
        storable = key.replace("\0", "").encode(errors="replace").decode()  # it shares a statement with others
        each = _Waiting(source, storable, body, at, asyncio.get_running_loop().create_future())
        self._waiting.append(each)
        self._bytes += len(body)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_all())
        try:
            async with asyncio.timeout(self._patience_seconds):
                await each.stored
        except TimeoutError:
            raise DatabaseUnavailable(f"the database did not answer within {self._patience_seconds:g} s") from None

    async def _store_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
            try:
                await self._store(batch)
            except Exception as error:
                for each in batch:
                    if not each.stored.done():  # its caller may have gone
                        each.stored.set_exception(error)
            finally:
                self._bytes -= sum(len(each.body) for each in batch)

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                _STORE,
                {
                    "sources": [each.source for each in batch],
                    "keys": [each.key for each in batch],
                    "bodies": [each.body for each in batch],
                    "instants": [each.at for each in batch],
                },
            )
        for each in batch:
            self._on_stored(each.source, 1)
            if not each.stored.done():
                each.stored.set_result(None)
        self.arrived.set()

    async def waiting(self) -> int:
        """How many took no effect yet."""
        async with self._database.begin() as connection:
            query = select(func.count()).select_from(inbox).where(inbox.c.done_at.is_(None))
            return int((await connection.execute(query)).scalar_one())


async def waiting_ids(connection: AsyncConnection, limit: int) -> Sequence[int]:
    """The oldest that took no effect yet."""
    query = select(inbox.c.id).where(inbox.c.done_at.is_(None)).order_by(inbox.c.id).limit(limit)
    return (await connection.execute(query)).scalars().all()


async def worked_off_until(connection: AsyncConnection, now: datetime) -> datetime:
    """Whatever came in before has taken effect."""
    query = select(inbox.c.received_at).where(inbox.c.done_at.is_(None)).order_by(inbox.c.id).limit(1)
    oldest = (await connection.execute(query)).scalar_one_or_none()
    return now if oldest is None else min(oldest, now)


async def take(connection: AsyncConnection, limit: int, *, only: int | None = None) -> list[Entry]:
    """The oldest that took no effect yet, locked for the transaction in which they take it; at least one, and no more
    than fit into some megabytes. A replica that does not know yet that another leads waits, and finds them done."""
    oldest = (
        select(inbox.c.id, func.octet_length(inbox.c.body).label("size"))
        .where(inbox.c.done_at.is_(None) if only is None else inbox.c.id == only)
        .order_by(inbox.c.id)
        .limit(limit)
        .subquery()
    )
    before = (func.sum(oldest.c.size).over(order_by=oldest.c.id) - oldest.c.size).label("before")
    sized = select(oldest.c.id, before).subquery()
    query = (
        select(inbox.c.id, inbox.c.source, inbox.c.key, inbox.c.body, inbox.c.received_at)
        .join(sized, sized.c.id == inbox.c.id)
        .where(sized.c.before < _MOST_TAKEN_BYTES, inbox.c.done_at.is_(None))
        .order_by(inbox.c.id)
        .with_for_update(of=inbox)
    )
    return [
        Entry(row.id, Source(row.source), row.key, bytes(row.body), row.received_at)
        for row in await connection.execute(query)
    ]


async def done(
    connection: AsyncConnection, ids: Sequence[int], now: datetime, *, error: str | None = None
) -> list[Source]:
    """They took effect, or never will, and why. Returns where they came from."""
    if not ids:
        return []
    mine = update(inbox).where(inbox.c.id.in_(ids), inbox.c.done_at.is_(None)).returning(inbox.c.source)
    rows = await connection.execute(mine.values(done_at=now, error=error))
    return [Source(source) for source in rows.scalars()]

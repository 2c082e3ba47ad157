"""When each heartbeat was last heard."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.intake.heartbeat import Pulse
from alert_service.storage.inbox import worked_off_until
from alert_service.storage.models import heartbeat
from common.database.connections import Database


class HeartbeatStore:
    """Those that are listened for, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listen(self, names: Collection[str], now: datetime) -> dict[str, Pulse]:
        """What is known of these, and of others that are missing. One that is new counts as heard now; others that are
        not missing are forgotten."""
        async with self._database.begin() as connection:
            forgotten = and_(heartbeat.c.name.not_in(names), heartbeat.c.missing_since.is_(None))
            await connection.execute(delete(heartbeat).where(forgotten))
            if names:
                new = insert(heartbeat).values([{"name": name, "heard_at": now} for name in sorted(names)])
                await connection.execute(new.on_conflict_do_nothing())
            return await _known(connection)

    async def heard_until(self, now: datetime) -> datetime:
        """What came in since may hold heartbeats that are not known yet."""
        async with self._database.begin() as connection:
            return await worked_off_until(connection, now)

    async def known(self) -> dict[str, Pulse]:
        async with self._database.begin() as connection:
            return await _known(connection)

    async def mark(self, name: str, missing_since: datetime | None) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                update(heartbeat).where(heartbeat.c.name == name).values(missing_since=missing_since)
            )


async def heard(connection: AsyncConnection, beats: Mapping[str, datetime]) -> None:
    """In the transaction in which the posts take effect."""
    if beats:
        statement = insert(heartbeat).values([{"name": name, "heard_at": at} for name, at in sorted(beats.items())])
        latest = func.greatest(heartbeat.c.heard_at, statement.excluded.heard_at)
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"heard_at": latest}))


async def _known(connection: AsyncConnection) -> dict[str, Pulse]:
    return {
        row.name: Pulse(heard_at=row.heard_at, missing_since=row.missing_since)
        for row in await connection.execute(select(heartbeat).order_by(heartbeat.c.name))
    }

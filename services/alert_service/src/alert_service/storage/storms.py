"""Storms: which channel has one live card now, and what it counts."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.routing.storm import Openings, Storm
from alert_service.routing.wanted import DeliveryKind, NotifyReason
from alert_service.storage.claims import STORM
from alert_service.storage.models import card, delivery, storm

_MOST_MESSAGES = 5_000
_INSERT = insert(storm)
_KEEP = _INSERT.on_conflict_do_update(
    index_elements=["id"],
    set_={
        name: _INSERT.excluded[name] for name in ("ended_at", "changed_at", "incidents", "alerts", "apart", "counts")
    },
)


async def raging(connection: AsyncConnection) -> dict[str, Storm]:
    """Those that are not over, by channel."""
    rows = await connection.execute(select(storm).where(storm.c.ended_at.is_(None)))
    return {row.channel: Storm(**row._mapping) for row in rows}


async def openings(connection: AsyncConnection, since: datetime) -> Openings:
    """When each channel was told of an incident that opened, by the messages queued last."""
    last = select(delivery).order_by(delivery.c.number.desc()).limit(_MOST_MESSAGES).subquery()
    rows = await connection.execute(
        select(last.c.channel, last.c.queued_at)
        .where(last.c.kind == DeliveryKind.CARD, last.c.reason == NotifyReason.OPENED, last.c.queued_at > since)
        .order_by(last.c.number)
    )
    found = Openings()
    for channel, at in rows:
        found.add(channel, at)
    return found


async def get(connection: AsyncConnection, storm_id: UUID) -> Storm | None:
    """Whether it is over or not."""
    row = (await connection.execute(select(storm).where(storm.c.id == storm_id))).first()
    return None if row is None else Storm(**row._mapping)


async def copied_to(connection: AsyncConnection, of: Storm) -> list[str]:
    """The channels that have its card because they stood in for its own: they are to hear of its end, too."""
    query = select(card.c.channel).where(card.c.subject == f"{STORM}{of.id}", card.c.channel != of.channel)
    return sorted(await connection.scalars(query))


async def keep(connection: AsyncConnection, storms: Iterable[Storm]) -> None:
    rows = [
        {
            "id": each.id,
            "channel": each.channel,
            "started_at": each.started_at,
            "changed_at": each.changed_at,
            "ended_at": each.ended_at,
            "incidents": each.incidents,
            "alerts": each.alerts,
            "apart": each.apart,
            "counts": {place: dict(counts) for place, counts in each.counts.items()},
        }
        for each in storms
    ]
    if rows:
        await connection.execute(_KEEP, rows)

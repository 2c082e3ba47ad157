"""Messages that people were to notice and perhaps did not: found once each, to be copied to another channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.incidents.incident import IncidentState
from alert_service.routing.wanted import DeliveryKind, DeliveryState, NotifyReason, Wanted
from alert_service.storage.claims import LIVE, PENDING, STORM, pending
from alert_service.storage.deliveries import note
from alert_service.storage.models import card, delivery, incident

_AT_ONCE = 100
_FORGET_AFTER = timedelta(days=1)  # what is older is no news on any channel
# From now on the channel hears how the incident goes on.
_HAS_CARD = text(
    "UPDATE incident SET value = jsonb_set(value, '{channels}', value->'channels' || to_jsonb(CAST(:channel AS text))) "
    "WHERE id = ANY(:ids) AND NOT value->'channels' @> to_jsonb(CAST(:channel AS text))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A message of which nobody knows whether people saw it. `error` is what the last attempt failed with."""

    id: UUID
    channel: str
    kind: DeliveryKind
    incident_id: UUID | None
    subject: str
    text: str
    mentions: tuple[str, ...]
    accepted: bool
    error: str


async def unconfirmed(
    connection: AsyncConnection, channel: str, *, queued_before: datetime | None, now: datetime
) -> list[Unconfirmed]:
    """What was given up, and what was queued before and is not confirmed; locked until it is marked."""
    noticed = or_(delivery.c.loud, delivery.c.kind.in_((DeliveryKind.PLAIN, DeliveryKind.STORM)))
    late: list[ColumnElement[bool]] = [delivery.c.state == DeliveryState.DEAD]
    if queued_before is not None:
        waits = or_(PENDING, delivery.c.state == DeliveryState.ACCEPTED)
        late.append(and_(waits, delivery.c.queued_at <= queued_before))
    query = (
        select(delivery)
        .where(
            delivery.c.channel == channel,
            delivery.c.fallback_at.is_(None),
            delivery.c.queued_at > now - _FORGET_AFTER,
            delivery.c.reason != NotifyReason.CANARY,
            noticed,
            or_(*late),
        )
        .order_by(delivery.c.number)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return [
        Unconfirmed(
            id=row.id,
            channel=row.channel,
            kind=DeliveryKind(row.kind),
            incident_id=row.incident_id,
            subject=row.subject,
            text=row.text,
            mentions=tuple(row.mentions),
            accepted=row.state == DeliveryState.ACCEPTED,
            error=row.error or "",
        )
        for row in await connection.execute(query)
    ]


async def stand_in(
    connection: AsyncConnection, late: Sequence[tuple[Unconfirmed, str]], fallback: str, *, at: datetime
) -> list[Wanted]:
    """Marks them all, and answers with what the fallback is to be told, each with its reason."""
    if not late:
        return []
    ids = [each.id for each, _ in late]
    await connection.execute(update(delivery).where(delivery.c.id.in_(ids)).values(fallback_at=at))
    needless = await _needless(connection, [each for each, _ in late], fallback)
    copies: dict[object, Wanted] = {}
    for each, why in late:
        if each.id in needless:
            continue
        copies.setdefault((each.subject, each.kind) if each.kind in LIVE else each.id, _copy(each, why, fallback))
        if each.incident_id is not None:
            line = f"{fallback} is told in place of {each.channel}: {each.kind}"
            await note(connection, each.incident_id, "delivery_failed", line, at)
    told = sorted({each.incident_id for each in copies.values() if each.kind is DeliveryKind.CARD and each.incident_id})
    if told:
        await connection.execute(_HAS_CARD, {"ids": told, "channel": fallback})
    return list(copies.values())


async def _needless(connection: AsyncConnection, late: Sequence[Unconfirmed], fallback: str) -> set[UUID]:
    """Of incidents that somebody has, or that are over; cards that the fallback has anyway; and what has been through
    the fallback before."""
    answered = exists().where(incident.c.id == delivery.c.incident_id, incident.c.state != IncidentState.FIRING)
    there = exists().where(card.c.channel == fallback, card.c.subject == delivery.c.subject)
    other = delivery.alias("other")
    on_its_way = exists().where(
        other.c.channel == fallback,
        other.c.subject == delivery.c.subject,
        other.c.kind == delivery.c.kind,
        other.c.quiet.is_(False),
        pending(other),
    )
    is_card = delivery.c.kind.in_(LIVE)
    ids = [each.id for each in late]
    query = select(delivery.c.id).where(delivery.c.id.in_(ids), or_(answered, and_(is_card, or_(there, on_its_way))))
    return {*await connection.scalars(query), *await connection.scalars(_went_through(fallback, ids))}


def _went_through(fallback: str, ids: Sequence[UUID]) -> Select[tuple[UUID]]:
    """Two channels that stand in for each other would pass a message to and fro for ever."""
    copy = delivery.alias("copy")
    way = select(copy.c.id.label("last"), copy.c.fallback_of, copy.c.channel).where(copy.c.id.in_(ids))
    before = way.cte("way", recursive=True)
    origin = delivery.alias("origin")
    step = select(before.c.last, origin.c.fallback_of, origin.c.channel).where(origin.c.id == before.c.fallback_of)
    whole = before.union_all(step)
    return select(whole.c.last).where(whole.c.channel == fallback)


def _copy(late: Unconfirmed, why: str, fallback: str) -> Wanted:
    return Wanted(
        kind=late.kind,
        channel=fallback,
        reason=NotifyReason.FALLBACK,
        incident_id=late.incident_id,
        storm_id=UUID(late.subject.removeprefix(STORM)) if late.kind is DeliveryKind.STORM else None,
        text=why if late.kind in LIVE else f"{late.text}\n{why}",
        mentions=late.mentions,
        loud=late.kind is not DeliveryKind.STORM,
        fallback_of=late.id,
    )

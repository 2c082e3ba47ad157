"""What a sender takes next: one message, and all rows that it stands for.

A claim is a loan: what a sender that died had claimed is due again a little later. So a message is sent at least once,
and by nobody twice at the same time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, func, literal_column, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.channels.channel import Abilities, MessageRef
from alert_service.delivery.sending import Claim
from alert_service.incidents.alert import AlertSeverity
from alert_service.routing.wanted import DeliveryKind, DeliveryState, NotifyReason
from alert_service.storage.models import card, delivery, incident

# Longer than a request may take, twice when it is sent as plain text, and what is written down afterwards.
LOAN = timedelta(seconds=30)
_MERGED = 50  # rows that are sent as one message
_ASIDE = 1000  # rows at a time, so that the next message need not wait
LIVE = (DeliveryKind.CARD, DeliveryKind.STORM)
_MERGES = (DeliveryKind.REPLY, DeliveryKind.DIGEST)
STORM = "storm:"

_other = delivery.alias("other")


def pending(table: FromClause) -> ColumnElement[bool]:
    """Written out, so that PostgreSQL sees that its partial indexes do."""
    states = (DeliveryState.QUEUED, DeliveryState.FAILED, DeliveryState.SENDING)
    return table.c.state.in_([literal_column(f"'{state}'") for state in states])


PENDING = pending(delivery)
WAITING = and_(PENDING, delivery.c.state != DeliveryState.SENDING)


def due(now: datetime) -> ColumnElement[bool]:
    """What is said to have been queued or tried later than now was so before the clock was set back: it waits for no
    hour that comes a second time. Clocks of two replicas may differ by less."""
    since = func.coalesce(delivery.c.sent_at, delivery.c.queued_at)
    return or_(delivery.c.due_at <= now, since > now + LOAN)


async def take(connection: AsyncConnection, channel: str, now: datetime, *, updates: bool) -> Claim | None:
    """None: nothing that is due. Without `updates` no card is changed now."""
    row = (await connection.execute(_next(channel, now, updates=updates))).first()
    if row is None:
        return None
    rows = await _merged(connection, row, now) if row.kind in _MERGES else [row]
    ids = [each.id for each in rows]
    lent = {"state": DeliveryState.SENDING, "attempts": delivery.c.attempts + 1, "sent_at": now, "due_at": now + LOAN}
    await connection.execute(update(delivery).where(delivery.c.id.in_(ids)).values(lent))
    told = rows if row.kind in _MERGES else await _told_with(connection, row)
    return _claim(row, rows, told, now)


def _next(channel: str, now: datetime, *, updates: bool) -> Any:
    """The card of a storm tells most, and then comes what is loud, and what is critical before the rest. A reply waits
    for the card that it goes below."""
    mine = and_(delivery.c.channel == channel, PENDING, due(now))
    reply_can_go = or_(delivery.c.kind != DeliveryKind.REPLY, card.c.channel.is_not(None), not_(_card_comes(channel)))
    query = (
        select(delivery, card.c.conversation.label("card_in"), card.c.message_id.label("card_id"))
        .outerjoin(card, _card_of_it())
        .where(mine, reply_can_go)
    )
    if not updates:
        query = query.where(or_(delivery.c.kind.not_in(LIVE), card.c.channel.is_(None)))
    is_storm = delivery.c.kind == DeliveryKind.STORM
    urgent = case((delivery.c.loud, _is_critical()), else_=False)  # only what is loud is looked up
    order = query.order_by(is_storm.desc(), delivery.c.loud.desc(), urgent.desc(), delivery.c.number)
    return order.limit(1).with_for_update(of=delivery, skip_locked=True)


def _is_critical() -> ColumnElement[bool]:
    return exists().where(incident.c.id == delivery.c.incident_id, incident.c.severity == AlertSeverity.CRITICAL)


def _card_comes(channel: str) -> ColumnElement[bool]:
    """Whether a card that is not there yet waits to be posted. Found once for all rows: there may be thousands."""
    coming = select(_other.c.subject).where(
        _other.c.channel == channel, _other.c.kind.in_(LIVE), not_(_other.c.quiet), pending(_other)
    )
    return delivery.c.subject.in_(coming)


async def put_aside(connection: AsyncConnection, channel: str, abilities: Abilities, now: datetime) -> None:
    """Many at once: in a storm each incident wants its card brought up to date, though it has none."""
    is_reply, has_card = delivery.c.kind == DeliveryKind.REPLY, card.c.channel.is_not(None)
    needless = [
        and_(delivery.c.quiet, not_(has_card), not_(_card_comes(channel))),
        and_(incident.c.state == "resolved", not_(has_card)),
    ]
    if not abilities.updates:
        needless.append(and_(delivery.c.quiet, not_(is_reply)))
    if not abilities.threads:
        of_storm = delivery.c.subject.like(f"{STORM}%")
        needless.append(and_(is_reply, or_(delivery.c.quiet, of_storm, _card_says_it())))
    found = (
        select(delivery.c.id)
        .outerjoin(card, _card_of_it())
        .outerjoin(incident, incident.c.id == delivery.c.incident_id)
        .where(
            delivery.c.channel == channel,
            WAITING,
            due(now),
            delivery.c.kind.in_((DeliveryKind.CARD, DeliveryKind.REPLY)),
            or_(*needless),
        )
        .limit(_ASIDE)
    )
    await connection.execute(
        update(delivery).where(delivery.c.id.in_(found), WAITING).values(state=DeliveryState.SUPERSEDED)
    )


def _card_of_it() -> ColumnElement[bool]:
    return and_(card.c.channel == delivery.c.channel, card.c.subject == delivery.c.subject)


def _card_says_it() -> ColumnElement[bool]:
    """Whether a card for the same reason was wanted with the reply, and not a quiet one."""
    return exists().where(
        _other.c.incident_id == delivery.c.incident_id,
        _other.c.channel == delivery.c.channel,
        _other.c.kind == DeliveryKind.CARD,
        _other.c.reason == delivery.c.reason,
        _other.c.queued_at == delivery.c.queued_at,
        not_(_other.c.quiet),
    )


async def _merged(connection: AsyncConnection, row: Any, now: datetime) -> list[Any]:
    """The row, and what else is due of its kind and subject, the oldest first."""
    query = (
        select(delivery)
        .where(
            delivery.c.channel == row.channel,
            delivery.c.subject == row.subject,
            delivery.c.kind == row.kind,
            PENDING,
            due(now),
        )
        .order_by(delivery.c.number)
        .limit(_MERGED)
        .with_for_update(skip_locked=True)
    )
    found = (await connection.execute(query)).all()
    return list(found) if any(each.id == row.id for each in found) else [row, *found[:-1]]


async def _told_with(connection: AsyncConnection, row: Any) -> list[Any]:
    """All that wait for the same card, which tells the newest: whoever any of them calls is called by it."""
    query = select(delivery.c.number, delivery.c.mentions, delivery.c.loud)
    return list(await connection.execute(query.where(same_card(row)).order_by(delivery.c.number)))


def same_card(of: Any) -> ColumnElement[bool]:
    return and_(delivery.c.channel == of.channel, delivery.c.subject == of.subject, delivery.c.kind == of.kind, PENDING)


def _claim(row: Any, rows: Sequence[Any], told: Sequence[Any], now: datetime) -> Claim:
    """`rows` are sent, and all that is `told` thereby need not be sent any more."""
    received = [each.received_at for each in rows if each.received_at is not None]
    return Claim(
        ids=tuple(each.id for each in rows),
        lent_at=now,
        channel=row.channel,
        kind=DeliveryKind(row.kind),
        reason=NotifyReason(row.reason),
        incident_id=row.incident_id,
        storm_id=UUID(row.subject.removeprefix(STORM)) if row.subject.startswith(STORM) else None,
        subject=row.subject,
        texts=tuple(each.text for each in rows if each.text),
        mentions=tuple(dict.fromkeys(name for each in told for name in each.mentions)),
        loud=any(each.loud for each in told),
        quiet=all(each.quiet for each in rows),
        attempts=row.attempts + 1,
        received_at=min(received, default=None),
        queued_at=row.queued_at,
        newest=max(each.number for each in told),
        shown=row.card_in is not None,
        at=MessageRef(conversation=row.card_in, id=row.card_id) if row.card_id else None,
    )

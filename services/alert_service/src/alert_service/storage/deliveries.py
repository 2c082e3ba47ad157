"""Messages on their way: queued in the transaction of what they tell, claimed by a sender, and settled.

A claim is a loan: what a sender that died had claimed is due again a little later. So a message is sent at least once,
and by nobody twice at the same time.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.channels.channel import Abilities, MessageRef, Receipt
from alert_service.sending import Claim
from alert_service.storage.bulk import Insert
from alert_service.storage.models import card, delivery, incident, timeline
from alert_service.wanted import DeliveryKind, DeliveryState, NotifyReason, Wanted
from common.database.connections import Database

# Longer than a request may take, and what is written down afterwards.
LOAN = timedelta(seconds=20)
_MERGED = 50  # rows that are sent as one message
_LIVE = (DeliveryKind.CARD, DeliveryKind.STORM)
_MERGES = (DeliveryKind.REPLY, DeliveryKind.DIGEST)
_STORM = "storm:"

_QUEUE = Insert(delivery)
_other = delivery.alias("other")
PENDING = delivery.c.state.in_((DeliveryState.QUEUED, DeliveryState.FAILED, DeliveryState.SENDING))
_WAITING = delivery.c.state.in_((DeliveryState.QUEUED, DeliveryState.FAILED))


class Deliveries:
    """`on_queued` is told of channels that are about to have something to send, once the transaction is committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.on_queued: Callable[[Collection[str]], None] = lambda channels: None

    async def queue(
        self, connection: AsyncConnection, wanted: Sequence[Wanted], *, received_at: datetime | None, now: datetime
    ) -> None:
        """In the caller's transaction. `received_at`: when what led to it came in."""
        await self.queue_each(connection, [(each, received_at) for each in wanted], now=now)

    async def queue_each(
        self, connection: AsyncConnection, wanted: Sequence[tuple[Wanted, datetime | None]], *, now: datetime
    ) -> None:
        """Each with when what led to it came in."""
        await _QUEUE.run(connection, (_row(each, received_at, now) for each, received_at in wanted))
        if wanted:
            self.on_queued({each.channel for each, _ in wanted})

    async def claim(self, channel: str, abilities: Abilities, now: datetime, *, updates: bool) -> Claim | None:
        """What is to be sent next, the loud first; None: nothing that is due. Without `updates` no card is changed
        now. What need not be sent any more is put aside on the way."""
        async with self._database.begin() as connection:
            await _put_aside(connection, channel, abilities, now)
            row = (await connection.execute(_next(channel, now, updates=updates))).first()
            if row is None:
                return None
            rows = await _merged(connection, row, now) if row.kind in _MERGES else [row]
            ids = tuple(each.id for each in rows)
            await connection.execute(
                update(delivery)
                .where(delivery.c.id.in_(ids))
                .values(
                    state=DeliveryState.SENDING,
                    attempts=delivery.c.attempts + 1,
                    sent_at=now,
                    due_at=now + LOAN,
                )
            )
            newest = await connection.scalar(select(func.max(delivery.c.number)).where(_same_card(row)))
            return _claim(row, rows, ids, newest or row.number)

    async def next_due_at(self, channel: str) -> datetime | None:
        """None: nothing waits."""
        async with self._database.begin() as connection:
            query = select(func.min(delivery.c.due_at)).where(delivery.c.channel == channel, PENDING)
            found: datetime | None = await connection.scalar(query)
            return found

    async def channels_waiting(self) -> set[str]:
        """Those with something to send, now or later."""
        async with self._database.begin() as connection:
            return set(await connection.scalars(select(delivery.c.channel).where(PENDING).distinct()))

    async def sent(self, claim: Claim, receipt: Receipt, *, revision: int | None, told: str, at: datetime) -> None:
        """The vendor took it. `told` is what the incident's timeline says of it; empty: nothing."""
        ref = receipt.ref
        state = DeliveryState.POSTED if receipt.posted else DeliveryState.ACCEPTED
        values = {
            "state": state,
            "revision": revision,
            "accepted_at": at,
            "posted_at": at if receipt.posted else None,
            "conversation": None if ref is None else ref.conversation,
            "message_id": None if ref is None else ref.id,
            "error_reason": None,
            "error": None,
        }
        async with self._database.begin() as connection:
            await connection.execute(update(delivery).where(_held(claim)).values(values))
            if claim.kind in _LIVE:
                await _supersede(connection, claim)
                await _keep_card(connection, claim, ref, revision or 0, at)
            if told and claim.incident_id is not None:
                await note(connection, claim.incident_id, "notified", told, at)

    async def failed(self, claim: Claim, reason: str, why: str, *, again_at: datetime | None, at: datetime) -> None:
        """It waits for the next attempt; without `again_at` it is given up, which the timeline tells."""
        state = DeliveryState.DEAD if again_at is None else DeliveryState.FAILED
        values = {"state": state, "error_reason": reason, "error": why, "due_at": again_at or at}
        async with self._database.begin() as connection:
            await connection.execute(update(delivery).where(_held(claim)).values(values))
            if again_at is None and claim.incident_id is not None:
                text = f"{claim.channel} did not take the {claim.kind} ({claim.reason}), which is given up: {why}"
                await note(connection, claim.incident_id, "delivery_failed", text, at)

    async def put_back(self, claim: Claim, at: datetime) -> None:
        """As if it had not been claimed."""
        values = {"state": DeliveryState.QUEUED, "attempts": delivery.c.attempts - 1, "due_at": at}
        async with self._database.begin() as connection:
            await connection.execute(update(delivery).where(_held(claim)).values(values))

    async def drop(self, claim: Claim) -> None:
        """It need not be sent."""
        async with self._database.begin() as connection:
            await connection.execute(update(delivery).where(_held(claim)).values(state=DeliveryState.SUPERSEDED))

    async def forget_card(self, claim: Claim) -> None:
        """Somebody has removed it from the channel."""
        async with self._database.begin() as connection:
            await connection.execute(
                delete(card).where(card.c.channel == claim.channel, card.c.subject == claim.subject)
            )

    async def hurry(self, channel: str, now: datetime) -> None:
        """The channel is well again: what was put off need not wait, and goes out in its order."""
        late = update(delivery).where(
            delivery.c.channel == channel, delivery.c.state == DeliveryState.FAILED, delivery.c.due_at > now
        )
        async with self._database.begin() as connection:
            await connection.execute(late.values(due_at=now))

    async def acted(self, ref: MessageRef, at: datetime) -> None:
        """Somebody pressed a button of the message, so it was seen."""
        pressed = update(delivery).where(
            delivery.c.conversation == ref.conversation,
            delivery.c.message_id == ref.id,
            delivery.c.state.in_((DeliveryState.ACCEPTED, DeliveryState.POSTED)),
        )
        async with self._database.begin() as connection:
            await connection.execute(pressed.values(state=DeliveryState.ACTED, acted_at=at))


async def note(connection: AsyncConnection, incident_id: UUID, kind: str, text: str, at: datetime) -> None:
    """One line in the timeline of an incident, if that is still there. What a card shows does not change by it."""
    columns = ["incident_id", "at", "kind", "by", "text", "fingerprints", "details"]
    line = select(
        incident.c.id,
        literal(at, timeline.c.at.type),
        literal(kind),
        literal(""),
        literal(text),
        literal([], timeline.c.fingerprints.type),
        literal({}, timeline.c.details.type),
    ).where(incident.c.id == incident_id)
    await connection.execute(insert(timeline).from_select(columns, line))


def _next(channel: str, now: datetime, *, updates: bool) -> Any:
    """A reply waits for the card that it goes below."""
    mine = and_(delivery.c.channel == channel, PENDING, delivery.c.due_at <= now)
    reply_can_go = or_(delivery.c.kind != DeliveryKind.REPLY, card.c.channel.is_not(None), not_(_card_comes(delivery)))
    query = (
        select(delivery, card.c.conversation.label("card_in"), card.c.message_id.label("card_id"))
        .outerjoin(card, and_(card.c.channel == delivery.c.channel, card.c.subject == delivery.c.subject))
        .where(mine, reply_can_go)
    )
    if not updates:
        query = query.where(or_(delivery.c.kind.not_in(_LIVE), card.c.channel.is_(None)))
    order = query.order_by(delivery.c.loud.desc(), delivery.c.number)
    return order.limit(1).with_for_update(of=delivery, skip_locked=True)


def _card_comes(of: Any) -> ColumnElement[bool]:
    """Whether a card that is not there yet waits to be posted."""
    return exists().where(
        _other.c.channel == of.c.channel,
        _other.c.subject == of.c.subject,
        _other.c.kind.in_(_LIVE),
        not_(_other.c.quiet),
        _other.c.state.in_((DeliveryState.QUEUED, DeliveryState.FAILED, DeliveryState.SENDING)),
    )


async def _put_aside(connection: AsyncConnection, channel: str, abilities: Abilities, now: datetime) -> None:
    """Many at once: in a storm each incident wants its card brought up to date, though it has none."""
    has_card = exists().where(card.c.channel == delivery.c.channel, card.c.subject == delivery.c.subject)
    is_over = exists().where(incident.c.id == delivery.c.incident_id, incident.c.state == "resolved")
    is_reply = delivery.c.kind == DeliveryKind.REPLY
    needless = [
        and_(delivery.c.quiet, not_(has_card), not_(_card_comes(delivery))),
        and_(is_over, not_(has_card)),
    ]
    if not abilities.updates:
        needless.append(and_(delivery.c.quiet, delivery.c.kind == DeliveryKind.CARD))
    if not abilities.threads:
        card_says_it = exists().where(
            _other.c.incident_id == delivery.c.incident_id,
            _other.c.channel == delivery.c.channel,
            _other.c.kind == DeliveryKind.CARD,
            _other.c.reason == delivery.c.reason,
            _other.c.queued_at == delivery.c.queued_at,
            not_(_other.c.quiet),
        )
        needless.append(and_(is_reply, or_(delivery.c.quiet, delivery.c.subject.like(f"{_STORM}%"), card_says_it)))
    await connection.execute(
        update(delivery)
        .where(
            delivery.c.channel == channel,
            _WAITING,
            delivery.c.due_at <= now,
            or_(delivery.c.kind == DeliveryKind.CARD, is_reply),
            or_(*needless),
        )
        .values(state=DeliveryState.SUPERSEDED)
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
            delivery.c.due_at <= now,
        )
        .order_by(delivery.c.number)
        .limit(_MERGED)
        .with_for_update(skip_locked=True)
    )
    found = (await connection.execute(query)).all()
    return list(found) if any(each.id == row.id for each in found) else [row, *found[:-1]]


def _same_card(of: Any) -> ColumnElement[bool]:
    return and_(delivery.c.channel == of.channel, delivery.c.subject == of.subject, delivery.c.kind == of.kind, PENDING)


def _claim(row: Any, rows: Sequence[Any], ids: tuple[UUID, ...], newest: int) -> Claim:
    received = [each.received_at for each in rows if each.received_at is not None]
    return Claim(
        ids=ids,
        channel=row.channel,
        kind=DeliveryKind(row.kind),
        reason=NotifyReason(row.reason),
        incident_id=row.incident_id,
        storm_id=UUID(row.subject.removeprefix(_STORM)) if row.subject.startswith(_STORM) else None,
        subject=row.subject,
        texts=tuple(each.text for each in rows if each.text),
        mentions=tuple(dict.fromkeys(name for each in rows for name in each.mentions)),
        loud=any(each.loud for each in rows),
        quiet=all(each.quiet for each in rows),
        attempts=row.attempts + 1,
        received_at=min(received, default=None),
        queued_at=row.queued_at,
        newest=newest,
        shown=row.card_in is not None,
        at=MessageRef(conversation=row.card_in, id=row.card_id) if row.card_id else None,
    )


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(delivery.c.id.in_(claim.ids), delivery.c.state == DeliveryState.SENDING)


async def _supersede(connection: AsyncConnection, claim: Claim) -> None:
    """What was queued before the card was made is shown by it."""
    older = update(delivery).where(_same_card(claim), _WAITING, delivery.c.number <= claim.newest)
    await connection.execute(older.values(state=DeliveryState.SUPERSEDED))


async def _keep_card(
    connection: AsyncConnection, claim: Claim, ref: MessageRef | None, revision: int, at: datetime
) -> None:
    """Without an address it is still known that the channel has seen one."""
    place = ref or MessageRef(conversation="", id="")
    statement = insert(card).values(
        channel=claim.channel,
        subject=claim.subject,
        incident_id=claim.incident_id,
        conversation=place.conversation,
        message_id=place.id,
        revision=revision,
        posted_at=at,
    )
    kept = ("conversation", "message_id", "revision")
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["channel", "subject"], set_={name: statement.excluded[name] for name in kept}
        )
    )


def _row(wanted: Wanted, received_at: datetime | None, now: datetime) -> dict[str, Any]:
    number = uuid4()
    return {
        "id": number,
        "channel": wanted.channel,
        "kind": wanted.kind,
        "reason": wanted.reason,
        "incident_id": wanted.incident_id,
        "subject": _subject(wanted) or str(number),
        "text": wanted.text,
        "mentions": list(wanted.mentions),
        "loud": wanted.loud,
        "quiet": wanted.quiet,
        "state": DeliveryState.QUEUED,
        "attempts": 0,
        "received_at": received_at,
        "queued_at": now,
        "due_at": wanted.not_before or now,
        "fallback_of": wanted.fallback_of,
    }


def _subject(wanted: Wanted) -> str:
    """What the message is about: those of one subject follow one another, and newer ones replace older ones."""
    if wanted.storm_id is not None:
        return f"{_STORM}{wanted.storm_id}"
    if wanted.kind is DeliveryKind.DIGEST:
        return f"digest:{wanted.channel}"
    if wanted.kind is DeliveryKind.PLAIN or wanted.incident_id is None:
        return ""
    return str(wanted.incident_id)

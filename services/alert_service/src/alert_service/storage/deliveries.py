"""Messages on their way: queued in the transaction of what they tell, claimed by a sender, and settled."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alert_service.channels.channel import Abilities, DeliveryReason, MessageRef, Receipt
from alert_service.delivery.paces import Sent
from alert_service.delivery.sending import Claim
from alert_service.routing.wanted import DeliveryKind, DeliveryState, Wanted
from alert_service.storage import claims
from alert_service.storage.bulk import Insert
from alert_service.storage.claims import LIVE, PENDING, STORM, WAITING, same_card
from alert_service.storage.models import card, delivery, incident, timeline
from common.database.connections import Database

_QUEUE = Insert(delivery)
_LOOKED_AT = 100_000  # of the newest rows, for what was sent lately: there is no index by that


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
        """What is to be sent next; None: nothing that is due. Without `updates` no card is changed now. What need not
        be sent any more is put aside on the way."""
        async with self._database.begin() as connection:
            await claims.put_aside(connection, channel, abilities, now)
            return await claims.take(connection, channel, now, updates=updates)

    async def waiting(self, now: datetime) -> dict[str, bool]:
        """The channels with something to send, and whether any of it is due."""
        async with self._database.begin() as connection:
            due = func.bool_or(claims.due(now))
            rows = await connection.execute(select(delivery.c.channel, due).where(PENDING).group_by(delivery.c.channel))
            return {row[0]: row[1] for row in rows}

    async def sent_since(self, since: datetime) -> list[Sent]:
        """What was sent, or tried, the oldest first. Rows that went out as one message are one."""
        newest = select(func.max(delivery.c.number)).scalar_subquery()
        live = delivery.c.kind.in_(LIVE).label("live")
        query = (
            select(delivery.c.channel, delivery.c.subject, live, delivery.c.sent_at)
            .where(delivery.c.number > newest - _LOOKED_AT, delivery.c.sent_at > since)
            .where(delivery.c.state.not_in((DeliveryState.QUEUED, DeliveryState.SUPERSEDED)))
            .distinct()
            .order_by(delivery.c.sent_at)
        )
        async with self._database.begin() as connection:
            return [Sent(channel=row.channel, live=row.live, at=row.sent_at) for row in await connection.execute(query)]

    async def told_to_wait(self, now: datetime) -> dict[str, datetime]:
        """The channels whose vendor wants to be left alone for a while, and until when."""
        until = func.max(delivery.c.due_at)
        query = (
            select(delivery.c.channel, until)
            .where(delivery.c.state == DeliveryState.FAILED, delivery.c.due_at > now)
            .where(PENDING, delivery.c.error_reason == DeliveryReason.RATE_LIMITED)
            .group_by(delivery.c.channel)
        )
        async with self._database.begin() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

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
            if claim.kind in LIVE:
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

    async def acted_on(self, channel: str, incident_id: UUID, at: datetime) -> None:
        """Somebody followed a link of the incident's card on that channel, so it was seen."""
        followed = update(delivery).where(
            delivery.c.channel == channel,
            delivery.c.incident_id == incident_id,
            delivery.c.kind == DeliveryKind.CARD,
            delivery.c.state.in_((DeliveryState.ACCEPTED, DeliveryState.POSTED)),
        )
        async with self._database.begin() as connection:
            await connection.execute(followed.values(state=DeliveryState.ACTED, acted_at=at))


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


def _held(claim: Claim) -> ColumnElement[bool]:
    """What another leader has claimed since is none of this one's."""
    mine = delivery.c.sent_at == claim.lent_at
    return and_(delivery.c.id.in_(claim.ids), delivery.c.state == DeliveryState.SENDING, mine)


async def _supersede(connection: AsyncConnection, claim: Claim) -> None:
    """What was queued before the card was made is shown by it."""
    older = update(delivery).where(same_card(claim), WAITING, delivery.c.number <= claim.newest)
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
        return f"{STORM}{wanted.storm_id}"
    if wanted.kind is DeliveryKind.DIGEST:
        return f"digest:{wanted.channel}"
    if wanted.kind is DeliveryKind.PLAIN or wanted.incident_id is None:
        return ""
    return str(wanted.incident_id)

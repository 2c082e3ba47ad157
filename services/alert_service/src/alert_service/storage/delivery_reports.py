"""What has become of messages: listed, counted by channel, and sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Row, cast, desc, func, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from alert_service.routing.wanted import DeliveryKind, DeliveryState, NotifyReason
from alert_service.storage.claims import PENDING
from alert_service.storage.models import delivery
from common.database.connections import Database

_copy = delivery.alias("copy")
_CONFIRMED = (DeliveryState.POSTED, DeliveryState.ACTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One message and how far it got."""

    id: UUID
    number: int
    channel: str
    kind: DeliveryKind
    reason: NotifyReason
    incident_id: UUID | None
    state: DeliveryState
    attempts: int
    received_at: datetime | None
    queued_at: datetime
    due_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    posted_at: datetime | None
    acted_at: datetime | None
    conversation: str
    message_id: str
    error_reason: str
    error: str
    fallback_of: UUID | None
    fallback_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which messages; what is None lets everything through."""

    channel: str | None = None
    state: DeliveryState | None = None
    kind: DeliveryKind | None = None
    reason: NotifyReason | None = None
    incident_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport:
    """How a channel fared. Seconds are from what led to a message coming in to the vendor taking it."""

    channel: str
    queued: int  # all that were wanted, but what a newer one replaced
    confirmed: int  # posted, or acted upon
    accepted: int  # taken by a vendor who does not say whether it was posted
    acted: int
    waiting: int
    dead: int
    copied: int  # to the channel that stands in
    retried: int  # took more than one attempt
    oldest_waiting_at: datetime | None
    seconds_p50: float | None
    seconds_p99: float | None
    seconds_max: float | None
    last_error: str


class DeliveryReports:
    """Reads, but for what is sent again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, where: DeliveryFilter, limit: int, *, before: int | None = None) -> Sequence[Delivered]:
        """The newest first, from the number before `before` on."""
        query = select(delivery).order_by(desc(delivery.c.number)).limit(limit)
        for name in ("channel", "state", "kind", "reason", "incident_id"):
            if (value := getattr(where, name)) is not None:
                query = query.where(delivery.c[name] == value)
        if before is not None:
            query = query.where(delivery.c.number < before)
        async with self._database.begin() as connection:
            return [_delivered(row) for row in await connection.execute(query)]

    async def get(self, delivery_id: UUID) -> Delivered | None:
        async with self._database.begin() as connection:
            row = (await connection.execute(select(delivery).where(delivery.c.id == delivery_id))).first()
        return None if row is None else _delivered(row)

    async def report(self, since: datetime, until: datetime) -> Sequence[ChannelReport]:
        """Of what was queued in that time, by channel."""
        async with self._database.begin() as connection:
            rows = await connection.execute(_report(since, until))
            return [ChannelReport(**row._mapping) for row in rows]

    async def redeliver(self, now: datetime, *, delivery_id: UUID | None = None, channel: str | None = None) -> int:
        """What was given up is queued anew: one message, or all of a channel, or all; how many. A card is made of its
        incident as it is then, and one that is over by then is left out."""
        again = update(delivery).where(delivery.c.state == DeliveryState.DEAD)
        if delivery_id is not None:
            again = again.where(delivery.c.id == delivery_id)
        if channel is not None:
            again = again.where(delivery.c.channel == channel)
        values = {"state": DeliveryState.QUEUED, "attempts": 0, "queued_at": now, "due_at": now}
        async with self._database.begin() as connection:
            return (await connection.execute(again.values(values))).rowcount


def _report(since: datetime, until: datetime) -> Any:
    state, error = delivery.c.state, delivery.c.error
    came_in = func.coalesce(delivery.c.received_at, delivery.c.queued_at)
    seconds = cast(func.extract("epoch", delivery.c.accepted_at - came_in), Float)
    copies = select(_copy.c.fallback_of).where(_copy.c.fallback_of.is_not(None))
    newest_error = func.array_agg(aggregate_order_by(error, desc(delivery.c.sent_at))).filter(error.is_not(None))

    def share(name: str, *conditions: Any) -> Any:
        return func.count().filter(*conditions).label(name)

    def quantile(name: str, at: float) -> Any:
        return func.percentile_cont(at).within_group(seconds).label(name)

    return (
        select(
            delivery.c.channel,
            func.count().label("queued"),
            share("confirmed", state.in_(_CONFIRMED)),
            share("accepted", state == DeliveryState.ACCEPTED),
            share("acted", state == DeliveryState.ACTED),
            share("waiting", PENDING),
            share("dead", state == DeliveryState.DEAD),
            share("copied", delivery.c.id.in_(copies)),
            share("retried", delivery.c.attempts > 1),
            func.min(delivery.c.queued_at).filter(PENDING).label("oldest_waiting_at"),
            quantile("seconds_p50", 0.5),
            quantile("seconds_p99", 0.99),
            func.max(seconds).label("seconds_max"),
            func.coalesce(newest_error[1], "").label("last_error"),
        )
        .where(delivery.c.queued_at >= since, delivery.c.queued_at < until, state != DeliveryState.SUPERSEDED)
        .group_by(delivery.c.channel)
        .order_by(delivery.c.channel)
    )


def _delivered(row: Row[Any]) -> Delivered:
    names = Delivered.__dataclass_fields__
    values = {name: getattr(row, name) for name in names}
    texts = {name: values[name] or "" for name in ("conversation", "message_id", "error_reason", "error")}
    kinds = {
        "kind": DeliveryKind(row.kind),
        "reason": NotifyReason(row.reason),
        "state": DeliveryState(row.state),
    }
    return Delivered(**{**values, **texts, **kinds})

"""The queue of deliveries in the database: what is due, and what has become of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts import HealthEvent
from health_monitor.storage.events import health_event
from health_monitor.storage.models import delivery, event, stream, subscription
from health_monitor.webhooks.post import Receiver
from health_monitor.webhooks.subscription import DeliveryState
from health_monitor.webhooks.verdict import GIVE_UP_AFTER, Answer, AttemptVerdict, Endpoint


@dataclass(frozen=True, slots=True)
class Target:
    """A subscription as its pump sees it."""

    id: UUID
    receiver: Receiver
    endpoint: Endpoint
    enabled: bool


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come."""

    event: HealthEvent
    recorded_at: datetime
    attempts: int
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery after an attempt; without `next_attempt_at` it is given up, unless it was delivered."""

    due: Due
    answer: Answer
    next_attempt_at: datetime | None

    @property
    def state(self) -> DeliveryState:
        if self.answer.verdict is AttemptVerdict.DELIVERED:
            return DeliveryState.DELIVERED
        return DeliveryState.DEAD if self.next_attempt_at is None else DeliveryState.QUEUED


async def enabled_subscriptions(connection: AsyncConnection) -> set[UUID]:
    return set(await connection.scalars(select(subscription.c.id).where(subscription.c.disabled_reason.is_(None))))


async def head_of(connection: AsyncConnection) -> int:
    """The cursor of the newest event."""
    return int((await connection.execute(select(stream.c.cursor))).scalar_one())


async def find_target(connection: AsyncConnection, subscription_id: UUID, now: datetime) -> Target | None:
    row = (await connection.execute(select(subscription).where(subscription.c.id == subscription_id))).first()
    if row is None:
        return None
    secrets = [row.secret]
    if row.previous_secret is not None and now < row.previous_secret_until:
        secrets.append(row.previous_secret)
    endpoint = Endpoint(row.failures, row.failing_since, row.retry_at, row.last_error)
    return Target(row.id, Receiver(row.url, secrets), endpoint, row.disabled_reason is None)


async def fetch(connection: AsyncConnection, subscription_id: UUID, now: datetime, limit: int) -> list[Due]:
    """What is due, in the order of cursors."""
    found = await connection.execute(
        select(event, delivery.c.attempts, delivery.c.queued_at)
        .join_from(
            delivery, event, and_(event.c.cursor == delivery.c.cursor, event.c.recorded_at == delivery.c.recorded_at)
        )
        .where(_queued(subscription_id), delivery.c.not_before <= now)
        .order_by(delivery.c.cursor)
        .limit(limit)
    )
    return [Due(health_event(row), row.recorded_at, row.attempts, row.queued_at) for row in found]


async def next_due_at(connection: AsyncConnection, subscription_id: UUID) -> datetime | None:
    """When the next delivery is due; None when nothing is queued."""
    found = await connection.execute(select(func.min(delivery.c.not_before)).where(_queued(subscription_id)))
    return cast("datetime | None", found.scalar())


async def record(
    connection: AsyncConnection, target: Target, sent: Sequence[Sent], endpoint: Endpoint, now: datetime
) -> None:
    """Write down what has become of deliveries, and how the receiver fares now."""
    if sent:
        await connection.execute(_ATTEMPTED, [_attempted(target.id, each, now) for each in sent])
    if endpoint.failures:
        await _give_up_old(connection, target.id, now)
    elif target.endpoint.tripped:
        # It is back: what was put off while it was away need not wait, and the order is kept.
        await connection.execute(
            update(delivery).where(_queued(target.id), delivery.c.not_before > now).values(not_before=now)
        )
    await connection.execute(
        update(subscription).where(subscription.c.id == target.id).values(_fares(sent, endpoint, now))
    )


_ATTEMPTED = (
    update(delivery)
    .where(
        delivery.c.subscription_id == bindparam("of_subscription"),
        delivery.c.cursor == bindparam("of_cursor"),
        delivery.c.recorded_at == bindparam("of_recorded_at"),
    )
    .values(
        attempts=delivery.c.attempts + 1,
        state=bindparam("new_state"),
        not_before=func.coalesce(bindparam("next_attempt_at"), delivery.c.not_before),
        last_status=bindparam("status"),
        last_error=bindparam("error"),
        delivered_at=bindparam("done_at"),
    )
)


def _attempted(subscription_id: UUID, sent: Sent, now: datetime) -> dict[str, Any]:
    return {
        "of_subscription": subscription_id,
        "of_cursor": sent.due.event.cursor,
        "of_recorded_at": sent.due.recorded_at,
        "new_state": sent.state.value,
        "next_attempt_at": sent.next_attempt_at,
        "status": sent.answer.status,
        "error": sent.answer.reason,
        "done_at": now if sent.state is DeliveryState.DELIVERED else None,
    }


def _fares(sent: Sequence[Sent], endpoint: Endpoint, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "failures": endpoint.failures,
        "failing_since": endpoint.failing_since,
        "retry_at": endpoint.retry_at,
        "last_error": endpoint.last_error,
    }
    if any(each.state is DeliveryState.DELIVERED for each in sent):
        values["last_delivered_at"] = now
    if any(each.answer.verdict is AttemptVerdict.GONE for each in sent):
        values["disabled_reason"] = "the receiver answered 410 Gone"
    return values


async def _give_up_old(connection: AsyncConnection, subscription_id: UUID, now: datetime) -> None:
    """Nobody waits for ever: also what was never tried because the receiver was away."""
    await connection.execute(
        update(delivery)
        .where(_queued(subscription_id), delivery.c.queued_at <= now - GIVE_UP_AFTER)
        .values(
            state=DeliveryState.DEAD.value,
            last_error=func.coalesce(delivery.c.last_error, "the receiver was not available for 24 hours"),
        )
    )


def _queued(subscription_id: UUID) -> ColumnElement[bool]:
    return and_(delivery.c.subscription_id == subscription_id, delivery.c.state == DeliveryState.QUEUED.value)

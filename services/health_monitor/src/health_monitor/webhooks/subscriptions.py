"""Who wants which events: subscriptions, their secrets, and the deliveries made for them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from common.clock import Clock
from common.contracts import Severity
from common.database.connections import Database
from common.web.signatures import new_secret
from health_monitor.storage.models import delivery, stream, subscription
from health_monitor.webhooks.subscription import (
    Created,
    Delivery,
    DeliveryState,
    NewSubscription,
    Subscription,
    SubscriptionFilter,
    SubscriptionState,
)
from health_monitor.webhooks.url import checked_url

__all__ = [
    "Created",
    "Delivery",
    "DeliveryState",
    "NewSubscription",
    "Subscription",
    "SubscriptionFilter",
    "SubscriptionState",
    "Subscriptions",
]

# Time for the receiver to take over the new secret.
ROTATION = timedelta(hours=24)
_SEVERITIES = sorted(Severity, key=lambda severity: severity.rank)


class Subscriptions:
    """What the API does with subscriptions, on any replica. `wake` tells the deliverer of this process of new work.

    Every method raises DatabaseError when PostgreSQL is away.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        allow_private: bool = True,
        wake: Callable[[UUID], None] = lambda subscription_id: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._allow_private = allow_private
        self._wake = wake

    async def create(self, new: NewSubscription) -> Created:
        """Subscribe to every event from now on. Raises UrlRefused."""
        url = checked_url(new.url, allow_private=self._allow_private)
        secret, subscription_id = new_secret(), uuid4()
        async with self._database.begin() as connection:
            row = {
                "id": subscription_id,
                "url": url,
                "description": new.description,
                "codes": sorted(new.filter.codes),
                "kinds": sorted(new.filter.kinds),
                "namespaces": sorted(new.filter.namespaces),
                "min_severity_rank": new.filter.min_severity.rank,
                "secret": secret,
                "created_at": self._clock.now(),
                "start_cursor": await _stop_the_stream(connection),
                "failures": 0,
            }
            await connection.execute(insert(subscription).values(row))
            (created,) = await _all(connection, subscription.c.id == subscription_id)
        return Created(created, secret)

    async def list(self) -> list[Subscription]:
        """All of them, oldest first."""
        async with self._database.begin() as connection:
            return await _all(connection)

    async def get(self, subscription_id: UUID) -> Subscription | None:
        async with self._database.begin() as connection:
            found = await _all(connection, subscription.c.id == subscription_id)
        return found[0] if found else None

    async def delete(self, subscription_id: UUID) -> bool:
        """Forget it and its deliveries; False when there is none."""
        async with self._database.begin() as connection:
            await _stop_the_stream(connection)
            gone = await connection.execute(delete(subscription).where(subscription.c.id == subscription_id))
            await connection.execute(delete(delivery).where(delivery.c.subscription_id == subscription_id))
        return gone.rowcount > 0

    async def enable(self, subscription_id: UUID) -> bool:
        """Deliver again after it was disabled, or at once when it is failing; False when there is none.

        Events from the time when it was disabled are not delivered: read them after the last cursor that came.
        """
        healthy = {"disabled_reason": None, "failures": 0, "failing_since": None, "retry_at": None}
        return await self._change(subscription_id, healthy)

    async def rotate_secret(self, subscription_id: UUID) -> str | None:
        """A new secret; the old one signs beside it for 24 hours. None when there is no such subscription."""
        secret = new_secret()
        rotated = {
            "previous_secret": subscription.c.secret,
            "previous_secret_until": self._clock.now() + ROTATION,
            "secret": secret,
        }
        return secret if await self._change(subscription_id, rotated) else None

    async def deliveries(
        self, subscription_id: UUID, *, state: DeliveryState | None = None, before: int | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        """Newest first; `before` is the cursor to read on from."""
        statement = select(delivery).where(delivery.c.subscription_id == subscription_id)
        if state is not None:
            statement = statement.where(delivery.c.state == state)
        if before is not None:
            statement = statement.where(delivery.c.cursor < before)
        async with self._database.begin() as connection:
            found = await connection.execute(statement.order_by(delivery.c.cursor.desc()).limit(limit))
            return [_delivery(row) for row in found]

    async def redeliver(self, subscription_id: UUID, cursor: int) -> bool:
        """Send one event again, whatever became of it; False when it was never meant for this subscription."""
        return await self._requeue(subscription_id, delivery.c.cursor == cursor) > 0

    async def redeliver_dead(self, subscription_id: UUID, since: datetime) -> int:
        """Send again what was given up and was queued at `since` or later; returns how many."""
        dead = (delivery.c.state == DeliveryState.DEAD) & (delivery.c.queued_at >= since)
        return await self._requeue(subscription_id, dead)

    async def _requeue(self, subscription_id: UUID, which: ColumnElement[bool]) -> int:
        now = self._clock.now()
        fresh = {
            "state": DeliveryState.QUEUED.value,
            "attempts": 0,
            "queued_at": now,
            "not_before": now,
            "delivered_at": None,
        }
        async with self._database.begin() as connection:
            changed = await connection.execute(
                update(delivery).where(delivery.c.subscription_id == subscription_id, which).values(fresh)
            )
        self._wake(subscription_id)
        return changed.rowcount

    async def _change(self, subscription_id: UUID, values: dict[str, Any]) -> bool:
        async with self._database.begin() as connection:
            changed = await connection.execute(
                update(subscription).where(subscription.c.id == subscription_id).values(values)
            )
        self._wake(subscription_id)
        return changed.rowcount > 0


async def _stop_the_stream(connection: AsyncConnection) -> int:
    """Let no event be stored before this transaction ends; returns the cursor of the newest one."""
    return int((await connection.execute(select(stream.c.cursor).with_for_update())).scalar_one())


async def _all(connection: AsyncConnection, *where: ColumnElement[bool]) -> list[Subscription]:
    counts = (
        select(
            func.count().filter(delivery.c.state == DeliveryState.QUEUED).label("queued"),
            func.count().filter(delivery.c.state == DeliveryState.DEAD).label("dead"),
        )
        .where(delivery.c.subscription_id == subscription.c.id, delivery.c.state != DeliveryState.DELIVERED)
        .lateral()
    )
    statement = select(subscription, counts.c.queued, counts.c.dead).where(*where)
    rows = await connection.execute(statement.order_by(subscription.c.created_at, subscription.c.id))
    return [_subscription(row) for row in rows]


def _subscription(row: Row[Any]) -> Subscription:
    allowed = SubscriptionFilter(
        codes=frozenset(row.codes),
        min_severity=_SEVERITIES[row.min_severity_rank],
        kinds=frozenset(row.kinds),
        namespaces=frozenset(row.namespaces),
    )
    return Subscription(
        id=row.id,
        url=row.url,
        description=row.description,
        filter=allowed,
        state=_state(row),
        created_at=row.created_at,
        start_cursor=row.start_cursor,
        failing_since=row.failing_since,
        retry_at=row.retry_at,
        last_error=row.last_error,
        last_delivered_at=row.last_delivered_at,
        disabled_reason=row.disabled_reason,
        queued=row.queued,
        dead=row.dead,
    )


def _state(row: Row[Any]) -> SubscriptionState:
    if row.disabled_reason is not None:
        return SubscriptionState.DISABLED
    return SubscriptionState.FAILING if row.failures else SubscriptionState.ACTIVE


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        cursor=row.cursor,
        event_id=row.event_id,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        queued_at=row.queued_at,
        next_attempt_at=row.not_before if row.state == DeliveryState.QUEUED else None,
        last_status=row.last_status,
        last_error=row.last_error,
        delivered_at=row.delivered_at,
    )

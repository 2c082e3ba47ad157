"""What a subscription and a delivery are, as the API shows them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from common.contracts import Severity


class SubscriptionState(StrEnum):
    """How a subscription fares."""

    ACTIVE = "active"
    FAILING = "failing"  # the last attempts failed; events wait and are tried again
    DISABLED = "disabled"  # the receiver answered 410 Gone; nothing is queued until it is enabled again


class DeliveryState(StrEnum):
    """Where one event is on its way to one subscription."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up; it can be sent again by hand


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFilter:
    """Which events are delivered; an empty set lets everything through."""

    codes: frozenset[str] = frozenset()
    min_severity: Severity = Severity.INFO
    kinds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """What it takes to subscribe."""

    url: str
    description: str = ""
    filter: SubscriptionFilter = SubscriptionFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription without its secret, which is shown once, when it is made."""

    id: UUID
    url: str
    description: str
    filter: SubscriptionFilter
    state: SubscriptionState
    created_at: datetime
    start_cursor: int  # every later event that passes the filter is delivered
    failing_since: datetime | None
    retry_at: datetime | None
    last_error: str | None
    last_delivered_at: datetime | None
    disabled_reason: str | None
    queued: int
    dead: int


@dataclass(frozen=True, slots=True)
class Created:
    """A new subscription and its secret."""

    subscription: Subscription
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event's way to one subscription."""

    cursor: int
    event_id: UUID
    state: DeliveryState
    attempts: int
    queued_at: datetime
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None

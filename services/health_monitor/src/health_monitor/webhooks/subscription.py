"""What a subscription and a delivery are, as the API shows them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

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
    url: Annotated[str, Field(description="Where events are posted to")]
    description: Annotated[str, Field(description="Whose it is and what for, for people")]
    filter: SubscriptionFilter
    state: SubscriptionState
    created_at: datetime
    start_cursor: Annotated[int, Field(description="Every later event that passes the filter is delivered")]
    failing_since: Annotated[datetime | None, Field(description="Since when nothing gets through; null: it does")]
    retry_at: Annotated[datetime | None, Field(description="When it is tried again; null: nothing waits for that")]
    last_error: Annotated[str | None, Field(description="Why the last attempt did not count as delivered")]
    last_delivered_at: Annotated[datetime | None, Field(description="null: nothing was delivered yet")]
    disabled_reason: Annotated[str | None, Field(description="Why nothing is sent any more; null while it is")]
    queued: Annotated[int, Field(description="Events that wait to be delivered")]
    dead: Annotated[int, Field(description="Events that were given up, and can be sent again by hand")]


@dataclass(frozen=True, slots=True)
class Created:
    """A new subscription and its secret."""

    subscription: Subscription
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event's way to one subscription."""

    cursor: Annotated[int, Field(description="Of the event")]
    event_id: UUID
    state: DeliveryState
    attempts: Annotated[int, Field(description="How often it was tried")]
    queued_at: datetime
    next_attempt_at: Annotated[datetime | None, Field(description="null: it is not tried again")]
    last_status: Annotated[int | None, Field(description="HTTP status of the last attempt; null: no answer")]
    last_error: Annotated[str | None, Field(description="Why the last attempt did not count as delivered")]
    delivered_at: Annotated[datetime | None, Field(description="null: not delivered")]

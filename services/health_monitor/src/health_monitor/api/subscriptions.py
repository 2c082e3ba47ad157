"""Webhook subscriptions: who gets which events, and what became of each delivery.

Addresses can hold secrets, and a subscription sends what is known of the cluster elsewhere: seeing them takes the
scope operate, making and ending them the scope admin.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from common.contracts import Severity
from common.web.instant import Instant
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_ADMIN, MAY_OPERATE
from common.web.problems import Mistake, Problem, responses, wrong_request
from health_monitor.api.answers import answer, answer_items
from health_monitor.api.events import LAST_CURSOR
from health_monitor.api.parameters import KnownCode, KnownKind
from health_monitor.api.services import StoredServices
from health_monitor.webhooks.subscriptions import (
    Delivery,
    DeliveryState,
    NewSubscription,
    Subscription,
    SubscriptionFilter,
)
from health_monitor.webhooks.url import UrlRefused
from health_monitor.webhooks.verdict import AttemptVerdict

router = APIRouter(prefix="/api/v1/subscriptions", tags=["subscriptions"])

_CURSORS = Cursors("deliveries", tuple[int])
_Words = Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=100)]
SubscriptionId = Annotated[UUID, Path(description="Of the subscription")]


class FilterRequest(BaseModel):
    """Which events are delivered; what is empty lets everything through."""

    model_config = ConfigDict(extra="forbid")

    codes: Annotated[list[KnownCode], Field(max_length=100, description="Only of these checks")] = []
    min_severity: Annotated[Severity, Field(description="Only findings at least this severe")] = Severity.INFO
    kinds: Annotated[list[KnownKind], Field(max_length=100, description="Only about these kinds")] = []
    namespaces: Annotated[_Words, Field(description="Only in these namespaces")] = []


class SubscriptionRequest(BaseModel):
    """A webhook to be called with every event that passes the filter."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[
        str,
        Field(
            max_length=2000,
            description="Where events are posted to",
            examples=["https://alerts.example.com/hooks/health"],
        ),
    ]
    description: Annotated[str, Field(max_length=500, description="Whose it is and what for, for people")] = ""
    filter: FilterRequest = FilterRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionCreated:
    """The only answer that holds the secret: keep it to check the signatures (Standard Webhooks)."""

    subscription: Subscription
    secret: Annotated[str, Field(description="whsec_ and the key in Base64")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one call of the webhook."""

    verdict: AttemptVerdict
    status: Annotated[int | None, Field(description="HTTP status; null when there was no answer")]
    error: Annotated[str | None, Field(description="Why it does not count as delivered")]
    seconds: Annotated[float, Field(description="How long it took")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotated:
    """The new secret. The old one signs beside it for 24 hours."""

    secret: Annotated[str, Field(description="whsec_ and the key in Base64")]


class RedeliverRequest(BaseModel):
    """What to send again: one event by its cursor, or everything that was given up since an instant."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[int | None, Field(ge=1, le=LAST_CURSOR, description="Of the one event")] = None
    dead_since: Annotated[Instant | None, Field(description="Everything that was given up at or after it")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivered:
    """How many deliveries were queued again."""

    queued: Annotated[int, Field(description="They go out within seconds")]


@router.post(
    "", status_code=201, response_model=SubscriptionCreated, dependencies=[MAY_ADMIN], responses=responses(409)
)
async def create_subscription(stored: StoredServices, wanted: SubscriptionRequest) -> Response:
    """Subscribe to every event from now on."""
    chosen = SubscriptionFilter(
        codes=frozenset(wanted.filter.codes),
        min_severity=wanted.filter.min_severity,
        kinds=frozenset(wanted.filter.kinds),
        namespaces=frozenset(wanted.filter.namespaces),
    )
    try:
        created = await stored.subscriptions.create(
            NewSubscription(url=wanted.url, description=wanted.description, filter=chosen)
        )
    except UrlRefused as error:
        raise wrong_request(Mistake(location="body", path="/url", message=str(error))) from None
    shape = SubscriptionCreated(subscription=created.subscription, secret=created.secret)
    return answer(SubscriptionCreated, shape, 201)


@router.get("", response_model=Page[Subscription], dependencies=[MAY_OPERATE])
async def list_subscriptions(stored: StoredServices) -> Response:
    """All subscriptions, the oldest first; without their secrets."""
    return answer_items(Page[Subscription], await stored.subscriptions.list())


@router.get("/{subscription_id}", response_model=Subscription, dependencies=[MAY_OPERATE], responses=responses(404))
async def get_subscription(stored: StoredServices, subscription_id: SubscriptionId) -> Response:
    """One subscription, with how it fares."""
    return answer(Subscription, await _existing(stored, subscription_id))


@router.delete("/{subscription_id}", status_code=204, dependencies=[MAY_ADMIN], responses=responses(404))
async def delete_subscription(stored: StoredServices, subscription_id: SubscriptionId) -> None:
    """End it, and forget its deliveries."""
    if not await stored.subscriptions.delete(subscription_id):
        raise _none(subscription_id)


@router.post(
    "/{subscription_id}/enable", response_model=Subscription, dependencies=[MAY_OPERATE], responses=responses(404)
)
async def enable_subscription(stored: StoredServices, subscription_id: SubscriptionId) -> Response:
    """Deliver again after it was disabled, or at once when it is failing."""
    await stored.subscriptions.enable(subscription_id)
    return answer(Subscription, await _existing(stored, subscription_id))


@router.post(
    "/{subscription_id}/rotate", response_model=SecretRotated, dependencies=[MAY_ADMIN], responses=responses(404)
)
async def rotate_secret(stored: StoredServices, subscription_id: SubscriptionId) -> Response:
    """Make a new secret."""
    secret = await stored.subscriptions.rotate_secret(subscription_id)
    if secret is None:
        raise _none(subscription_id)
    return answer(SecretRotated, SecretRotated(secret=secret))


@router.post("/{subscription_id}/test", response_model=Trial, dependencies=[MAY_OPERATE], responses=responses(404))
async def try_subscription(stored: StoredServices, subscription_id: SubscriptionId) -> Response:
    """Call the webhook once, now, with a made-up event, and say what it answered."""
    attempt = await stored.deliverer.send_test(subscription_id)
    if attempt is None:
        raise _none(subscription_id)
    given = attempt.answer
    trial = Trial(verdict=given.verdict, status=given.status, error=given.reason, seconds=attempt.seconds)
    return answer(Trial, trial)


@router.get(
    "/{subscription_id}/deliveries", response_model=Page[Delivery], dependencies=[MAY_OPERATE], responses=responses(404)
)
async def deliveries(
    stored: StoredServices,
    subscription_id: SubscriptionId,
    state: Annotated[DeliveryState | None, Query(description="Only in this state")] = None,
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Response:
    """Deliveries, the newest first."""
    position = _CURSORS.decode(cursor)
    await _existing(stored, subscription_id)
    before = None if position is None else position[0]
    found = await stored.subscriptions.deliveries(subscription_id, state=state, before=before, limit=limit + 1)
    page = _CURSORS.page(found, limit, at=lambda each: (each.cursor,), item=lambda each: each)
    return answer_items(Page[Delivery], page.items, page.next_cursor)


@router.post(
    "/{subscription_id}/redeliver", response_model=Redelivered, dependencies=[MAY_OPERATE], responses=responses(404)
)
async def redeliver(stored: StoredServices, subscription_id: SubscriptionId, which: RedeliverRequest) -> Response:
    """Send one event again, whatever became of it, or everything that was given up since an instant."""
    await _existing(stored, subscription_id)
    if (which.cursor is None) == (which.dead_since is None):
        raise wrong_request(Mistake(location="body", path="", message="give either cursor or dead_since"))
    if which.cursor is not None:
        queued = int(await stored.subscriptions.redeliver(subscription_id, which.cursor))
    elif which.dead_since is not None:
        queued = await stored.subscriptions.redeliver_dead(subscription_id, which.dead_since)
    return answer(Redelivered, Redelivered(queued=queued))


async def _existing(stored: StoredServices, subscription_id: UUID) -> Subscription:
    found = await stored.subscriptions.get(subscription_id)
    if found is None:
        raise _none(subscription_id)
    return found


def _none(subscription_id: UUID) -> Problem:
    return Problem(404, f"there is no subscription {subscription_id}")

"""Messages over HTTP: what became of each, how the channels fare, and sending again what was given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from alert_service.api.services import AnyServices, StoredServices
from alert_service.routing.wanted import DeliveryKind, DeliveryState, NotifyReason
from alert_service.storage.delivery_reports import ChannelReport, Delivered, DeliveryFilter
from common.web.instant import Instant
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_OPERATE, MAY_READ
from common.web.problems import Mistake, Problem, responses, wrong_request

router = APIRouter(prefix="/api/v1/deliveries", tags=["deliveries"])

_CURSORS = Cursors("deliveries", tuple[int])
_REPORTED = timedelta(days=1)
DeliveryId = Annotated[UUID, Path(description="Of the message, as lists tell it")]
ChannelName = Annotated[str, Field(max_length=63)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryShown:
    """One message to one channel, from queued to the press of its button."""

    id: UUID
    channel: str
    kind: DeliveryKind
    reason: NotifyReason
    incident_id: UUID | None
    state: Annotated[
        DeliveryState,
        Field(
            description="accepted: by a vendor who does not say whether it was posted. superseded: a newer state of "
            "the same card was sent instead, or nobody needs it any more. dead: given up, may be sent again"
        ),
    ]
    attempts: int
    received_at: Annotated[datetime | None, Field(description="When what led to it came in")]
    queued_at: datetime
    due_at: Annotated[datetime, Field(description="Of what waits: when it is tried next, at the earliest")]
    sent_at: Annotated[datetime | None, Field(description="The last attempt")]
    accepted_at: Annotated[datetime | None, Field(description="When the vendor took it")]
    posted_at: Annotated[datetime | None, Field(description="When it was known to be posted")]
    acted_at: Annotated[datetime | None, Field(description="When somebody first pressed a button of it")]
    latency_seconds: Annotated[float | None, Field(description="From coming in to the vendor taking it")]
    conversation: Annotated[str, Field(description="The vendor's id of where it is; empty where it gives none")]
    message_id: Annotated[str, Field(description="The vendor's id of the message; empty where it gives none")]
    error_reason: Annotated[str, Field(description="Of the last attempt, when that failed", examples=["rate_limited"])]
    error: Annotated[str, Field(description="What the vendor said")]
    fallback_of: Annotated[UUID | None, Field(description="The message that it stands in for, on another channel")]
    fallback_at: Annotated[datetime | None, Field(description="When another channel was asked to stand in for it")]

    @classmethod
    def of(cls, row: Delivered) -> "DeliveryShown":
        since = row.received_at or row.queued_at
        latency = None if row.accepted_at is None else max(0.0, (row.accepted_at - since).total_seconds())
        values = {name: getattr(row, name) for name in cls.__dataclass_fields__ if name != "latency_seconds"}
        return cls(**values, latency_seconds=latency)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationReport:
    """Whether messages arrived, channel by channel."""

    since: datetime
    until: datetime
    channels: Annotated[Sequence[ChannelReport], Field(description="Those that had anything to send")]


class RedeliverRequest(BaseModel):
    """What to send again."""

    model_config = ConfigDict(extra="forbid")

    channel: Annotated[ChannelName | None, Field(description="Only on this channel; null: on all")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivered:
    """How many messages were queued again."""

    queued: Annotated[int, Field(description="Cards are made anew; those of incidents that are over are left out")]


@router.get("", dependencies=[MAY_READ])
async def list_deliveries(
    stored: StoredServices,
    *,
    channel: Annotated[ChannelName | None, Query(description="Only to this channel")] = None,
    state: Annotated[DeliveryState | None, Query(description="Only in this state")] = None,
    kind: Annotated[DeliveryKind | None, Query(description="Only of this kind")] = None,
    reason: Annotated[NotifyReason | None, Query(description="Only for this reason")] = None,
    incident: Annotated[UUID | None, Query(description="Only about this incident")] = None,
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Page[DeliveryShown]:
    """Messages, the newest first."""
    position = _CURSORS.decode(cursor)
    where = DeliveryFilter(channel=channel, state=state, kind=kind, reason=reason, incident_id=incident)
    before = None if position is None else position[0]
    rows = await stored.delivery_reports.list(where, limit + 1, before=before)
    return _CURSORS.page(rows, limit, at=lambda row: (row.number,), item=DeliveryShown.of)


@router.get("/report", dependencies=[MAY_READ])
async def get_delivery_report(
    services: AnyServices,
    stored: StoredServices,
    since: Annotated[Instant | None, Query(description="Queued at or after it; left out: a day before `until`")] = None,
    until: Annotated[Instant | None, Query(description="Queued before it; left out: now")] = None,
) -> ConfirmationReport:
    """How many messages each channel confirmed, how long they took, and what waits or was given up."""
    end = until or services.now()
    begin = since or end - _REPORTED
    if begin >= end:
        raise wrong_request(Mistake(location="query", path="/since", message="must lie before `until`"))
    return ConfirmationReport(since=begin, until=end, channels=await stored.delivery_reports.report(begin, end))


@router.post("/redeliver", dependencies=[MAY_OPERATE])
async def redeliver_all(services: AnyServices, stored: StoredServices, wanted: RedeliverRequest) -> Redelivered:
    """Send again whatever was given up, once its channel is mended."""
    return Redelivered(queued=await stored.delivery_reports.redeliver(services.now(), channel=wanted.channel))


@router.get("/{delivery_id:uuid}", dependencies=[MAY_READ], responses=responses(404))
async def get_delivery(stored: StoredServices, delivery_id: DeliveryId) -> DeliveryShown:
    """One message."""
    return DeliveryShown.of(await _existing(stored, delivery_id))


@router.post("/{delivery_id:uuid}/redeliver", dependencies=[MAY_OPERATE], responses=responses(404, 409))
async def redeliver(services: AnyServices, stored: StoredServices, delivery_id: DeliveryId) -> Redelivered:
    """Send a message again that was given up."""
    queued = await stored.delivery_reports.redeliver(services.now(), delivery_id=delivery_id)
    if not queued:
        state = (await _existing(stored, delivery_id)).state
        raise Problem(409, f"only what was given up can be sent again; this message is {state}")
    return Redelivered(queued=queued)


async def _existing(stored: StoredServices, delivery_id: UUID) -> Delivered:
    found = await stored.delivery_reports.get(delivery_id)
    if found is None:
        raise Problem(
            404, f"there is no message {delivery_id}; those of resolved incidents are kept for some time only"
        )
    return found

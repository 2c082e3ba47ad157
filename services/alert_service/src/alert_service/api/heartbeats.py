"""Heartbeats over HTTP: alerts that always fire, and when each was last heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from alert_service.api.services import AnyServices, StoredServices
from alert_service.intake.heartbeat import Pulse, patience
from alert_service.policy.trials import HeartbeatPart
from common.web.parts import MAY_READ

router = APIRouter(prefix="/api/v1", tags=["incidents"])


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatShown:
    """One heartbeat of the policy."""

    name: str
    match: Annotated[Sequence[str], Field(description="Which alert it is")]
    heard_at: Annotated[datetime | None, Field(description="Before it is heard at all: since when it is waited for")]
    missing_after_seconds: Annotated[float, Field(description="For so long nothing may be heard of it")]
    missing_since: Annotated[datetime | None, Field(description="null: it is heard")]

    @classmethod
    def of(cls, part: HeartbeatPart, pulse: Pulse | None) -> "HeartbeatShown":
        return cls(
            name=part.name,
            match=part.match,
            heard_at=None if pulse is None else pulse.heard_at,
            missing_after_seconds=patience(part).total_seconds(),
            missing_since=None if pulse is None else pulse.missing_since,
        )


class HeartbeatList(BaseModel):
    """All there are."""

    items: Sequence[HeartbeatShown]


@router.get("/heartbeats", dependencies=[MAY_READ])
async def list_heartbeats(services: AnyServices, stored: StoredServices) -> HeartbeatList:
    """Every heartbeat of the policy. One that is missing has an incident of its own."""
    pulses = await stored.heartbeats.known()
    parts = services.policy().heartbeats
    return HeartbeatList(items=[HeartbeatShown.of(part, pulses.get(part.name)) for part in parts])

"""Notification tests over HTTP: rehearse on one's own channels, and see what arrived when, canaries included."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from alert_service.api.services import AnyServices, StoredServices
from alert_service.policy import AlertPolicy
from alert_service.rehearsal.playing import Script
from alert_service.rehearsal.rehearser import Busy
from alert_service.rehearsal.report import Outcome, Report, Tried
from alert_service.storage.rehearsals import Kept, RehearsalKind
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ, Operator
from common.web.problems import Mistake, Problem, responses, wrong_request

router = APIRouter(prefix="/api/v1/rehearsals", tags=["rehearsals"])

RehearsalId = Annotated[UUID, Path(description="As the list tells it")]

_CURSORS: Cursors[tuple[datetime, UUID]] = Cursors("rehearsals", tuple[datetime, UUID])


class RehearsalRequest(BaseModel):
    """What to rehearse. An empty object: every card on every channel, and every escalation."""

    model_config = ConfigDict(extra="forbid")

    channels: Annotated[
        list[str] | None, Field(max_length=100, description="On which channels; null: on all of the policy")
    ] = None
    escalations: Annotated[
        list[str] | None, Field(max_length=100, description="Which escalations; null: all of the policy")
    ] = None
    escalation_seconds: Annotated[
        float, Field(gt=0, le=600, description="How long each escalation may take, by a clock that runs so much faster")
    ] = 20.0
    mention: Annotated[bool, Field(description="Whether people are really notified by name")] = False
    press_seconds: Annotated[
        float, Field(ge=0, le=600, description="How long to wait for somebody to press a button; 0: not at all")
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One thing that was tried."""

    channel: str
    tried: Tried
    what: Annotated[str, Field(description="In plain words")]
    outcome: Annotated[Outcome, Field(description="accepted: by a vendor who does not say whether it was posted")]
    at: Annotated[datetime, Field(description="When it was begun")]
    seconds: Annotated[float, Field(description="From then until the vendor had answered")]
    message_id: Annotated[str, Field(description="The vendor's; empty where it gives none")]
    detail: Annotated[str, Field(description="Why it failed or was left out")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalShown:
    """One rehearsal or canary. While it goes on `ended_at` and `passed` are null."""

    id: UUID
    kind: RehearsalKind
    started_at: datetime
    ended_at: datetime | None
    passed: bool | None
    failed: Annotated[int, Field(description="How many of its steps failed")]
    steps: Annotated[Sequence[StepShown], Field(description="In the order in which they began; empty in a list")] = ()

    @classmethod
    def of(cls, kept: Kept, *, steps: bool) -> "RehearsalShown":
        report = Report.from_json(kept.report) if kept.report else None
        return cls(
            id=kept.id,
            kind=kept.kind,
            started_at=kept.started_at,
            ended_at=kept.ended_at,
            passed=kept.passed,
            failed=0 if report is None else len(report.failed),
            steps=list(_steps(report)) if steps and report is not None else [],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalBegun:
    """It goes on in the background; ask for it under its id."""

    id: UUID


@router.post("", status_code=202, responses=responses(409, 503))
async def rehearse(
    services: AnyServices, stored: StoredServices, caller: Operator, wanted: RehearsalRequest
) -> RehearsalBegun:
    """Send every card to the channels, now. Their readers are told that it is a rehearsal."""
    rehearser = services.rehearser()
    if rehearser is None:
        raise Problem(503, "this replica is still starting; try again in a moment")
    try:
        return RehearsalBegun(id=await rehearser.begin(_script(wanted, services.policy())))
    except Busy as error:
        raise Problem(409, str(error)) from None


@router.get("", dependencies=[MAY_READ])
async def list_rehearsals(
    stored: StoredServices,
    kind: Annotated[RehearsalKind | None, Query(description="Only these")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[RehearsalShown]:
    """What was tried, the newest first."""
    rows = await stored.rehearsals.list(limit + 1, kind=kind, before=_CURSORS.decode(cursor))
    return _CURSORS.page(
        rows, limit, at=lambda row: (row.started_at, row.id), item=lambda row: RehearsalShown.of(row, steps=False)
    )


@router.get("/{rehearsal_id}", dependencies=[MAY_READ], responses=responses(404))
async def get_rehearsal(stored: StoredServices, rehearsal_id: RehearsalId) -> RehearsalShown:
    """One of them, with all its steps."""
    kept = await stored.rehearsals.get(rehearsal_id)
    if kept is None:
        raise Problem(404, f"there is no rehearsal {rehearsal_id}; old ones are not kept for ever")
    return RehearsalShown.of(kept, steps=True)


def _steps(report: Report) -> Iterable[StepShown]:
    for each in report.steps:
        yield StepShown(
            channel=each.channel,
            tried=each.tried,
            what=each.what,
            outcome=each.outcome,
            at=each.at,
            seconds=each.seconds,
            message_id=each.message_id,
            detail=each.detail,
        )


def _script(wanted: RehearsalRequest, policy: AlertPolicy) -> Script:
    channels = list(policy.channels) if wanted.channels is None else wanted.channels
    escalations = list(policy.escalations) if wanted.escalations is None else wanted.escalations
    mistakes = [
        Mistake(location="body", path=f"/{what}", message=f"names {name}, which the policy has not")
        for what, names, known in (
            ("channels", channels, policy.channels),
            ("escalations", escalations, policy.escalations),
        )
        for name in names
        if name not in known
    ]
    if not channels:
        mistakes.append(Mistake(location="body", path="/channels", message="there is none to rehearse on"))
    if mistakes:
        raise wrong_request(*mistakes)
    return Script(
        channels=channels,
        escalations=escalations,
        escalation_seconds=wanted.escalation_seconds,
        mention=wanted.mention,
        press_seconds=wanted.press_seconds,
    )

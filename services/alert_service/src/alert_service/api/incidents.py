"""Incidents over HTTP: what is open and what was, all that happened, and what a person can do about one."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from alert_service.api.incident_shapes import IncidentBrief, IncidentShown, ListedAlert
from alert_service.api.services import AnyServices, Services, Stored, StoredServices
from alert_service.clicks.people import People
from alert_service.incidents.acts import Act, ActKind, Answer, Via
from alert_service.incidents.alert import AlertSeverity, AlertStatus
from alert_service.incidents.desk import NoSuchIncident
from alert_service.incidents.incident import IncidentState
from alert_service.storage.delivery_reports import DeliveryFilter
from alert_service.storage.listing import AlertFilter, IncidentFilter
from common.web.auth import Identity
from common.web.paging import Cursors, CursorText, Limit, Page
from common.web.parts import MAY_READ, Operator
from common.web.problems import Problem, responses

router = APIRouter(prefix="/api/v1", tags=["incidents"])

_INCIDENTS = Cursors("incidents", tuple[datetime, UUID])
_ALERTS = Cursors("alerts", tuple[datetime, UUID, str])
_MOST_LINES = 500

Word = Annotated[str, Field(max_length=253)]
IncidentId = Annotated[UUID, Path(description="The incident's id, as lists of incidents tell it")]
OfAlertname = Annotated[Word | None, Query(description="Only with an alert of this name")]
OfFingerprint = Annotated[Word | None, Query(description="Only with this alert")]
OfSeverity = Annotated[list[AlertSeverity] | None, Query(max_length=4, description="Only of these severities")]


class AcknowledgeRequest(BaseModel):
    """What was seen."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[
        int | None,
        Field(ge=1, description="Of the incident as it was seen: alerts that joined later are not covered. null: all"),
    ] = None


class ResolveRequest(BaseModel):
    """Why it is over, although its source does not say so."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500, description="For the timeline", examples=["The rule was removed"])] = (
        ""
    )


class NoteRequest(BaseModel):
    """A line for the timeline."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2000,
            description="As it is to stand in the timeline",
            examples=["The vendor is on the phone"],
        ),
    ]


class VoteRequest(BaseModel):
    """Whether people should have been told of it."""

    model_config = ConfigDict(extra="forbid")

    noisy: Annotated[bool, Field(description="true: it should not have been told; false: it was useful")]


class Answered(BaseModel):
    """What became of it. `changed` is false for what was too late or done before, which `text` explains."""

    changed: bool
    text: str

    @classmethod
    def of(cls, answer: Answer) -> "Answered":
        return cls(changed=answer.changed, text=answer.text)


def _which(
    *,
    state: Annotated[list[IncidentState] | None, Query(max_length=3, description="In one of these states")] = None,
    severity: OfSeverity = None,
    alertname: OfAlertname = None,
    fingerprint: OfFingerprint = None,
    cluster: Annotated[Word | None, Query(description="Only of this cluster")] = None,
    kind: Annotated[Word | None, Query(description="Only about objects of this kind", examples=["Pod"])] = None,
    namespace: Annotated[Word | None, Query(description="Only about objects in this namespace")] = None,
    name: Annotated[Word | None, Query(description="Only about objects of this name")] = None,
    parent: Annotated[UUID | None, Query(description="Only those that this incident explains")] = None,
) -> IncidentFilter:
    return IncidentFilter(
        states=frozenset(state or ()),
        severities=frozenset(severity or ()),
        alertname=alertname,
        fingerprint=fingerprint,
        cluster=cluster,
        kind=kind,
        namespace=namespace,
        name=name,
        parent_id=parent,
    )


def _which_alerts(
    *,
    status: Annotated[AlertStatus | None, Query(description="Left out: those that fire, and those that did")] = None,
    severity: OfSeverity = None,
    alertname: OfAlertname = None,
    fingerprint: OfFingerprint = None,
    incident: Annotated[UUID | None, Query(description="Only of this incident")] = None,
) -> AlertFilter:
    return AlertFilter(
        status=status,
        severities=frozenset(severity or ()),
        alertname=alertname,
        fingerprint=fingerprint,
        incident_id=incident,
    )


@router.get("/incidents", dependencies=[MAY_READ])
async def list_incidents(
    stored: StoredServices,
    where: Annotated[IncidentFilter, Depends(_which)],
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Page[IncidentBrief]:
    """Incidents, those that opened last first. What is open: `state=firing&state=acknowledged`."""
    found = await stored.listing.search(where, before=_INCIDENTS.decode(cursor), limit=limit + 1)
    return _INCIDENTS.page(
        found, limit, at=lambda each: (each.incident.opened_at, each.incident.id), item=IncidentBrief.of
    )


@router.get("/alerts", dependencies=[MAY_READ])
async def list_alerts(
    stored: StoredServices,
    where: Annotated[AlertFilter, Depends(_which_alerts)],
    limit: Limit = 100,
    cursor: CursorText = None,
) -> Page[ListedAlert]:
    """Alerts, those that began last first; one that came by several routes is there once for each incident."""
    found = await stored.listing.alerts(where, before=_ALERTS.decode(cursor), limit=limit + 1)
    return _ALERTS.page(
        found,
        limit,
        at=lambda each: (each.member.alert.starts_at, each.incident_id, each.member.alert.fingerprint),
        item=ListedAlert.of,
    )


@router.get("/incidents/{incident_id}", dependencies=[MAY_READ], responses=responses(404))
async def get_incident(stored: StoredServices, incident_id: IncidentId) -> IncidentShown:
    """One incident: its alerts, its timeline, and the messages about it."""
    found = await stored.listing.get(incident_id)
    if found is None:
        raise Problem(404, str(NoSuchIncident(incident_id)))
    lines = await stored.listing.timeline(incident_id, limit=_MOST_LINES)
    newest = await stored.delivery_reports.list(DeliveryFilter(incident_id=incident_id), _MOST_LINES)
    return IncidentShown.of(*found, lines, newest[::-1])


class Doing:
    """What all acts by the API share: who does it, where, and the answer."""

    def __init__(
        self, services: AnyServices, stored: StoredServices, caller: Operator, incident_id: IncidentId
    ) -> None:
        self._services: Services = services
        self._stored: Stored = stored
        self._caller: Identity = caller
        self._incident_id = incident_id

    async def do(self, kind: ActKind, *, revision: int | None = None, text: str = "") -> Answered:
        """Raises a problem of 404."""
        act = Act(
            kind=kind,
            incident_id=self._incident_id,
            by=People.of(self._services.policy()).caller(self._caller),
            via=Via.API,
            at=self._services.now(),
            revision=revision,
            text=text,
        )
        try:
            return Answered.of(await self._stored.desk.act(act))
        except NoSuchIncident as error:
            raise Problem(404, str(error)) from None


Acting = Annotated[Doing, Depends()]


@router.post("/incidents/{incident_id}/acknowledge", responses=responses(404))
async def acknowledge_incident(doing: Acting, seen: AcknowledgeRequest) -> Answered:
    """Take it on: escalation stops, and it is repeated to nobody until the acknowledgement expires."""
    return await doing.do(ActKind.ACKNOWLEDGE, revision=seen.revision)


@router.post("/incidents/{incident_id}/unacknowledge", responses=responses(404))
async def unacknowledge_incident(doing: Acting) -> Answered:
    """Take the acknowledgement back: it fires again, and escalation starts over."""
    return await doing.do(ActKind.UNACKNOWLEDGE)


@router.post("/incidents/{incident_id}/escalate", responses=responses(404))
async def escalate_incident(doing: Acting) -> Answered:
    """Tell the next people now."""
    return await doing.do(ActKind.ESCALATE)


@router.post("/incidents/{incident_id}/resolve", responses=responses(404))
async def resolve_incident(doing: Acting, why: ResolveRequest) -> Answered:
    """Close it here, where its source never will. While the source tells that it fires, it is opened again."""
    return await doing.do(ActKind.RESOLVE, text=why.reason)


@router.post("/incidents/{incident_id}/note", responses=responses(404))
async def note_on_incident(doing: Acting, wanted: NoteRequest) -> Answered:
    """Write a line into its timeline."""
    return await doing.do(ActKind.NOTE, text=wanted.text)


@router.post("/incidents/{incident_id}/vote", responses=responses(404))
async def vote_on_incident(doing: Acting, wanted: VoteRequest) -> Answered:
    """Say whether people should have been told: one vote for each person, the last counts."""
    return await doing.do(ActKind.NOISY if wanted.noisy else ActKind.USEFUL)

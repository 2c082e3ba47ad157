"""Why people are told of an incident, or are not, and what comes next. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from alert_service.durations import shortly
from alert_service.incidents.alert import Alert, AlertSeverity, Source
from alert_service.incidents.incident import (
    Acknowledgement,
    Healing,
    Incident,
    IncidentState,
    Suppression,
    SuppressionReason,
)
from alert_service.incidents.timers import Timer, TimerKind, timers_of
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.escalation import Foreseen, foreseen
from alert_service.routing.routing import Asked, Routed, Routes

_MOST_STEPS = 20


class Verdict(StrEnum):
    """Whether people are told, and if not, why."""

    TOLD = "told"
    DIGEST = "digest"  # in the channels' next digest alone
    PLUMBING = "plumbing"  # its severity is told nobody
    NO_ROUTE = "no_route"  # no route that matches names a channel
    SUPPRESSED = "suppressed"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Which alerts are one incident: those that their source gives one group key."""

    source: Source
    group_key: str
    receiver: str
    alerts: int
    firing: int
    truncated: Annotated[int, Field(description="Alerts of the group that its source left out")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Whom the routes name at that time, and why."""

    path: Annotated[
        tuple[Asked, ...], Field(description="The routes that this alert asked, in order, and what each answered")
    ]
    channels: Annotated[Sequence[str], Field(description="Of all its alerts that fire")]
    escalation: str | None
    told: Annotated[Sequence[str], Field(description="Channels that have its card: they hear how it goes on")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """The incident that explains it."""

    parent_id: UUID
    title: str
    state: IncidentState


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAction:
    """What happens by itself, first."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One incident, explained."""

    incident_id: Annotated[UUID | None, Field(description="null: it is not there, this says what would be")]
    title: str
    state: IncidentState
    severity: AlertSeverity
    verdict: Verdict
    summary: Annotated[str, Field(description="In a sentence or two")]
    grouping: Grouping
    routing: Routing
    suppression: Annotated[Suppression | None, Field(description="What holds it back; null: nothing does")]
    correlation: Annotated[Correlation | None, Field(description="null: it stands for itself")]
    acknowledgement: Acknowledgement | None
    healing: Healing | None
    escalation: Annotated[Sequence[Foreseen], Field(description="If nobody acknowledges and nothing holds the clock")]
    timers: Annotated[Sequence[Timer], Field(description="Whatever is due by itself, the first first")]
    next_action: Annotated[NextAction | None, Field(description="null: nothing happens by itself")]


def explained(
    incident: Incident,
    parent: Incident | None,
    policy: AlertPolicy,
    routes: Routes,
    *,
    at: datetime,
    alert: Alert | None = None,
) -> Explanation:
    """As it stands, by the policy that holds. `alert`: the one of it whose way through the routes is told; left out:
    the first."""
    routed = routes.of(incident, at=at)
    path = tuple(_path(incident, alert, routes, at))
    verdict = _verdict(incident, routed.channels, policy)
    steps = _steps(incident, policy)
    action = _next_action(incident, steps, policy)
    return Explanation(
        incident_id=incident.id,
        title=incident.title,
        state=incident.state,
        severity=incident.severity,
        verdict=verdict,
        summary=_with_next(_summary(verdict, incident, parent, routed, policy, at=at), action),
        grouping=_grouping(incident),
        routing=Routing(path=path, channels=routed.channels, escalation=routed.escalation, told=incident.channels),
        suppression=incident.suppression,
        correlation=None if parent is None else _correlation(parent),
        acknowledgement=incident.acknowledgement,
        healing=incident.healing,
        escalation=steps,
        timers=timers_of(incident, policy),
        next_action=action,
    )


def _path(incident: Incident, alert: Alert | None, routes: Routes, at: datetime) -> Iterator[Asked]:
    about = alert or next((each.alert for each in incident.firing), None) or incident
    return routes.path(about.labels, about.annotations, incident.severity, at=at)


def _verdict(incident: Incident, channels: Sequence[str], policy: AlertPolicy) -> Verdict:
    if not incident.open:
        return Verdict.RESOLVED
    if incident.severity in policy.severities.never:
        return Verdict.PLUMBING
    if incident.suppression is not None:
        return Verdict.SUPPRESSED
    if incident.acknowledgement is not None:
        return Verdict.ACKNOWLEDGED
    if not channels and not incident.channels:
        return Verdict.NO_ROUTE
    return Verdict.DIGEST if incident.severity in policy.severities.digest else Verdict.TOLD


def _summary(
    verdict: Verdict, incident: Incident, parent: Incident | None, routed: Routed, policy: AlertPolicy, *, at: datetime
) -> str:
    where = ", ".join(dict.fromkeys((*incident.channels, *routed.channels)))
    by = f" by route {', '.join(routed.routes)}" if routed.routes else ""
    held, ack = incident.suppression, incident.acknowledgement
    held_by = held.detail if held else ""
    if held and held.reason is SuppressionReason.PARENT and parent is not None:
        held_by = f"it belongs to {parent.title}, and is told with it"
    return {
        Verdict.RESOLVED: f"Resolved {shortly(at - incident.resolved_at)} ago." if incident.resolved_at else "",
        Verdict.PLUMBING: f"Nobody is told: the severity {incident.severity} is told nobody.",
        Verdict.SUPPRESSED: f"Nobody is told: {held_by}.",
        Verdict.ACKNOWLEDGED: f"{policy.shown(ack.by)} acknowledged it {shortly(at - ack.at)} ago." if ack else "",
        Verdict.NO_ROUTE: "Nobody is told: no route that matches names a channel.",
        Verdict.DIGEST: f"Told in the next digest of {where}{by}.",
        Verdict.TOLD: f"Told on {where}{by}.",
    }[verdict]


def _with_next(said: str, action: NextAction | None) -> str:
    return said if action is None else f"{said} Next, at {action.at:%Y-%m-%d %H:%M:%S} UTC: {action.text}."


def _grouping(incident: Incident) -> Grouping:
    return Grouping(
        source=incident.source,
        group_key=incident.group_key,
        receiver=incident.receiver,
        alerts=len(incident.members),
        firing=len(incident.firing),
        truncated=incident.truncated,
    )


def _correlation(parent: Incident) -> Correlation:
    return Correlation(parent_id=parent.id, title=parent.title, state=parent.state)


def _steps(incident: Incident, policy: AlertPolicy) -> list[Foreseen]:
    escalation = incident.escalation
    if escalation is None or incident.state is not IncidentState.FIRING:
        return []
    return foreseen(escalation, policy, limit=_MOST_STEPS)


_TEXTS = {
    TimerKind.REPEAT: "people are told again that it still fires",
    TimerKind.ACK_REMINDER: "whoever acknowledged it is reminded",
    TimerKind.ACK_EXPIRY: "the acknowledgement expires, and escalation starts over",
    TimerKind.HEALING_DEADLINE: "healing has had its time, and holds nothing back any more",
    TimerKind.APPROVAL_EXPIRY: "healing waits for a decision no longer",
    TimerKind.ESCALATION: "the next step of its escalation is due",
    TimerKind.EMPTY_END: "it closes, unless its source tells that something of it fires",
    TimerKind.SUPPRESSION_END: "what holds it back ends, and people are told of what still fires",
}


def _next_action(incident: Incident, steps: Sequence[Foreseen], policy: AlertPolicy) -> NextAction | None:
    timer = next(iter(timers_of(incident, policy)), None)
    if timer is None:
        return None
    if timer.kind is TimerKind.ESCALATION and steps:
        whom = ", ".join(policy.called(steps[0].people) or steps[0].channels)
        return NextAction(at=steps[0].at, text=f"step {steps[0].step} of the escalation tells {whom}")
    return NextAction(at=timer.at, text=_TEXTS[timer.kind])

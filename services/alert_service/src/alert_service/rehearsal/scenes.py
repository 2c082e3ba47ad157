"""What a rehearsal shows: the life of one made-up incident, state by state, and others that are hard to show. Pure.

Their names say that they are made up, and labels carry what must not do anything: markup, mentions, links.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from alert_service.alert import Alert, AlertSeverity, AlertStatus, Source
from alert_service.fingerprint import fingerprint_of
from alert_service.incident import (
    Acknowledgement,
    Escalation,
    Healing,
    Incident,
    IncidentState,
    Member,
    Suppression,
    SuppressionReason,
)
from common.contracts.healing import NoticeKind
from common.contracts.objects import ObjectRef

NAME = "Rehearsal"
# Nobody may be notified by it, nothing may become a link or bold, and no template may run it.
HARMLESS = "<!channel> <@U0> *b* [x](https://example.invalid) {{ 1 }} %s {0} <at>all</at> & é"
_MANY = 200
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One state of an incident, to be shown as a card."""

    what: str
    incident: Incident


def life(incident_id: UUID, now: datetime) -> Sequence[Scene]:
    """One incident from its opening to its end: one card, changed in place where that is possible."""
    firing = an_incident(incident_id, now)
    members = firing.members
    acknowledged = replace(
        firing,
        state=IncidentState.ACKNOWLEDGED,
        revision=3,
        acknowledgement=Acknowledgement(
            by="ana@example.com",
            at=now + _MINUTE,
            fingerprints=frozenset(members),
            severity=AlertSeverity.CRITICAL,
            expires_at=now + 240 * _MINUTE,
        ),
    )
    waiting = replace(firing, revision=4, healing=_healing(NoticeKind.APPROVAL_WANTED, now))
    working = replace(firing, revision=5, healing=_healing(NoticeKind.STARTED, now))
    escalated = replace(
        firing, revision=6, escalation=Escalation(policy="rehearsal", step=1, next_at=now + 5 * _MINUTE, told=("ana",))
    )
    resolved = replace(
        firing,
        state=IncidentState.RESOLVED,
        revision=7,
        resolved_at=now + 10 * _MINUTE,
        members={name: replace(each, alert=_ended(each.alert, now)) for name, each in members.items()},
        healing=_healing(NoticeKind.HEALED, now),
    )
    return (
        Scene(what="an incident opens", incident=firing),
        Scene(what="it is acknowledged", incident=acknowledged),
        Scene(what="healing waits for approval", incident=waiting),
        Scene(what="healing works", incident=working),
        Scene(what="it is escalated", incident=escalated),
        Scene(what="it is resolved", incident=resolved),
    )


def others(incident_id: UUID, now: datetime) -> Sequence[Scene]:
    """Each a card of its own."""
    wide = an_incident(incident_id, now, severity=AlertSeverity.WARNING, alerts=_MANY, namespace="rehearsal-wide")
    quiet = an_incident(incident_id, now, severity=AlertSeverity.INFO, namespace="rehearsal-quiet")
    maintenance = Suppression(reason=SuppressionReason.MAINTENANCE, detail="maintenance rehearsal", since=now)
    return (
        Scene(what=f"{_MANY} alerts at once", incident=replace(wide, truncated=37)),
        Scene(what="it is suppressed", incident=replace(quiet, suppression=maintenance)),
    )


def an_incident(
    incident_id: UUID,
    now: datetime,
    *,
    severity: AlertSeverity = AlertSeverity.CRITICAL,
    alerts: int = 2,
    namespace: str = "rehearsal",
) -> Incident:
    """Made up; nothing of it is in the database."""
    common = {"alertname": NAME, "severity": severity.value, "namespace": namespace, "cluster": "rehearsal"}
    members = [
        _member({**common, "pod": f"checkout-{number}", "odd": HARMLESS}, severity, now) for number in range(alerts)
    ]
    return Incident(
        id=incident_id,
        key="rehearsal",
        source=Source.SELF,
        group_key="rehearsal",
        receiver="rehearsal",
        external_url="",
        labels=common,
        annotations={
            "summary": "This is a rehearsal: nothing is wrong",
            "description": f"Text that must come as it is: {HARMLESS}",
            "runbook_url": "https://example.com/runbooks/rehearsal",
        },
        state=IncidentState.FIRING,
        severity=severity,
        opened_at=now,
        changed_at=now,
        members={each.alert.fingerprint: each for each in members},
        subject=ObjectRef(kind="Deployment", namespace=namespace, name="checkout"),
    )


def _member(labels: dict[str, str], severity: AlertSeverity, now: datetime) -> Member:
    alert = Alert(
        fingerprint=fingerprint_of(labels),
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={"summary": f"Pod {labels['pod']} is not wrong at all"},
        starts_at=now,
    )
    return Member(alert=alert, severity=severity, joined_at=now, seen_at=now, revision=1)


def _ended(alert: Alert, now: datetime) -> Alert:
    return msgspec.structs.replace(alert, status=AlertStatus.RESOLVED, ends_at=now + 10 * _MINUTE)


def _healing(kind: NoticeKind, now: datetime) -> Healing:
    """With a run that nobody knows: whoever approves it is told so."""
    waits = kind is NoticeKind.APPROVAL_WANTED
    return Healing(
        run_id=UUID(int=0),
        kind=kind,
        action="restart-pod",
        message=f"rehearsal: {kind.value.replace('-', ' ')}",
        at=now,
        deadline_at=now + 5 * _MINUTE if kind is NoticeKind.STARTED else None,
        approve_until=now + 10 * _MINUTE if waits else None,
    )

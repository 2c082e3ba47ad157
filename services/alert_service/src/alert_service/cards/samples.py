"""Made-up incidents and storms in every state that a card can show: for previews, checks and pictures. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from alert_service.incidents.alert import Alert, AlertSeverity, AlertStatus, Source
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.incident import (
    Acknowledgement,
    Escalation,
    Healing,
    Incident,
    IncidentState,
    Member,
    Suppression,
    SuppressionReason,
)
from alert_service.incidents.subjects import subject_of
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.storm import Storm
from common.contracts.healing import NoticeKind

_ID = UUID("0192f3c4-7a51-7c1e-9d0e-4f6a2b8c9d10")
_RUN = UUID("0192f3c4-8b62-7d2f-8e1f-5a7b3c9d0e21")
_MINUTE = timedelta(minutes=1)
_MANY = 60

POLICY = AlertPolicy.model_validate(
    {
        "people": {
            "ana": {"identity": "ana@example.com", "shown": "Ana", "slack": "U023BECGF", "teams": "ana@example.com"},
            "ben": {"identity": "ben@example.com", "shown": "Ben", "slack": "U061F7AUR", "teams": "ben@example.com"},
        },
        "channels": {"sre": {"kind": "slack", "conversation": "#sre"}},
        "escalations": {"on-call": {"steps": [{"people": ["ana"], "channels": ["sre"]}, {"people": ["ben"]}]}},
    }
)


def incidents(now: datetime) -> Mapping[str, Incident]:
    """By what they show."""
    firing = _crash_loop(now, pods=1)
    two = _crash_loop(now, pods=2)
    first = next(iter(two.members))
    return {
        "firing": replace(firing, escalation=Escalation(policy="on-call", next_at=now + 5 * _MINUTE)),
        "acknowledged": replace(two, state=IncidentState.ACKNOWLEDGED, acknowledgement=_acknowledged(first, now)),
        "approval": replace(firing, healing=_healing(NoticeKind.APPROVAL_WANTED, "wants to roll back to 1.41", now)),
        "healing": replace(
            firing,
            healing=_healing(NoticeKind.STARTED, "rolls back to 1.41, try 1 of 3", now),
            escalation=Escalation(policy="on-call", next_at=now + _MINUTE, held_since=now),
        ),
        "escalated": replace(
            firing, escalation=Escalation(policy="on-call", step=1, next_at=now + 5 * _MINUTE, told=("ana", "sre"))
        ),
        "resolved": _resolved(firing, now),
        "suppressed": replace(firing, suppression=_maintenance(now)),
        "many": replace(_crash_loop(now, pods=_MANY), truncated=37, severity=AlertSeverity.WARNING),
        "bare": replace(firing, labels={}, annotations={}, subject=None, members={}, external_url=""),
    }


def storms(now: datetime) -> Mapping[str, Storm]:
    """By what they show."""
    rages = Storm(
        id=_ID,
        channel="sre",
        started_at=now - 4 * _MINUTE,
        changed_at=now,
        incidents=143,
        alerts=912,
        apart=5,
        counts={
            "namespace": {"shop": 81, "payments": 40, "search": 22},
            "node": {"worker-7": 64, "worker-9": 31},
            "alertname": {"KubePodNotReady": 97, "TargetDown": 46},
        },
    )
    return {"rages": rages, "over": replace(rages, ended_at=now + 9 * _MINUTE)}


def messages() -> Mapping[str, Mapping[str, str]]:
    """What the template `message` gets, by what it shows."""
    title = "KubePodCrashLooping: shop/checkout"
    return {
        "alone": {"about": title, "text": "Ana acknowledged it"},
        "reply": {"about": "", "text": "nobody has acknowledged: step 2 of on-call tells ben"},
    }


def _crash_loop(now: datetime, *, pods: int) -> Incident:
    labels = {"alertname": "KubePodCrashLooping", "cluster": "prod-eu", "namespace": "shop", "severity": "critical"}
    labels |= {"deployment": "checkout", "team": "checkout"}
    members = [_member({**labels, "pod": f"checkout-7d4b9c-{number:05d}"}, now) for number in range(pods)]
    return Incident(
        id=_ID,
        key="sample",
        source=Source.ALERTMANAGER,
        group_key="{}:{}",
        receiver="alert-service",
        external_url="https://alertmanager.example.com",
        labels=labels,
        annotations={
            "summary": "Pod is crash looping",
            "description": "Container app exits with code 1 again and again since revision 42 was rolled out.",
            "runbook_url": "https://example.com/runbooks/KubePodCrashLooping",
        },
        state=IncidentState.FIRING,
        severity=AlertSeverity.CRITICAL,
        opened_at=now - 12 * _MINUTE,
        changed_at=now,
        revision=7,
        members={each.alert.fingerprint: each for each in members},
        subject=subject_of(labels),
    )


def _member(labels: dict[str, str], now: datetime) -> Member:
    alert = Alert(
        fingerprint=fingerprint_of(labels),
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={"summary": "restarted 6 times within 10 min"},
        starts_at=now - 12 * _MINUTE,
        generator_url="https://prometheus.example.com/graph?g0.expr=kube_pod_container_status_waiting_reason",
    )
    return Member(alert=alert, severity=AlertSeverity.CRITICAL, joined_at=now, seen_at=now, revision=1)


def _acknowledged(fingerprint: str, now: datetime) -> Acknowledgement:
    return Acknowledgement(
        by="ana@example.com",
        at=now - 5 * _MINUTE,
        fingerprints=frozenset({fingerprint}),
        severity=AlertSeverity.CRITICAL,
        expires_at=now + 235 * _MINUTE,
    )


def _healing(kind: NoticeKind, message: str, now: datetime) -> Healing:
    return Healing(
        run_id=_RUN,
        kind=kind,
        action="roll-back",
        message=message,
        at=now,
        deadline_at=now + 4 * _MINUTE if kind is NoticeKind.STARTED else None,
        approve_until=now + 15 * _MINUTE if kind is NoticeKind.APPROVAL_WANTED else None,
    )


def _maintenance(now: datetime) -> Suppression:
    until = now + 45 * _MINUTE
    return Suppression(reason=SuppressionReason.MAINTENANCE, detail="maintenance sunday-night", since=now, until=until)


def _resolved(firing: Incident, now: datetime) -> Incident:
    return replace(
        firing,
        state=IncidentState.RESOLVED,
        resolved_at=now,
        members={},
        healing=_healing(NoticeKind.HEALED, "rolled back to 1.41, healthy for 41 s, nobody was paged", now),
    )

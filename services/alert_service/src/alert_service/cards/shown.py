"""What templates see of an incident and of a storm: plain values under names that stay. Pure.

docs/cards.md lists them: a name that is changed here breaks the templates of users.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from typing import Any

from alert_service.cards.marks import foreign
from alert_service.incidents.alert import Labels
from alert_service.incidents.incident import Acknowledgement, Escalation, Healing, Incident, Member, Suppression
from alert_service.incidents.subjects import labels_of
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.escalation import foreseen
from alert_service.routing.storm import Storm

MOST_ALERTS = 30  # of one card; what more there are is counted
_MOST_CHILDREN = 10
_MOST_PLACES = 5
_LONGEST = 2000  # characters of one text

Shown = Mapping[str, Any]


class Texts(dict[str, str]):
    """Labels or annotations: one that is not there is empty."""

    def __missing__(self, key: str) -> str:
        return ""


def incident_shown(
    incident: Incident, policy: AlertPolicy, *, now: datetime, parent: str = "", children: Sequence[str] = ()
) -> dict[str, Any]:
    """`parent` and `children` are titles."""
    members = nsmallest(MOST_ALERTS, incident.members.values(), key=_worst_first)
    total = len(incident.members)
    labels, annotations = _texts(incident.labels), _texts(incident.annotations)
    first = members[0].alert if members else None
    own = _texts(first.annotations) if first is not None else Texts()
    return {
        "id": str(incident.id),
        "title": _clean(incident.title),
        "state": incident.state.value,
        "severity": incident.severity.value,
        "source": incident.source.value,
        "receiver": _clean(incident.receiver),
        "labels": labels,
        "other_labels": _others(incident),
        "annotations": annotations,
        "summary": annotations["summary"] or own["summary"],
        "description": annotations["description"] or (own["description"] if total == 1 else ""),
        "runbook_url": runbook_of(incident),
        "dashboard_url": annotations["dashboard_url"] or own["dashboard_url"],
        "alertmanager_url": _clean(incident.external_url),
        "query_url": _clean(first.generator_url) if first is not None else "",
        "subject": _subject(incident),
        "opened_at": incident.opened_at,
        "changed_at": incident.changed_at,
        "resolved_at": incident.resolved_at,
        "firing": len(incident.firing),
        "total": total,
        "truncated": incident.truncated,
        "alerts": [_alert(each, incident) for each in members],
        "hidden": max(total - MOST_ALERTS, 0),
        "acknowledged": _acknowledged(incident, incident.acknowledgement, policy),
        "healing": _healing(incident.healing, now),
        "escalation": _escalation(incident, incident.escalation, policy),
        "suppressed": _suppressed(incident.suppression),
        "silenced": bool(incident.silences),
        "repeats": incident.repeats,
        "parent": _clean(parent),
        "children": [_clean(each) for each in children[:_MOST_CHILDREN]],
        "more_children": max(len(children) - _MOST_CHILDREN, 0),
        "now": now,
    }


def storm_shown(storm: Storm, now: datetime) -> dict[str, Any]:
    """`namespaces`, `nodes` and `alertnames` are lists of a name and a count, the largest first."""
    return {
        "title": f"Storm: {storm.incidents} incidents",
        "channel": storm.channel,
        "started_at": storm.started_at,
        "changed_at": storm.changed_at,
        "ended_at": storm.ended_at,
        "incidents": storm.incidents,
        "alerts": storm.alerts,
        "apart": storm.apart,
        "namespaces": _largest(storm, "namespace"),
        "nodes": _largest(storm, "node"),
        "alertnames": _largest(storm, "alertname"),
        "now": now,
    }


def runbook_of(incident: Incident) -> str:
    """The one of the incident, or of the worst of its alerts that has any; empty if none has."""
    if url := incident.annotations.get("runbook_url"):
        return _clean(url)
    named = (each for each in incident.members.values() if each.alert.annotations.get("runbook_url"))
    worst = min(named, key=_worst_first, default=None)
    return "" if worst is None else _clean(worst.alert.annotations["runbook_url"])


def _clean(text: str) -> str:
    return foreign(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def _texts(labels: Labels) -> Texts:
    return Texts((_clean(name), _clean(value)) for name, value in labels.items())


def _worst_first(member: Member) -> tuple[bool, int, datetime, str]:
    alert = member.alert
    return (not member.firing, -member.severity.rank, alert.starts_at, alert.fingerprint)


def _subject(incident: Incident) -> str:
    """Deployment shop/checkout."""
    subject = incident.subject
    if subject is None:
        return ""
    return _clean(f"{subject.kind} {'/'.join(part for part in (subject.namespace, subject.name) if part)}")


def _others(incident: Incident) -> Texts:
    """Labels that the card does not show by themselves."""
    shown = {"alertname", "cluster", "namespace", "severity"}
    shown |= labels_of(incident.subject).keys() if incident.subject is not None else set()
    return _texts({name: text for name, text in incident.labels.items() if name not in shown})


def _alert(member: Member, incident: Incident) -> Shown:
    alert, known = member.alert, incident.acknowledgement
    return {
        "name": _clean(alert.name),
        "severity": member.severity.value,
        "firing": member.firing,
        "labels": _texts(alert.labels),
        "own_labels": _texts({name: text for name, text in alert.labels.items() if name not in incident.labels}),
        "annotations": _texts(alert.annotations),
        "summary": _clean(alert.annotations.get("summary", "")),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "query_url": _clean(alert.generator_url),
        "fingerprint": _clean(alert.fingerprint),
        "new": member.firing and known is not None and alert.fingerprint not in known.fingerprints,
    }


def _acknowledged(incident: Incident, known: Acknowledgement | None, policy: AlertPolicy) -> Shown | None:
    if known is None:
        return None
    joined = sum(each.alert.fingerprint not in known.fingerprints for each in incident.firing)
    by = _clean(policy.shown(known.by))
    return {"by": by, "at": known.at, "until": known.expires_at, "joined_since": joined}


def _healing(known: Healing | None, now: datetime) -> Shown | None:
    if known is None:
        return None
    works = known.deadline_at is not None and known.deadline_at > now
    waits = known.approve_until is not None and known.approve_until > now
    return {
        "kind": known.kind.value,
        "action": _clean(known.action),
        "message": _clean(known.message),
        "at": known.at,
        "works_until": known.deadline_at if works else None,
        "approve_until": known.approve_until if waits else None,
    }


def _escalation(incident: Incident, known: Escalation | None, policy: AlertPolicy) -> Shown | None:
    if known is None or not incident.open:
        return None
    due = next(iter(foreseen(known, policy, limit=1)), None)
    people = [policy.people[name] for name in (due.people if due else ()) if name in policy.people]
    return {
        "policy": known.policy,
        "next_at": due.at if due is not None and incident.acknowledgement is None else None,
        "next_people": [_clean(each.shown or each.identity) for each in people],
        "held": known.held_since is not None,
        "told": len(known.told),
        "ended": known.next_at is None,
    }


def _suppressed(known: Suppression | None) -> Shown | None:
    if known is None:
        return None
    return {"reason": known.reason.value, "detail": _clean(known.detail), "since": known.since, "until": known.until}


def _largest(storm: Storm, place: str) -> list[Shown]:
    counts = sorted(storm.counts.get(place, {}).items(), key=lambda each: (-each[1], each[0]))
    return [{"name": _clean(name), "count": count} for name, count in counts[:_MOST_PLACES]]

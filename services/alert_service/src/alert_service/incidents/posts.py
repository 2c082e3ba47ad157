"""What a post does to the incident of its group. Pure.

Repeats change nothing: Alertmanager's peers and retries tell everything several times, and late. A fingerprint that a
post leaves out says nothing about it, and a post that was cut short closes nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from alert_service.durations import shortly
from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import (
    Happening,
    HappeningKind,
    Incident,
    IncidentState,
    Suppression,
    SuppressionReason,
)
from alert_service.incidents.severity import highest
from alert_service.incidents.subjects import subject_of
from alert_service.intake.hearing import Heard, counts, new_member
from alert_service.policy.settings import AlertPolicy
from common.contracts.objects import ObjectRef

_MOST_TURNS = 200


def key_of(source: Source, group_key: str) -> str:
    """Of fixed length, whatever the group key holds. For Alertmanager's it is made as its own external keys are."""
    text = group_key if source is Source.ALERTMANAGER else f"{source}:{group_key}"
    return hashlib.sha256(text.encode()).hexdigest()


def received(
    incident: Incident | None, post: Post, policy: AlertPolicy, *, now: datetime, new_id: UUID
) -> Changed | None:
    """`incident` is the newest of the group's key. None when there is nothing to tell: nothing that fires is new.

    What fires again soon after it was resolved is the same incident, reopened; later it is another one.
    """
    if incident is None or _is_over(incident, policy, now):
        return _opened(incident, post, policy, now, new_id)
    heard = Heard.of(incident, post, policy, now)
    updated = replace(
        incident,
        members=heard.members,
        truncated=post.truncated,
        receiver=post.receiver or incident.receiver,
        external_url=post.external_url or incident.external_url,
    )
    if not heard.news and not _closes_late(updated, post):
        return Changed(incident=updated)
    return _judged(incident, _relabelled(updated, post, policy), heard, now)


def _is_over(incident: Incident, policy: AlertPolicy, now: datetime) -> bool:
    return incident.resolved_at is not None and now - incident.resolved_at > policy.reopen_within


def _closes_late(incident: Incident, post: Post) -> bool:
    """A post that was cut short has left it open with nothing that fires, and this one is whole."""
    return incident.open and not incident.firing and bool(post.alerts) and not post.truncated


def _opened(over: Incident | None, post: Post, policy: AlertPolicy, now: datetime, new_id: UUID) -> Changed | None:
    """What a peer tells late of the incident that is `over` is no new one."""
    known = {} if over is None else over.members
    firing = [
        alert
        for alert in post.alerts
        if alert.status is AlertStatus.FIRING and counts(known.get(alert.fingerprint), alert, now)
    ]
    if not firing:
        return None
    members = {alert.fingerprint: new_member(alert, policy, now, revision=1) for alert in firing}
    severity = highest(member.severity for member in members.values())
    incident = Incident(
        id=new_id,
        key=key_of(post.source, post.group_key),
        source=post.source,
        group_key=post.group_key,
        receiver=post.receiver,
        external_url=post.external_url,
        labels={},
        annotations={},
        state=IncidentState.FIRING,
        severity=severity,
        opened_at=now,
        changed_at=now,
        members=members,
        truncated=post.truncated,
        turns=(now,),
    )
    what = Happening(
        kind=HappeningKind.OPENED,
        at=now,
        text=f"opened with {_alerts(len(members))}, {severity}",
        fingerprints=tuple(members),
    )
    return Changed(incident=_relabelled(incident, post, policy), happenings=(what,))


def _relabelled(incident: Incident, post: Post, policy: AlertPolicy) -> Incident:
    """What the alerts that fire have in common, of which the post may know only some."""
    alerts = [member.alert for member in incident.firing] or [member.alert for member in incident.members.values()]
    labels = _common(alert.labels for alert in alerts)
    return replace(
        incident,
        labels={**post.group_labels, **labels},
        annotations=_common(alert.annotations for alert in alerts),
        subject=_subject(alerts),
    )


def _subject(alerts: Iterable[Alert]) -> ObjectRef | None:
    """The object that all of them are about."""
    subjects = {subject_of(alert.labels) for alert in alerts}
    return subjects.pop() if len(subjects) == 1 else None


def _common(every: Iterable[Mapping[str, str]]) -> dict[str, str]:
    first, *rest = every
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in rest)}


def _judged(before: Incident, after: Incident, heard: Heard, now: datetime) -> Changed:
    """What the post makes of the incident as a whole."""
    firing = after.firing
    if not firing:
        if after.truncated or not before.open:
            return changed(after, *_parts(heard, now))
        return resolved(after, now, _after(before, now), fingerprints=heard.resolved)
    severity = highest(member.severity for member in firing)
    after = replace(after, severity=severity)
    if not before.open:
        return _reopened(after, heard, now)
    happenings = [*_parts(heard, now), *_of_severity(before, after, now)]
    ack = after.acknowledgement
    if ack is not None and severity.rank > ack.severity.rank:
        after = replace(after, state=IncidentState.FIRING, acknowledgement=None, escalation=None)
        text = f"fires again: it is {severity} now, and was {ack.severity} when it was acknowledged"
        happenings.append(Happening(kind=HappeningKind.UNACKNOWLEDGED, at=now, text=text))
    if not happenings:  # only texts are others: the card shows them
        return Changed(incident=replace(after, revision=after.revision + 1, changed_at=now))
    return changed(after, *happenings)


def _parts(heard: Heard, now: datetime) -> list[Happening]:
    told = []
    if heard.joined:
        text = f"{_alerts(len(heard.joined))} joined"
        told.append(Happening(kind=HappeningKind.ALERTS_JOINED, at=now, text=text, fingerprints=heard.joined))
    if heard.resolved:
        text = f"{_alerts(len(heard.resolved))} resolved"
        told.append(Happening(kind=HappeningKind.ALERTS_RESOLVED, at=now, text=text, fingerprints=heard.resolved))
    return told


def _of_severity(before: Incident, after: Incident, now: datetime) -> list[Happening]:
    if after.severity is before.severity:
        return []
    raised = after.severity.rank > before.severity.rank
    kind = HappeningKind.SEVERITY_RAISED if raised else HappeningKind.SEVERITY_LOWERED
    return [Happening(kind=kind, at=now, text=f"{after.severity} now, {before.severity} before")]


def _reopened(after: Incident, heard: Heard, now: datetime) -> Changed:
    text = f"fires again, {_alerts(len(heard.joined))}"
    return changed(
        after,
        Happening(kind=HappeningKind.REOPENED, at=now, text=text, fingerprints=heard.joined),
        state=IncidentState.FIRING,
        resolved_at=None,
        acknowledgement=None,
        escalation=None,
        healing=None,
        notified_at=None,
        repeats=0,
        turns=(*after.turns, now)[-_MOST_TURNS:],
    )


def resolved(
    incident: Incident, now: datetime, why: str, *, by: str = "", via: str = "", fingerprints: tuple[str, ...] = ()
) -> Changed:
    """The incident closed, and whatever went on about it ended."""
    return changed(
        incident,
        Happening(
            kind=HappeningKind.RESOLVED,
            at=now,
            by=by,
            text=f"resolved {why}",
            fingerprints=fingerprints,
            details={"via": via} if via else {},
        ),
        state=IncidentState.RESOLVED,
        resolved_at=now,
        acknowledgement=None,
        escalation=None,
        suppression=_still(incident.suppression),
        turns=(*incident.turns, now)[-_MOST_TURNS:],
    )


def _still(suppression: Suppression | None) -> Suppression | None:
    """What goes to and fro is kept quiet on its way back too."""
    return suppression if suppression is not None and suppression.reason is SuppressionReason.FLAPPING else None


def _after(incident: Incident, now: datetime) -> str:
    return f"after {shortly(now - incident.opened_at)}"


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"

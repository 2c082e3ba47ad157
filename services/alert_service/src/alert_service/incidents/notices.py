"""What a healing notice does to the incident that it concerns, and when it is one of its own. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.incident import Happening, HappeningKind, Healing, Incident
from alert_service.incidents.subjects import labels_of
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.correlation import may_be_of, objects_of
from common.contracts.healing import Notice, NoticeKind
from common.contracts.objects import ObjectKey, ObjectRef

# A person is needed, also when nobody has told of the fault itself.
NEEDS_PEOPLE = frozenset({NoticeKind.APPROVAL_WANTED, NoticeKind.FAILED, NoticeKind.HUMAN_NEEDED})


def noticed(incident: Incident, notice: Notice, policy: AlertPolicy, *, now: datetime) -> Changed:
    """Notices may come twice and out of order: what is older than what is known changes nothing."""
    known = incident.healing
    if known is not None and (notice.at < known.at or (notice.at == known.at and notice.kind is known.kind)):
        return Changed(incident=incident)
    told = healing_of(notice, policy, now=now, known=known, source=incident.source)
    return changed(incident, _said(notice.message, notice.actor, told, now, guard=notice.guard), healing=told)


def healing_of(
    notice: Notice,
    policy: AlertPolicy,
    *,
    now: datetime,
    known: Healing | None = None,
    source: Source = Source.ALERTMANAGER,
) -> Healing:
    """What is told of healing by the notice, after what is `known`. What it calls healed is waited for until `source`
    has told so too.

    However long it wants, and however often it begins anew, it has no longer than the policy gives it, counted from
    when it first began.
    """
    since = known.since if known is not None else None
    since = since or (now if notice.kind in (NoticeKind.STARTED, NoticeKind.HEALED) else None)
    deadline = None
    if since is not None and notice.kind is NoticeKind.STARTED:
        longest = since + policy.healing.hold_at_most
        deadline = min(notice.deadline_at or longest, longest)
    elif since is not None and notice.kind is NoticeKind.HEALED:
        deadline = min(now, since + policy.healing.hold_at_most) + source.ends_within
    return Healing(
        run_id=notice.run_id,
        kind=notice.kind,
        action=notice.action,
        message=notice.message,
        at=notice.at,
        cluster=notice.cluster,
        since=since,
        deadline_at=deadline if deadline is not None and deadline > now else None,
        approve_until=notice.approve_until if notice.kind is NoticeKind.APPROVAL_WANTED else None,
    )


def joined(incident: Incident, told: Mapping[ObjectKey, Healing], *, now: datetime) -> Changed:
    """Healing that was told of an object of it before it opened, if it is still at work or waits for somebody."""
    found = [told[ref.key] for ref in objects_of(incident) if ref.key in told]
    newest = max((each for each in found if may_be_of(incident, each.cluster)), key=lambda each: each.at, default=None)
    until = None if newest is None else newest.deadline_at or newest.approve_until
    if newest is None or until is None or until <= now:
        return Changed(incident=incident)
    return changed(incident, _said(newest.message, "", newest, now), healing=newest)


def _said(text: str, by: str, told: Healing, now: datetime, *, guard: str = "") -> Happening:
    details = {"kind": told.kind, "run": str(told.run_id or ""), "action": told.action, "guard": guard}
    return Happening(kind=HappeningKind.HEALING, at=now, by=by, text=text, details=details)


def over_due(incident: Incident, *, now: datetime) -> Changed:
    """Healing said nothing until its deadline, or nobody answered it: from now on it holds nothing back."""
    healing = incident.healing
    if healing is not None and healing.deadline_at is not None and now >= healing.deadline_at:
        action = healing.action or "healing"
        over = "is said to have healed it, but it still fires" if healing.kind.ended else "has not ended in time"
        what = _silent(f"{action} {over}", "overdue", now)
        return changed(incident, what, healing=replace(healing, deadline_at=None))
    if healing is not None and healing.approve_until is not None and now >= healing.approve_until:
        what = _silent(f"nobody approved {healing.action or 'healing'} in time", "expired", now)
        return changed(incident, what, healing=replace(healing, approve_until=None))
    return Changed(incident=incident)


def _silent(text: str, kind: str, now: datetime) -> Happening:
    return Happening(kind=HappeningKind.HEALING, at=now, text=text, details={"kind": kind})


def post_of(notice: Notice) -> Post:
    """The notice as alerts about its subject, which fire while a person is needed: to decide, or because healing did
    not help. Any other notice ends the first, and only success the second."""
    undecided, failed = "HealingNeedsApproval", "HealingFailed"
    said = [_alert(notice, undecided, firing=notice.kind is NoticeKind.APPROVAL_WANTED)]
    if notice.kind.bad or notice.kind is NoticeKind.HEALED:
        said.append(_alert(notice, failed, firing=notice.kind.bad))
    return Post(source=Source.HEALING, group_key=group_of(notice.cluster, notice.subject), alerts=tuple(said))


def _alert(notice: Notice, name: str, *, firing: bool) -> Alert:
    labels = {"alertname": name, **_place(notice.cluster), **labels_of(notice.subject)}
    severity = "critical" if notice.kind is NoticeKind.HUMAN_NEEDED else "warning"
    return Alert(
        fingerprint=fingerprint_of(labels),
        status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
        labels={**labels, "severity": severity, "code": notice.code},
        annotations={"summary": notice.message},
        starts_at=notice.at,
        ends_at=None if firing else notice.at,
    )


def _place(cluster: str) -> dict[str, str]:
    return {"cluster": cluster} if cluster else {}


def group_of(cluster: str, subject: ObjectRef) -> str:
    return f"{cluster}/{subject.kind}/{subject.namespace}/{subject.name}"

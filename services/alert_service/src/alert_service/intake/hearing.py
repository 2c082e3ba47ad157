"""What the alerts of a post say that is not known yet, and what is only told late or again. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from alert_service.incidents.alert import Alert, AlertStatus, Post
from alert_service.incidents.incident import Incident, Member
from alert_service.incidents.severity import severity_of
from alert_service.policy.settings import AlertPolicy

# How long a peer or a retry of Alertmanager may still tell what is over: it tries until the group's next interval.
# Whoever fires again meanwhile, in the same episode, is found when open alerts are compared with Alertmanager's.
LATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The members after a post, and whose state it changed."""

    members: Mapping[str, Member]
    joined: tuple[str, ...]
    resolved: tuple[str, ...]
    changed: bool  # another severity, or other texts

    @property
    def news(self) -> bool:
        return bool(self.joined or self.resolved or self.changed)

    @classmethod
    def of(cls, incident: Incident, post: Post, policy: AlertPolicy, now: datetime) -> "Heard":
        members = dict(incident.members)
        joined, resolved, other = [], [], False
        for alert in post.alerts:
            before = members.get(alert.fingerprint)
            if not counts(before, alert, now):
                continue
            members[alert.fingerprint] = after = _followed(incident, alert, policy, now)
            if after.firing and not (before and before.firing):
                joined.append(alert.fingerprint)
            elif not after.firing and before and before.firing:
                resolved.append(alert.fingerprint)
            elif before and (before.severity, before.alert.annotations) != (after.severity, after.alert.annotations):
                other = True
        return cls(members=members, joined=tuple(joined), resolved=tuple(resolved), changed=other)


def counts(before: Member | None, alert: Alert, now: datetime) -> bool:
    """Whether the alert says anything that is not older than what is known."""
    firing = alert.status is AlertStatus.FIRING
    if before is None:
        return firing
    if before.firing:
        known = before.alert.starts_at
        return alert.starts_at >= known or firing or (alert.ends_at is not None and alert.ends_at >= known)
    if not firing:
        return alert.starts_at >= before.alert.starts_at
    # The clocks of two Prometheus may differ: what began before the last episode did may still be a new one.
    return alert.starts_at > before.alert.starts_at or now - before.seen_at > LATE


def _followed(incident: Incident, alert: Alert, policy: AlertPolicy, now: datetime) -> Member:
    before = incident.members.get(alert.fingerprint)
    after = new_member(alert, policy, now, revision=incident.revision + 1)
    if before is None or not before.firing:
        return after
    if (
        alert.starts_at < before.alert.starts_at
    ):  # else what a peer tells late of this episode would seem to end a later
        after = replace(after, alert=msgspec.structs.replace(alert, starts_at=before.alert.starts_at))
    # No card has shown it as bad as it is now: who presses a button of an earlier one does not know.
    raised = after.severity.rank > before.severity.rank
    return replace(after, joined_at=before.joined_at, revision=after.revision if raised else before.revision)


def new_member(alert: Alert, policy: AlertPolicy, now: datetime, *, revision: int) -> Member:
    severity = severity_of(alert.labels, policy.severities)
    return Member(alert=alert, severity=severity, joined_at=now, seen_at=now, revision=revision)

"""What keeps people from being told of an incident: maintenance, healing at work, a parent that tells it all. Pure.

What is suppressed opens, is shown and closes like anything else; only nobody is told, until it ends.
"""

from collections.abc import Mapping
from datetime import datetime

from alert_service.alert import AlertSeverity
from alert_service.incident import Incident, Suppression, SuppressionReason
from alert_service.matchers import all_match, parse_matcher
from alert_service.policy.settings import AlertPolicy, MaintenancePart
from common.schedule import Schedule


def suppression_of(
    incident: Incident, parent: Incident | None, policy: AlertPolicy, *, now: datetime
) -> Suppression | None:
    """The strongest reason first."""
    return _maintained(incident, policy, now) or _with_parent(incident, parent, now) or _healed(incident, policy, now)


def _maintained(incident: Incident, policy: AlertPolicy, now: datetime) -> Suppression | None:
    for part in policy.maintenance:
        until = maintained_until(part, incident.labels, now)
        if until is not None:
            detail = f"within the maintenance window {part.name}"
            return Suppression(reason=SuppressionReason.MAINTENANCE, detail=detail, since=now, until=until)
    return None


def maintained_until(part: MaintenancePart, labels: Mapping[str, str], now: datetime) -> datetime | None:
    """When the window that is open for such labels ends; None: none is."""
    if not all_match(map(parse_matcher, part.match), labels):
        return None
    if part.starts_at is not None:
        until = part.starts_at + part.lasts
        return until if part.starts_at <= now < until else None
    if part.cron is None:
        return None
    # The last beginning is the first one after a window's length ago.
    began = Schedule(part.cron, part.zone).next_after(now - part.lasts)
    return began + part.lasts if began <= now else None


def _with_parent(incident: Incident, parent: Incident | None, now: datetime) -> Suppression | None:
    """Whoever is told of the parent knows; one that is worse than its parent is told all the same."""
    if parent is None or not parent.open or incident.severity.rank > parent.severity.rank:
        return None
    until = None if parent.suppression is None else parent.suppression.until
    detail = f"told with its parent {parent.id}"
    return Suppression(reason=SuppressionReason.PARENT, detail=detail, since=now, until=until)


def _healed(incident: Incident, policy: AlertPolicy, now: datetime) -> Suppression | None:
    healing = incident.healing
    if healing is None or healing.deadline_at is None or not policy.healing.quiet:
        return None
    if incident.severity is AlertSeverity.CRITICAL or now >= healing.deadline_at:
        return None
    return Suppression(
        reason=SuppressionReason.HEALING,
        detail=f"{healing.action or 'healing'} is at work",
        since=now,
        until=healing.deadline_at,
    )

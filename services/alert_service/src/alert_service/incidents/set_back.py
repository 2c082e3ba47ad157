"""An incident whose newest change lies ahead: the clock was set back since. Pure.

What it waits for would come as much later as the clock was set back; so it waits anew from now on, as it did from its
newest change on.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from alert_service.incidents.incident import Acknowledgement, Escalation, Healing, Incident, Suppression

# Clocks of two replicas may differ by less.
SKEW = timedelta(minutes=1)


def set_back(incident: Incident, now: datetime) -> Incident:
    """As it is by the clock of now. What others decide by their own clocks stays: silences, and approvals."""
    by = incident.changed_at - now
    return replace(
        incident,
        changed_at=now,
        notified_at=_earlier(incident.notified_at, by),
        acknowledgement=_acknowledged(incident.acknowledgement, by),
        escalation=_escalated(incident.escalation, by),
        healing=_healed(incident.healing, by),
        suppression=_suppressed(incident.suppression, by),
        turns=tuple(each - by for each in incident.turns),
    )


def _earlier(at: datetime | None, by: timedelta) -> datetime | None:
    return None if at is None else at - by


def _acknowledged(ack: Acknowledgement | None, by: timedelta) -> Acknowledgement | None:
    if ack is None:
        return None
    remind_at, expires_at = _earlier(ack.remind_at, by), _earlier(ack.expires_at, by)
    return replace(ack, at=ack.at - by, remind_at=remind_at, expires_at=expires_at)


def _escalated(escalation: Escalation | None, by: timedelta) -> Escalation | None:
    if escalation is None:
        return None
    next_at, held_since = _earlier(escalation.next_at, by), _earlier(escalation.held_since, by)
    return replace(escalation, next_at=next_at, held_since=held_since)


def _healed(healing: Healing | None, by: timedelta) -> Healing | None:
    if healing is None:
        return None
    return replace(healing, since=_earlier(healing.since, by), deadline_at=_earlier(healing.deadline_at, by))


def _suppressed(suppression: Suppression | None, by: timedelta) -> Suppression | None:
    if suppression is None:
        return None
    return replace(suppression, since=suppression.since - by, until=_earlier(suppression.until, by))

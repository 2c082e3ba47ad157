"""What happens to an incident by itself as time goes by. Pure.

`next_at` says when to look again; looking too early or too often does no harm.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alert_service.durations import shortly
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import Happening, HappeningKind, Incident, IncidentState, SuppressionReason
from alert_service.incidents.notices import over_due
from alert_service.incidents.posts import resolved
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.escalation import due_at

EMPTY_FOR = timedelta(hours=1)


def tick(incident: Incident, policy: AlertPolicy, *, now: datetime) -> Changed:
    """Everything that is due, but escalation, which tells people of its own."""
    if not incident.open:
        return Changed(incident=incident)
    done = over_due(incident, now=now)
    for step in (_emptied, _ack_expired, _ack_reminded, _repeated):
        if done.incident.open:
            done = done.then(step(done.incident, policy, now))
    return done


class TimerKind(StrEnum):
    """What is due by itself."""

    REPEAT = "repeat"
    ACK_REMINDER = "ack_reminder"
    ACK_EXPIRY = "ack_expiry"
    HEALING_DEADLINE = "healing_deadline"
    APPROVAL_EXPIRY = "approval_expiry"
    ESCALATION = "escalation"
    SUPPRESSION_END = "suppression_end"
    EMPTY_END = "empty_end"  # nothing of it that is known fires


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """One thing that is due."""

    kind: TimerKind
    at: datetime


def timers_of(incident: Incident, policy: AlertPolicy) -> list[Timer]:
    """The first that is due comes first."""
    if not incident.open:
        return []
    due = [(TimerKind.REPEAT, _repeat_at(incident, policy)), (TimerKind.EMPTY_END, _empty_until(incident))]
    if (ack := incident.acknowledgement) is not None:
        due += [(TimerKind.ACK_REMINDER, ack.remind_at), (TimerKind.ACK_EXPIRY, ack.expires_at)]
    if (healing := incident.healing) is not None:
        due += [(TimerKind.HEALING_DEADLINE, healing.deadline_at), (TimerKind.APPROVAL_EXPIRY, healing.approve_until)]
    if incident.escalation is not None and _climbs(incident):
        due.append((TimerKind.ESCALATION, due_at(incident.escalation, policy)))
    if incident.suppression is not None:
        due.append((TimerKind.SUPPRESSION_END, incident.suppression.until))
    known = (Timer(kind=kind, at=at) for kind, at in due if at is not None)
    return sorted(known, key=lambda each: each.at)


def next_at(incident: Incident, policy: AlertPolicy) -> datetime | None:
    """The earliest instant at which something is due; None: nothing happens by itself."""
    return next((each.at for each in timers_of(incident, policy)), None)


def _climbs(incident: Incident) -> bool:
    """Whether the clock of its escalation runs."""
    held = incident.escalation is not None and incident.escalation.held_since is not None
    hushed = incident.suppression is not None and incident.suppression.reason is not SuppressionReason.HEALING
    return incident.state is IncidentState.FIRING and not hushed and not held


def _empty_until(incident: Incident) -> datetime | None:
    """A post that was cut short may leave it open with nothing that fires, and no other may ever come: by then whoever
    compares with the source has found what still fires."""
    if incident.firing or not incident.members:
        return None
    return max(member.seen_at for member in incident.members.values()) + EMPTY_FOR


def _emptied(incident: Incident, policy: AlertPolicy, now: datetime) -> Changed:
    until = _empty_until(incident)
    if until is None or now < until:
        return Changed(incident=incident)
    return resolved(incident, now, f"after {shortly(EMPTY_FOR)} in which nothing of it that is known fired")


def _ack_expired(incident: Incident, policy: AlertPolicy, now: datetime) -> Changed:
    ack = incident.acknowledgement
    if ack is None or ack.expires_at is None or now < ack.expires_at:
        return Changed(incident=incident)
    text = f"fires again: the acknowledgement by {policy.shown(ack.by)} has expired after {shortly(now - ack.at)}"
    what = Happening(kind=HappeningKind.ACK_EXPIRED, at=now, text=text, details={"by": ack.by})
    # People are told by this: a repetition beside it would say the same.
    return changed(
        incident, what, state=IncidentState.FIRING, acknowledgement=None, escalation=None, notified_at=now, repeats=0
    )


def _ack_reminded(incident: Incident, policy: AlertPolicy, now: datetime) -> Changed:
    ack = incident.acknowledgement
    if ack is None or ack.remind_at is None or now < ack.remind_at:
        return Changed(incident=incident)
    text = f"still fires, {shortly(now - ack.at)} after {policy.shown(ack.by)} acknowledged it"
    what = Happening(kind=HappeningKind.ACK_REMINDED, at=now, text=text, details={"by": ack.by})
    again = now + policy.acknowledgement.remind_after
    later = again if ack.expires_at is None or again < ack.expires_at else None
    return changed(incident, what, acknowledgement=replace(ack, remind_at=later))


def _repeated(incident: Incident, policy: AlertPolicy, now: datetime) -> Changed:
    due, lost = _repeat_at(incident, policy), _lost(incident, policy)
    if not lost and (due is None or now < due):
        return Changed(incident=incident)
    text = f"still firing, for {shortly(now - incident.opened_at)} now"
    what = Happening(kind=HappeningKind.REPEATED, at=now, text=text)
    channels = () if lost else incident.channels
    return changed(incident, what, notified_at=now, repeats=incident.repeats + 1, channels=channels)


def _lost(incident: Incident, policy: AlertPolicy) -> bool:
    """People were told on channels of which the policy has none any more: nobody may be left who knows."""
    quiet = incident.suppression is not None or incident.state is not IncidentState.FIRING
    return not quiet and bool(incident.channels) and policy.channels.keys().isdisjoint(incident.channels)


def _repeat_at(incident: Incident, policy: AlertPolicy) -> datetime | None:
    """When people are told again; each further time after a longer while."""
    quiet = incident.suppression is not None or incident.state is not IncidentState.FIRING
    if quiet or incident.notified_at is None or not policy.repeat.first:
        return None
    # In seconds, with a bounded exponent: a duration of so many powers would be none any more.
    first, longest = policy.repeat.first.total_seconds(), policy.repeat.longest.total_seconds()
    wait = first * policy.repeat.factor ** min(incident.repeats, 100)
    return incident.notified_at + timedelta(seconds=min(wait, max(longest, first)))

"""What follows from a change of an incident: who is told, what it belongs to, what holds it back, what is next. Pure.

Every change goes through here before it is stored, whoever made it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alert_service.change import Changed, changed
from alert_service.correlation import parent_of
from alert_service.escalation import advance, started
from alert_service.flapping import flaps_until
from alert_service.incident import Happening, HappeningKind, Incident, IncidentState, Suppression, SuppressionReason
from alert_service.notify import Places, wanted
from alert_service.policy.settings import AlertPolicy
from alert_service.routing import Routed, Routes
from alert_service.suppression import suppression_of
from alert_service.timers import next_at
from alert_service.wanted import DeliveryKind, NotifyReason, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else has to be known to settle one incident."""

    policy: AlertPolicy
    routes: Routes
    near: Sequence[Incident] = ()  # open ones that it may belong to: when it opens, or one of them just did
    parent: Incident | None = None
    storming: Callable[[str, Incident], bool] = lambda channel, incident: False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """To be stored as one: the incident, its timeline, the messages."""

    incident: Incident
    happenings: tuple[Happening, ...]
    wanted: tuple[Wanted, ...]
    channels: tuple[str, ...]
    next_at: datetime | None


def settle(before: Incident | None, done: Changed, around: Surroundings, *, now: datetime) -> Settled:
    """`before` is None for one that has just opened."""
    policy = around.policy
    done, parent = _correlated(done, around, now)
    done = _held_back(done, parent, policy, now)
    routed = around.routes.route(done.incident.labels, done.incident.annotations, done.incident.severity, at=now)
    done, escalated = _escalated(done, routed, policy, now)
    places = Places(
        policy=policy,
        now=now,
        channels=routed.channels,
        storming=lambda channel: around.storming(channel, done.incident),
    )
    messages = (*wanted(before, done, places), *escalated, *_of_parent(before, done, places))
    incident = done.incident
    if any(each.loud for each in messages):
        incident = replace(incident, notified_at=now)
    return Settled(
        incident=incident,
        happenings=done.happenings,
        wanted=messages,
        channels=routed.channels,
        next_at=next_at(incident, policy),
    )


def _correlated(done: Changed, around: Surroundings, now: datetime) -> tuple[Changed, Incident | None]:
    """It looks for a parent while it has none, and keeps the one it found."""
    incident = done.incident
    if incident.parent_id is not None or not incident.open:
        return done, around.parent
    found = parent_of(incident, around.near, around.policy, now=now)
    if found is None:
        return done, None
    what = Happening(kind=HappeningKind.CORRELATED, at=now, text=found.why, details={"parent": str(found.incident.id)})
    return done.then(changed(incident, what, parent_id=found.incident.id)), found.incident


def _held_back(done: Changed, parent: Incident | None, policy: AlertPolicy, now: datetime) -> Changed:
    """Whether people are kept from being told, and what changed about that."""
    before = done.incident.suppression
    after = _suppression(done.incident, parent, policy, now)
    if after is None and before is None:
        return done
    if after is None:
        if not done.incident.open:
            return Changed(incident=replace(done.incident, suppression=None), happenings=done.happenings)
        what = Happening(kind=HappeningKind.UNSUPPRESSED, at=now, text=f"{_ended(before)}: people are told again")
        return done.then(changed(done.incident, what, suppression=None))
    if before is not None and before.reason is after.reason:
        kept = replace(after, since=before.since)
        return Changed(incident=replace(done.incident, suppression=kept), happenings=done.happenings)
    kind = HappeningKind.FLAPPING if after.reason is SuppressionReason.FLAPPING else HappeningKind.SUPPRESSED
    what = Happening(kind=kind, at=now, text=after.detail, details={"reason": after.reason})
    # While healing works escalation waits; whatever else holds it back, it starts over afterwards.
    held = done.incident.escalation if after.reason is SuppressionReason.HEALING else None
    return done.then(changed(done.incident, what, suppression=after, escalation=held))


def _suppression(incident: Incident, parent: Incident | None, policy: AlertPolicy, now: datetime) -> Suppression | None:
    if not incident.open:
        return None
    found = suppression_of(incident, parent, policy, now=now)
    if found is not None:
        return found
    until = flaps_until(incident, policy.flapping, now)
    if until is None:
        return None
    turns = len(incident.turns)
    detail = f"goes to and fro ({turns} turns so far): quiet until it holds still"
    return Suppression(reason=SuppressionReason.FLAPPING, detail=detail, since=now, until=until)


def _ended(before: Suppression | None) -> str:
    return "nothing holds it back any more" if before is None else f"no longer held back by {before.reason}"


def _escalated(done: Changed, routed: Routed, policy: AlertPolicy, now: datetime) -> tuple[Changed, tuple[Wanted, ...]]:
    """Begins where the route says so, and goes one step further when that is due."""
    incident = done.incident
    hushed = incident.suppression is not None and incident.suppression.reason is not SuppressionReason.HEALING
    if incident.state is not IncidentState.FIRING or hushed:
        return done, ()
    if incident.escalation is None:
        if routed.escalation is None:
            return done, ()
        begun = started(routed.escalation, policy, now=now)
        done = Changed(incident=replace(incident, escalation=begun), happenings=done.happenings)
    step = advance(done.incident, policy, now=now)
    return done.then(step.changed), step.wanted


def _of_parent(before: Incident | None, done: Changed, places: Places) -> tuple[Wanted, ...]:
    """The parent's card tells of its children."""
    parent = done.incident.parent_id
    known = before is not None and before.parent_id == parent and before.state is done.incident.state
    if parent is None or known:
        return ()
    return tuple(
        Wanted(
            kind=DeliveryKind.CARD,
            channel=channel,
            reason=NotifyReason.CHANGED,
            incident_id=parent,
            quiet=True,
        )
        for channel in places.channels
    )

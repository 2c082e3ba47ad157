"""What follows from a change of an incident: who is told, what it belongs to, what holds it back, what is next. Pure.

Every change goes through here before it is stored, whoever made it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import (
    Happening,
    HappeningKind,
    Incident,
    IncidentState,
    Suppression,
    SuppressionReason,
)
from alert_service.incidents.timers import next_at
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.correlation import parent_of
from alert_service.routing.escalation import advance, started
from alert_service.routing.notify import Places, is_news, is_urgent, wanted
from alert_service.routing.routing import Routed, Routes
from alert_service.routing.suppression import in_storm, suppression_of
from alert_service.routing.wanted import DeliveryKind, NotifyReason, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else has to be known to settle one incident."""

    policy: AlertPolicy
    routes: Routes
    near: Sequence[Incident] = ()  # open ones that it may belong to: when it opens, or one of them just did
    parent: Incident | None = None
    storming: Callable[[str, Incident], bool] = lambda channel, incident: False
    turn: Callable[[str], int] = lambda escalation: 0  # of an escalation that begins, for round robin


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
    routed = _routed(done.incident, around, now)
    done, stormy = _held_back(done, parent, routed, around, now)
    done, escalated = _escalated(done, routed, around, now)
    messages = (
        *wanted(before, done, Places(policy=policy, now=now, channels=routed.channels, stormy=stormy)),
        *escalated,
        *_of_parent(before, done, parent, policy, now=now),
    )
    incident = _told(done.incident, messages, now)
    return Settled(
        incident=incident,
        happenings=done.happenings,
        wanted=messages,
        channels=routed.channels,
        next_at=next_at(incident, policy),
    )


def _routed(incident: Incident, around: Surroundings, now: datetime) -> Routed:
    return around.routes.of(incident, at=now)


def _correlated(done: Changed, around: Surroundings, now: datetime) -> tuple[Changed, Incident | None]:
    """It looks for a parent while it has none, and keeps the one it found; one that fires anew looks again when that
    one is over."""
    incident = done.incident
    orphaned = done.has(HappeningKind.REOPENED) and (around.parent is None or not around.parent.open)
    if not incident.open or (incident.parent_id is not None and not orphaned):
        return done, around.parent
    found = parent_of(incident, around.near, around.policy)
    if found is None:
        return done, around.parent if incident.parent_id is not None else None
    what = Happening(kind=HappeningKind.CORRELATED, at=now, text=found.why, details={"parent": str(found.incident.id)})
    return done.then(changed(incident, what, parent_id=found.incident.id)), found.incident


def _held_back(
    done: Changed, parent: Incident | None, routed: Routed, around: Surroundings, now: datetime
) -> tuple[Changed, frozenset[str]]:
    """Whether people are kept from being told, and the channels that are told by the card of their storm instead."""
    if not done.incident.open:
        return done, frozenset()
    unheard = set() if parent is None else _unheard(routed, parent, around, now)
    after = suppression_of(done.incident, parent, around.policy, unheard=unheard, now=now)
    if after is not None:
        return _suppressed(done, after, now), frozenset()
    stormy = _stormy(done, routed, around)
    return _suppressed(done, _by_storm(done, stormy, routed, now), now), stormy


def _suppressed(done: Changed, after: Suppression | None, now: datetime) -> Changed:
    """With what changed about it."""
    before = done.incident.suppression
    if after is None:
        if before is None:
            return done
        text = f"no longer held back ({before.detail}), and still firing"
        what = Happening(kind=HappeningKind.UNSUPPRESSED, at=now, text=text)
        return done.then(changed(done.incident, what, suppression=None))
    if before is not None and before.reason is after.reason:
        kept = replace(after, since=before.since)
        return Changed(incident=replace(done.incident, suppression=kept), happenings=done.happenings)
    kind = HappeningKind.FLAPPING if after.reason is SuppressionReason.FLAPPING else HappeningKind.SUPPRESSED
    what = Happening(kind=kind, at=now, text=after.detail, details={"reason": after.reason})
    # While healing works escalation waits; whatever else holds it back, it starts over afterwards.
    held = done.incident.escalation if after.reason is SuppressionReason.HEALING else None
    return done.then(changed(done.incident, what, suppression=after, escalation=held))


def _unheard(routed: Routed, parent: Incident, around: Surroundings, now: datetime) -> set[str]:
    """Channels that would be told of the incident, and are not told of its parent."""
    return set(routed.channels) - {*parent.channels, *_routed(parent, around, now).channels}


def _by_storm(done: Changed, stormy: Collection[str], routed: Routed, now: datetime) -> Suppression | None:
    """What stands on the cards of storms alone stays there, until one of them is over and lifts it, or until it is
    another matter than they told of."""
    before = done.incident.suppression
    another = done.has(HappeningKind.SEVERITY_RAISED, HappeningKind.REOPENED)
    if before is not None and before.reason is SuppressionReason.STORM and not another:
        return before if before.until is None or now < before.until else None
    return in_storm(now) if stormy and set(routed.channels) <= set(stormy) else None


def _stormy(done: Changed, routed: Routed, around: Surroundings) -> frozenset[str]:
    """The channels that are to hear of it by the card of their storm alone. Only those that would get its card are
    asked: a storm is too many cards."""
    incident, severities = done.incident, around.policy.severities
    anew = incident.suppression is not None and incident.suppression.reason is not SuppressionReason.STORM
    untold = incident.severity in severities.never or incident.severity in severities.digest
    if untold or is_urgent(done) or not (anew or is_news(done) or done.has(HappeningKind.ALERTS_JOINED)):
        return frozenset()
    # What held it back is over: it is told like one that has just opened.
    incident = replace(incident, suppression=None) if anew else incident
    return frozenset(each for each in routed.channels if around.storming(each, incident))


def _escalated(
    done: Changed, routed: Routed, around: Surroundings, now: datetime
) -> tuple[Changed, tuple[Wanted, ...]]:
    """Begins where the route says so, and goes one step further when that is due, or a person asks for it."""
    incident, policy = done.incident, around.policy
    hushed = incident.suppression is not None and incident.suppression.reason is not SuppressionReason.HEALING
    forced = incident.escalation is not None and incident.escalation.forced
    if incident.state is not IncidentState.FIRING or (hushed and not forced):
        return done, ()
    if not forced and incident.severity in (*policy.severities.never, *policy.severities.digest):
        return _without_escalation(done), ()
    if incident.escalation is None or incident.escalation.policy not in policy.escalations:
        if routed.escalation is None:
            return _without_escalation(done), ()
        begun = started(routed.escalation, policy, now=now, turn=around.turn(routed.escalation))
        done = Changed(incident=replace(incident, escalation=begun), happenings=done.happenings)
    step = advance(done.incident, policy, now=now)
    return done.then(step.changed), step.wanted


def _without_escalation(done: Changed) -> Changed:
    """The policy may have changed since it began."""
    return Changed(incident=replace(done.incident, escalation=None), happenings=done.happenings)


def _told(incident: Incident, messages: Sequence[Wanted], now: datetime) -> Incident:
    """Which channels have its card from now on, and when people were told last."""
    own = [each for each in messages if each.incident_id == incident.id]
    posted = [each.channel for each in own if each.kind is DeliveryKind.CARD and not each.quiet]
    notified_at = now if any(each.loud for each in own) else incident.notified_at
    return replace(incident, channels=tuple(dict.fromkeys((*incident.channels, *posted))), notified_at=notified_at)


def _of_parent(
    before: Incident | None, done: Changed, parent: Incident | None, policy: AlertPolicy, *, now: datetime
) -> tuple[Wanted, ...]:
    """The parent's card tells of its children, on whatever channels it is."""
    incident = done.incident
    known = before is not None and before.parent_id == incident.parent_id and before.state is incident.state
    if parent is None or known:
        return ()
    return tuple(
        Wanted(
            kind=DeliveryKind.CARD,
            channel=channel,
            reason=NotifyReason.CHANGED,
            incident_id=parent.id,
            quiet=True,
            not_before=now + policy.gather,
        )
        for channel in parent.channels
        if channel in policy.channels
    )

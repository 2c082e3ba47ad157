"""Whom to tell next while nobody acknowledges. Pure.

The clock stands while healing is at work, and while a step's hours are closed; healing has a deadline that no notice
can move beyond the policy's. Nothing holds what a person asks for.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import Escalation, Happening, HappeningKind, Incident
from alert_service.policy.routing import EscalationPart, StepPart
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.wanted import DeliveryKind, NotifyReason, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """The incident one step further, and whom to tell."""

    changed: Changed
    wanted: tuple[Wanted, ...] = ()


def started(name: str, policy: AlertPolicy, *, now: datetime, turn: int = 0) -> Escalation:
    """The first step is due after its own time. `turn`: how many have begun before, of those that go in turns."""
    part = policy.escalations.get(name)
    return Escalation(policy=name, turn=turn, next_at=None if part is None else now + part.steps[0].after)


def advance(incident: Incident, policy: AlertPolicy, *, now: datetime) -> Advanced:
    """One step if it is due and nothing holds it. A policy that is gone ends it."""
    escalation = incident.escalation
    if escalation is None or escalation.next_at is None:
        return Advanced(changed=Changed(incident=incident))
    part = policy.escalations.get(escalation.policy)
    if part is None:
        ended = replace(escalation, next_at=None, held_since=None)
        return Advanced(changed=Changed(incident=replace(incident, escalation=ended)))
    held = None if escalation.forced else _held_until(incident, policy, now)
    if held is not None:
        return Advanced(changed=_held(incident, escalation, held, now))
    done = _resumed(incident, escalation, now)
    taken = _when_due(done.incident, part, policy, now)
    return Advanced(changed=done.then(taken.changed), wanted=taken.wanted)


def _when_due(incident: Incident, part: EscalationPart, policy: AlertPolicy, now: datetime) -> Advanced:
    """The step is taken, waits for its time, or for its hours."""
    escalation = incident.escalation
    if escalation is None or escalation.next_at is None or (now < escalation.next_at and not escalation.forced):
        return Advanced(changed=Changed(incident=incident))
    step = part.steps[min(escalation.step, len(part.steps) - 1)]
    opens = None if escalation.forced else _opens_at(step, policy, now)
    if opens is not None:
        return Advanced(changed=Changed(incident=replace(incident, escalation=replace(escalation, next_at=opens))))
    after = _next(escalation, part, now)
    return _taken(incident, after, step, policy, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A step that comes if nobody acknowledges and nothing holds the clock."""

    step: int  # from 1
    round: int  # from 0
    at: datetime
    people: tuple[str, ...]
    channels: tuple[str, ...]


def foreseen(escalation: Escalation, policy: AlertPolicy, *, limit: int) -> list[Foreseen]:
    """The next steps, in their order."""
    part, found = policy.escalations.get(escalation.policy), list[Foreseen]()
    while part is not None and escalation.next_at is not None and len(found) < limit:
        step = part.steps[min(escalation.step, len(part.steps) - 1)]
        at = _opens_at(step, policy, escalation.next_at) or escalation.next_at
        people = _people(step, escalation, policy)
        found.append(
            Foreseen(
                step=escalation.step + 1, round=escalation.round, at=at, people=people, channels=tuple(step.channels)
            )
        )
        escalation = _next(escalation, part, at)
    return found


def due_at(escalation: Escalation, policy: AlertPolicy) -> datetime | None:
    """When the next step is told, within its hours; None: nobody is left."""
    return next((each.at for each in foreseen(escalation, policy, limit=1)), None)


def still_missing(escalation: Escalation, policy: AlertPolicy) -> tuple[str, ...]:
    """Who has to acknowledge yet for the step that was told last to be answered, by their shown names."""
    part = policy.escalations.get(escalation.policy)
    if part is None or not (escalation.step or escalation.round):
        return ()
    step = part.steps[(min(escalation.step, len(part.steps)) or len(part.steps)) - 1]
    if step.ack == "first":
        return ()
    people = [policy.people[name] for name in step.people if name in policy.people]
    return tuple(each.shown or each.identity for each in people if each.identity not in escalation.acked_by)


def _held_until(incident: Incident, policy: AlertPolicy, now: datetime) -> datetime | None:
    healing = incident.healing
    if not policy.healing.hold or healing is None or healing.deadline_at is None or now >= healing.deadline_at:
        return None
    return healing.deadline_at


def _held(incident: Incident, escalation: Escalation, until: datetime, now: datetime) -> Changed:
    """The time that is left stays what it was when the clock stopped."""
    if escalation.held_since is not None:
        return Changed(incident=incident)
    action = incident.healing.action if incident.healing is not None else ""
    text = f"escalation waits for {action or 'healing'}, until {until.astimezone(UTC):%H:%M:%S} UTC at the latest"
    what = Happening(kind=HappeningKind.ESCALATION_HELD, at=now, text=text, details={"until": until.isoformat()})
    return changed(incident, what, escalation=replace(escalation, held_since=now))


def _resumed(incident: Incident, escalation: Escalation, now: datetime) -> Changed:
    """Healing that failed has used up the time: the next people are told at once. Else what was left of it is."""
    if escalation.held_since is None:
        return Changed(incident=incident)
    left = (escalation.next_at or now) - escalation.held_since
    failed = incident.healing is not None and incident.healing.kind.bad
    next_at = now if failed else now + max(left, timedelta())
    what = Happening(kind=HappeningKind.ESCALATION_RESUMED, at=now, text="escalation goes on")
    return changed(incident, what, escalation=replace(escalation, held_since=None, next_at=next_at))


def _opens_at(step: StepPart, policy: AlertPolicy, now: datetime) -> datetime | None:
    """When the step's hours begin. None: they are open, or never come again, in which case people are told rather than
    forgotten."""
    hours = None if step.hours is None else policy.hours.get(step.hours)
    if hours is None or hours.contains(now):
        return None
    return next((edge for edge in hours.edges(now) if hours.contains(edge)), None)


def _taken(incident: Incident, after: Escalation, step: StepPart, policy: AlertPolicy, now: datetime) -> Advanced:
    """The step is told, and the incident is left with the escalation as it is `after` it."""
    before = incident.escalation or after
    people = _people(step, before, policy)
    whom = ", ".join(policy.called(people) or step.channels)
    what = Happening(
        kind=HappeningKind.ESCALATED,
        at=now,
        text=f"{_why(before)}: step {before.step + 1} of {before.policy} tells {whom}",
        details={"policy": before.policy, "step": str(before.step + 1), "round": str(before.round)},
    )
    happenings = [what]
    if after.next_at is None:
        text = f"the last step of {before.policy} is told now: nobody is left after it"
        happenings.append(Happening(kind=HappeningKind.ESCALATION_ENDED, at=now, text=text))
    messages = [
        Wanted(
            kind=kind,
            channel=channel,
            reason=NotifyReason.ESCALATED,
            incident_id=incident.id,
            text=what.text if kind is DeliveryKind.REPLY else "",
            mentions=people,
            loud=True,
        )
        for channel in step.channels
        for kind in (DeliveryKind.CARD, DeliveryKind.REPLY)
    ]
    after = replace(after, told=(*before.told, *people, *step.channels)[-100:])
    return Advanced(changed=changed(incident, *happenings, escalation=after), wanted=tuple(messages))


def _why(escalation: Escalation) -> str:
    if escalation.forced:
        return "asked for"
    return "not everybody has acknowledged" if escalation.acked_by else "nobody has acknowledged"


def _people(step: StepPart, escalation: Escalation, policy: AlertPolicy) -> tuple[str, ...]:
    """All of them who have not acknowledged yet, or with round robin one: each incident and each round the next."""
    if step.round_robin and step.people:
        return (step.people[(escalation.turn + escalation.round) % len(step.people)],)
    done = {name for name, person in policy.people.items() if person.identity in escalation.acked_by}
    return tuple(name for name in step.people if name not in done)


def _next(escalation: Escalation, part: EscalationPart, now: datetime) -> Escalation:
    step, escalation = escalation.step + 1, replace(escalation, forced=False, held_since=None)
    if step < len(part.steps):
        return replace(escalation, step=step, next_at=now + part.steps[step].after)
    if escalation.round < part.repeat:
        return replace(escalation, step=0, round=escalation.round + 1, next_at=now + part.steps[0].after)
    return replace(escalation, step=step, next_at=None)

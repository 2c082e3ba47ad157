"""An escalation of the policy from its first step to its last, with nobody acknowledging: who is told when. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alert_service.incidents.incident import HappeningKind, Incident
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.escalation import advance, started
from alert_service.routing.wanted import DeliveryKind

_MOST_STEPS = 500  # 20 steps, repeated 9 times, each of them waiting for its hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One step: whom it tells, so long after the opening by the policy's own clock."""

    after: timedelta
    text: str
    channels: Sequence[str]
    people: Sequence[str]


def calls(name: str, incident: Incident, policy: AlertPolicy, *, now: datetime) -> Iterator[Called]:
    """As the service would take the steps, hours included, for an incident that opens now and is healed by nobody."""
    incident = replace(incident, escalation=started(name, policy, now=now), healing=None, acknowledgement=None)
    at = now
    for _ in range(_MOST_STEPS):
        if incident.escalation is None or incident.escalation.next_at is None:
            return
        at = max(at, incident.escalation.next_at)
        step = advance(incident, policy, now=at)
        told = next((each for each in step.changed.happenings if each.kind is HappeningKind.ESCALATED), None)
        incident = step.changed.incident
        if told is not None:
            messages = [each for each in step.wanted if each.kind is DeliveryKind.REPLY]
            yield Called(
                after=at - now,
                text=told.text,
                channels=tuple(each.channel for each in messages),
                people=messages[0].mentions if messages else (),
            )

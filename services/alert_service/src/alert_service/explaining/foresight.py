"""What would become of an alert that is not there. Pure.

It is found by letting it happen: its incident is opened and settled like any other, and nothing of it is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from uuid import uuid4

from pydantic import Field

from alert_service.explaining.explain import Explanation, explained
from alert_service.incidents.alert import Alert, AlertStatus, Post, Source
from alert_service.incidents.change import Changed
from alert_service.incidents.fingerprint import fingerprint_of
from alert_service.incidents.posts import received
from alert_service.incidents.settle import Surroundings, settle
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.wanted import DeliveryKind, NotifyReason, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel would get at once."""

    channel: str
    kind: DeliveryKind
    reason: NotifyReason
    loud: Annotated[bool, Field(description="Whether people are to notice it")]
    mentions: Sequence[str]
    not_before: Annotated[datetime | None, Field(description="When it is sent at the earliest; null: at once")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What would become of an alert that fires."""

    fingerprint: str
    explanation: Explanation
    messages: Sequence[Message]


def imagined(
    labels: Mapping[str, str], annotations: Mapping[str, str], policy: AlertPolicy, *, at: datetime
) -> Changed:
    """What would open if an alert with these labels fired then, alone in a group of its own."""
    alert = Alert(
        fingerprint=fingerprint_of(labels),
        status=AlertStatus.FIRING,
        labels=dict(labels),
        annotations=dict(annotations),
        starts_at=at,
    )
    post = Post(source=Source.ALERTMANAGER, group_key="", alerts=(alert,))
    opened = received(None, post, policy, now=at, new_id=uuid4())
    if opened is None:
        raise AssertionError("an alert that fires opens an incident")
    return opened


def what_if(opened: Changed, around: Surroundings, *, at: datetime) -> Foresight:
    """What would become of what is `imagined`, in surroundings as they are, or would be."""
    settled = settle(None, opened, around, now=at)
    incident = settled.incident
    parent = next((each for each in around.near if each.id == incident.parent_id), None)
    explanation = explained(incident, parent, around.policy, around.routes, at=at)
    return Foresight(
        fingerprint=next(iter(incident.members)),
        explanation=replace(explanation, incident_id=None),
        messages=[_message(each) for each in settled.wanted if each.incident_id == incident.id],
    )


def _message(wanted: Wanted) -> Message:
    return Message(
        channel=wanted.channel,
        kind=wanted.kind,
        reason=wanted.reason,
        loud=wanted.loud,
        mentions=wanted.mentions,
        not_before=wanted.not_before,
    )

"""What keeps people from being told of everything one by one: maintenance, healing, storms, families, silences."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from alert_service.policy.part import MatcherText, Name, Part
from common.policy.shape import Duration, word_of
from common.schedule import Cron, Zone


def _instant(value: object) -> object:
    """YAML gives an unquoted instant as one already, in UTC, and leaves out its offset."""
    if value is None:  # as the API shows one that is not set
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("must be an instant with its offset, such as 2026-12-31T22:00:00Z")
    return at


class MaintenancePart(Part):
    """Nobody is told of what matches meanwhile. Incidents open and close all the same."""

    name: Name
    """What is told as the reason"""
    match: Annotated[list[MatcherText], Field(min_length=1)]
    """Matchers over the labels of each alert. All have to match, and all of an incident's alerts"""
    cron: Cron | None = None
    """When it begins, again and again, such as "0 2 * * sun" """
    zone: Zone = "UTC"
    """IANA time zone that `cron` is meant in"""
    lasts: Duration = timedelta(hours=1)
    """How long it is"""
    starts_at: Annotated[datetime | None, BeforeValidator(_instant)] = None
    """Once: an instant such as 2026-12-31T22:00:00Z, instead of `cron`"""


class Tie(StrEnum):
    """What incidents may have in common."""

    OBJECT = "object"
    NODE = "node"
    ZONE = "zone"
    WORKLOAD = "workload"
    OWNER = "owner"


class CorrelationPart(Part):
    """Which incidents belong together. The one that explains most becomes the parent of the others."""

    by: list[Annotated[Tie, word_of(Tie)]] = Field(default_factory=lambda: list(Tie))
    """What they must have in common, any of it"""
    within: Duration = timedelta(minutes=30)
    """How far apart they may begin: rules of Prometheus wait a quarter of an hour, health events some seconds"""


class FlappingPart(Part):
    """What opens and resolves again and again is told once, then kept quiet until it holds still."""

    turns: Annotated[int, Field(ge=3, le=100)] = 6
    """Openings, resolutions and reopenings"""
    within: Duration = timedelta(minutes=30)
    """Time within which they count"""
    quiet_for: Duration = timedelta(minutes=15)
    """Without a turn for so long, it holds still"""


class StormPart(Part):
    """From so many new incidents in so short a time a channel gets one live card instead. Critical ones stay apart."""

    incidents: Annotated[int, Field(ge=2, le=10_000)] = 20
    """New incidents on one channel"""
    within: Duration = timedelta(minutes=1)
    """Time within which they count"""
    calm_for: Duration = timedelta(minutes=5)
    """It ends when fewer than a tenth came for so long"""
    apart: Annotated[int, Field(ge=0, le=50)] = 5
    """At most so many critical incidents have their own card during a storm"""


class SilencePart(Part):
    """What a silence may be."""

    longest: Duration = timedelta(days=7)
    """How long one may be"""
    widest: Annotated[int, Field(ge=1, le=100_000)] = 50
    """More alerts than that, now or within 30 days, take a reason and the right `resolve`"""
    remind_before: Duration = timedelta(minutes=30)
    """So long before its end whoever made it is reminded, with what still fires"""


class HealingPart(Part):
    """How far notices of auto_healing hold others back."""

    hold: bool = True
    """Escalation waits while healing works"""
    hold_at_most: Duration = timedelta(minutes=15)
    """Whatever healing says of itself, and however often it begins anew: counted from when it began on the incident"""
    quiet: bool = True
    """Nobody is told anew of what is being healed; critical incidents are told all the same"""

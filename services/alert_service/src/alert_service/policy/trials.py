"""Whether alerts would arrive: heartbeats, canaries and rehearsals."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from alert_service.policy.part import MatcherText, Name, Part
from common.policy.shape import Duration
from common.schedule import Cron, Zone


class HeartbeatPart(Part):
    """An alert that always fires; its silence is the alarm."""

    name: Name
    """For people and metrics"""
    match: Annotated[list[MatcherText], Field(min_length=1)] = Field(default_factory=lambda: ['alertname="Watchdog"'])
    """Which alert it is"""
    every: Duration = timedelta(minutes=5)
    """How often it is heard at least: Alertmanager's repeat_interval for it"""
    grace: Annotated[float, Field(ge=1, le=100)] = 2.0
    """Missing after so many times that"""
    channels: list[Name] = Field(default_factory=list)
    """Left out: the channels of a critical incident"""


class CanaryPart(Part):
    """A message through the whole path, on schedule."""

    channels: list[Name] = Field(default_factory=list)
    """Where it goes; none: there is no canary"""
    every: Duration = timedelta(hours=1)
    """How often"""
    within: Duration = timedelta(minutes=1)
    """What is not there by then is an alarm of its own"""


class RehearsalPart(Part):
    """Every card on every channel, what comes back, and escalations by a faster clock: on schedule."""

    cron: Cron | None = None
    """When, such as "0 10 * * mon"; left out: only when somebody asks for it"""
    zone: Zone = "UTC"
    """IANA time zone that `cron` is meant in"""
    channels: list[Name] = Field(default_factory=list)
    """On which channels; left out: on all"""
    escalations: list[Name] = Field(default_factory=list)
    """Which escalations, each within 20 seconds, without notifying anybody by name"""

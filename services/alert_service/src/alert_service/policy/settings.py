"""What a policy says, as the file has it. Every part has defaults that hold without a file."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from alert_service.incidents.alert import AlertSeverity
from alert_service.policy.part import ASeverity, Name, Part
from alert_service.policy.routing import ChannelPart, EscalationPart, PersonPart, RoutePart
from alert_service.policy.suppression import (
    CorrelationPart,
    FlappingPart,
    HealingPart,
    MaintenancePart,
    SilencePart,
    StormPart,
)
from alert_service.policy.trials import CanaryPart, HeartbeatPart, RehearsalPart
from common.hours import Hours
from common.policy.shape import Duration


class AcknowledgementPart(Part):
    """How long an acknowledgement holds."""

    remind_after: Duration = timedelta(hours=1)
    """0s: never"""
    expires_after: Duration = timedelta(hours=4)
    """Then it fires again and escalation starts over; 0s: never"""


class RepeatPart(Part):
    """People are told again that it still fires, each time after a longer while."""

    first: Duration = timedelta(hours=4)
    """After the first time"""
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    """So many times as long each further time"""
    longest: Duration = timedelta(hours=24)
    """What that ends at"""


class SeverityPart(Part):
    """What the labels' words mean. The label is `severity`."""

    label: str = "severity"
    """The label that has the word"""
    words: dict[str, ASeverity] = Field(default_factory=dict)
    """Words beside critical, warning, info and none, such as {page: critical, P3: warning}"""
    unknown: ASeverity = AlertSeverity.WARNING
    """What any other word counts as, and none at all"""
    digest: list[ASeverity] = Field(default_factory=lambda: [AlertSeverity.INFO])
    """Told in a digest instead of a card"""
    digest_every: Duration = timedelta(hours=1)
    """How often a channel gets its digest, if there is anything to tell"""
    never: list[ASeverity] = Field(default_factory=lambda: [AlertSeverity.NONE])
    """Told nobody: plumbing such as Watchdog and InfoInhibitor"""


class AlertPolicy(Part):
    """Policy of alert_service: who is told of what, how, and who may do what about it."""

    version: Literal[1] = 1
    """Version of this format"""
    channels: dict[Name, ChannelPart] = Field(default_factory=dict)
    """Destinations, by name"""
    routes: list[RoutePart] = Field(default_factory=list)
    """Who is told of which incidents, in the order in which they are asked"""
    namespace_annotation: str = "k8s-health-checker/channel"
    """Annotation of an alert (or of its namespace, as told by the alert) that names one more channel; empty: none"""
    escalations: dict[Name, EscalationPart] = Field(default_factory=dict)
    """Whom to tell next while nobody acknowledges, by name"""
    people: dict[Name, PersonPart] = Field(default_factory=dict)
    """Who may act, and who is told, by name"""
    hours: dict[Name, Hours] = Field(default_factory=dict)
    """Times of the week that routes and steps name"""
    severities: SeverityPart = Field(default_factory=SeverityPart)
    """What the labels' words mean"""
    reopen_within: Duration = timedelta(minutes=30)
    """What fires again so soon is the same incident"""
    gather: Duration = timedelta(seconds=5)
    """Changes of a card that no person made wait so long for more of them"""
    acknowledgement: AcknowledgementPart = Field(default_factory=AcknowledgementPart)
    """How long an acknowledgement holds"""
    repeat: RepeatPart = Field(default_factory=RepeatPart)
    """When people are told again that it still fires"""
    correlation: CorrelationPart = Field(default_factory=CorrelationPart)
    """Which incidents belong together"""
    flapping: FlappingPart = Field(default_factory=FlappingPart)
    """When it counts as going to and fro"""
    storm: StormPart = Field(default_factory=StormPart)
    """When one live card takes the place of many"""
    maintenance: list[MaintenancePart] = Field(default_factory=list)
    """Windows in which nobody is told"""
    silences: SilencePart = Field(default_factory=SilencePart)
    """What a silence may be"""
    healing: HealingPart = Field(default_factory=HealingPart)
    """How healing holds others back"""
    heartbeats: list[HeartbeatPart] = Field(default_factory=list)
    """Alerts that always fire"""
    canary: CanaryPart = Field(default_factory=CanaryPart)
    """A message through the whole path, on schedule"""
    rehearsal: RehearsalPart = Field(default_factory=RehearsalPart)
    """The notification tests, on schedule"""
    templates: str = ""
    """Folder with templates of one's own, by the names of the shipped ones"""

    def shown(self, identity: str) -> str:
        """What people call somebody."""
        return next((each.shown for each in self.people.values() if each.identity == identity and each.shown), identity)

    def called(self, names: Iterable[str]) -> list[str]:
        """What people call those whom the policy names so; a name that it has no longer stays."""
        return [part.shown or part.identity if (part := self.people.get(name)) else name for name in names]

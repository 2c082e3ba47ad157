"""What a policy says, as the file has it. Every part has defaults that hold without a file."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from alert_service.acts import ActKind
from alert_service.alert import AlertSeverity
from alert_service.matchers import Matcher, parse_matcher
from common.hours import Hours
from common.policy.shape import Duration, Strict, word_of
from common.schedule import Cron, Zone


class Part(Strict):
    """A value: once read it does not change."""

    model_config = ConfigDict(frozen=True)


def _instant(value: object) -> object:
    """YAML gives an unquoted instant as one already, in UTC, and leaves out its offset."""
    if value is None:  # as the API shows one that is not set
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        at = datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("must be an instant with its offset, such as 2026-12-31T22:00:00Z")
    return at


def _matcher(text: str) -> str:
    parse_matcher(text)
    return text


MatcherText = Annotated[str, AfterValidator(_matcher)]
ASeverity = Annotated[AlertSeverity, word_of(AlertSeverity)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class ChannelKind(StrEnum):
    """A vendor's way in."""

    SLACK = "slack"
    SLACK_WEBHOOK = "slack-webhook"
    TEAMS = "teams"
    WEBHOOK = "webhook"


class ChannelPart(Part):
    """One destination. What is secret about it stands in the settings of the process, under `secret`."""

    kind: Annotated[ChannelKind, word_of(ChannelKind)]
    """slack (an app with a bot token), slack-webhook, teams (a Workflows webhook) or webhook (generic, signed)"""
    conversation: str = ""
    """Slack: name or id of the channel, such as #sre"""
    secret: str = ""
    """Name of the address in ALERT_SERVICE_CHANNELS__URLS: the webhook's address is itself a secret"""
    fallback: Name | None = None
    """Channel that gets a copy when this one fails for good, or does not post in time"""
    confirm_within: Duration = timedelta(minutes=5)
    """A message that nobody confirmed as posted or acted upon by then goes to the fallback too; 0s: never"""


class RoutePart(Part):
    """Who is told of which incidents. The first that matches decides, unless it says to go on."""

    name: Name
    """What explanations call it"""
    match: list[MatcherText] = Field(default_factory=list)
    """Alertmanager's matchers over the incident's labels, such as severity="critical". All have to match"""
    severities: list[ASeverity] = Field(default_factory=list)
    """Left out: all"""
    hours: Name | None = None
    """Only within these hours"""
    channels: list[Name] = Field(default_factory=list)
    """Names of channels; none: nobody is told"""
    escalation: Name | None = None
    """Escalation policy"""
    go_on: bool = Field(False, alias="continue")
    """Whether the routes below are asked too"""


class TargetPart(Part):
    """People and channels of a step."""

    people: list[Name] = Field(default_factory=list)
    """Who is mentioned"""
    channels: list[Name] = Field(default_factory=list)
    """Where"""


class StepPart(TargetPart):
    """One step up."""

    after: Duration = timedelta(minutes=5)
    """After the step before, or the opening"""
    ack: Literal["first", "all"] = "first"
    """Whether one acknowledgement is enough, or everybody of the step has to"""
    round_robin: bool = False
    """One person each time, in turn, instead of all"""
    hours: Name | None = None
    """Only within these hours; outside the step waits for them to begin"""


class EscalationPart(Part):
    """Whom to tell next while nobody acknowledges."""

    steps: Annotated[list[StepPart], Field(min_length=1, max_length=20)]
    """In their order, the first people first"""
    repeat: Annotated[int, Field(ge=0, le=9)] = 1
    """How often it starts over after the last step"""


class PersonPart(Part):
    """Somebody who may act, or is told."""

    identity: Annotated[str, Field(pattern=r"^[!-~]([ -~]{0,252}[!-~])?$")]
    """As auto_healing and the ledger shall know them, such as ana@example.com. Printable ASCII, for a header"""
    shown: str = ""
    """Name on cards; left out: the identity"""
    slack: str = ""
    """Slack user id, such as U023BECGF"""
    teams: str = ""
    """Teams user principal name, for mentions"""
    rights: list[Annotated[ActKind, word_of(ActKind)]] = Field(
        default_factory=lambda: [
            ActKind.ACKNOWLEDGE,
            ActKind.UNACKNOWLEDGE,
            ActKind.SILENCE,
            ActKind.ESCALATE,
            ActKind.NOTE,
            ActKind.NOISY,
            ActKind.USEFUL,
            ActKind.EXPLAIN,
            ActKind.RUNBOOK,
        ]
    )
    """What they may do; approve and deny have to be given by name"""


class MaintenancePart(Part):
    """Nobody is told of what matches meanwhile. Incidents open and close all the same."""

    name: Name
    """What is told as the reason"""
    match: Annotated[list[MatcherText], Field(min_length=1)]
    """Matchers over the incident's labels. All have to match"""
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


def matchers_of(texts: list[str]) -> tuple[Matcher, ...]:
    """Of texts that were checked when they were read."""
    return tuple(parse_matcher(text) for text in texts)


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

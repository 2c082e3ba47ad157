"""Who is told, where, and who may do what about it: channels, routes, escalations and people."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from alert_service.incidents.acts import ActKind
from alert_service.policy.part import ASeverity, MatcherText, Name, Part
from common.policy.shape import Duration, word_of


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
    """Alertmanager's matchers over the labels of an alert, such as severity="critical". All have to match"""
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
    """One person each time, in turn, instead of all: each incident begins with the next one"""
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

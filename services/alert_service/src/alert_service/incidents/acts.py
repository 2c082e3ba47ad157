"""What a person can do about an incident, by a button, a link or the API."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class ActKind(StrEnum):
    """The verbs. Each stands in the `action_id` of a Slack button and in a signed link."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SILENCE = "silence"
    APPROVE = "approve"
    DENY = "deny"
    ESCALATE = "escalate"
    RUNBOOK = "runbook"  # opens a page; changes nothing
    EXPLAIN = "explain"  # answers the one who asks; changes nothing
    RESOLVE = "resolve"  # closes it here, where the source never will
    NOTE = "note"
    NOISY = "noisy"  # a vote: this should not have been told
    USEFUL = "useful"


class Via(StrEnum):
    """The way an act came by."""

    SLACK = "slack"
    LINK = "link"
    API = "api"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who acts. `rights` are the verbs that the policy allows."""

    name: str  # the identity, such as ana@example.com
    shown: str  # how cards call them
    rights: frozenset[ActKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act on one incident, as asked for."""

    kind: ActKind
    incident_id: UUID
    by: Person
    via: Via
    at: datetime
    revision: int | None = None  # of the card that was clicked; None: of the incident as it is now
    duration: timedelta | None = None  # of a silence; None: until it resolves
    run_id: UUID | None = None  # that is approved or denied
    text: str = ""  # a note, a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the person is told. `changed` is False for whatever was too late or not allowed, which `text` explains."""

    changed: bool
    text: str

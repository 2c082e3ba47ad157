"""A card as people read it, before any vendor's format."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from alert_service.incidents.acts import ActKind


class Tone(StrEnum):
    """What the colour of a card says."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    ACKNOWLEDGED = "acknowledged"
    GOOD = "good"  # resolved, healed
    MUTED = "muted"  # suppressed, silenced


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A press of it is one act; with `url` it opens a page instead."""

    act: ActKind
    label: str
    value: str = ""  # what comes back: incident, revision and parameters, see alert_service.incidents.values
    url: str = ""
    primary: bool = False
    danger: bool = False
    confirm: str = ""  # asked before it acts


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of label and value. Both are in the channel's own markup, escaped."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All texts but `title` and `fallback` are in the channel's own markup, with everything foreign escaped.

    Ordered by weight: when a vendor's limit is met, `lines` go first, then `facts`, then `body` is shortened, and the
    card says what is missing.
    """

    title: str  # plain text
    tone: Tone
    fallback: str  # plain text of one line: notifications, screen readers, a client without blocks
    status: str = ""  # where it stands, who has it, what healing does, when it escalates
    body: str = ""
    facts: Sequence[Fact] = ()
    lines: Sequence[str] = ()  # the alerts, the worst first
    footer: str = ""
    buttons: Sequence[Button] = ()
    mentions: Sequence[str] = ()  # vendor ids of people to be notified by name
    error: str = ""  # what went wrong with the user's template, when the plain one was used instead

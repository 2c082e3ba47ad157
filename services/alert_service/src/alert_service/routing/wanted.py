"""What is to be told to whom: the outcome of every decision about an incident, before it is sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class NotifyReason(StrEnum):
    """Why people are told."""

    OPENED = "opened"
    NEW_ALERTS = "new_alerts"
    SEVERITY_RAISED = "severity_raised"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    REPEATED = "repeated"
    ACK_REMINDER = "ack_reminder"
    ACK_EXPIRED = "ack_expired"
    ESCALATED = "escalated"
    APPROVAL_WANTED = "approval_wanted"
    HEALING = "healing"
    HEALING_FAILED = "healing_failed"
    ACTED = "acted"  # a person did something: the card shows it
    UNSUPPRESSED = "unsuppressed"
    CHANGED = "changed"  # the card alone is brought up to date
    SILENCE_ENDS = "silence_ends"
    STORM = "storm"
    FALLBACK = "fallback"  # another channel failed
    CANARY = "canary"


class DeliveryKind(StrEnum):
    """What is sent."""

    CARD = "card"  # the incident's card: posted once, then changed in place; the newest state is sent
    REPLY = "reply"  # a line below the card, or by itself where there are no threads
    STORM = "storm"  # the one live card of a storm
    DIGEST = "digest"  # a line of the channel's next digest
    PLAIN = "plain"  # a message of its own


class DeliveryState(StrEnum):
    """How far it got."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"  # by a vendor who does not say whether it was posted
    POSTED = "posted"
    ACTED = "acted"  # somebody pressed a button of it
    FAILED = "failed"  # an attempt failed; it waits for the next
    DEAD = "dead"  # given up: may be sent again by hand
    SUPERSEDED = "superseded"  # a newer state of the same card was sent instead

    @property
    def ended(self) -> bool:
        return self not in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One message that is to go to one channel. Cards of an incident are rendered when they are sent."""

    kind: DeliveryKind
    channel: str
    reason: NotifyReason
    incident_id: UUID | None = None
    storm_id: UUID | None = None  # of a storm's card, and of the replies below it
    text: str = ""  # of a reply, a digest's line or a plain message
    mentions: tuple[str, ...] = ()  # people of the policy, by name
    loud: bool = False  # people are to notice it: a reply that the whole channel sees, a card that is posted anew
    quiet: bool = False  # brings a card up to date that is there already; none is posted for it
    not_before: datetime | None = None  # alerts that flow in are gathered for a moment
    fallback_of: UUID | None = None  # the delivery that it stands in for

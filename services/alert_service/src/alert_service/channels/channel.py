"""A vendor's way to people: what it can do, what it takes, and how sending fails."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from alert_service.cards.card import Card
from alert_service.cards.dialect import Dialect


class Buttons(StrEnum):
    """How a press comes back."""

    NATIVE = "native"  # the vendor posts it to this service
    LINKS = "links"  # a signed link to a page that asks to confirm
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `messages` within `per`."""

    messages: int
    per: timedelta

    @classmethod
    def of(cls, messages: int, *, seconds: float) -> "Window":
        return cls(messages=messages, per=timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What the vendor allows. All `limits` hold at once."""

    updates: bool  # a message can be changed in place
    threads: bool
    buttons: Buttons
    limits: tuple[Window, ...] = ()
    update_limits: tuple[Window, ...] = ()  # of updates on all channels of the kind together


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRef:
    """Where a message of ours is, in the vendor's own terms."""

    conversation: str  # Slack: the channel's id
    id: str  # Slack: ts


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to send. With `update` it replaces that message, with `thread` it goes below it."""

    delivery_id: str  # the same on every attempt
    card: Card
    update: MessageRef | None = None
    thread: MessageRef | None = None
    broadcast: bool = False  # a reply that the whole channel sees
    incident_id: str = ""  # what it is about, for programs
    reason: str = ""  # why it is told, as NotifyReason has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The vendor took it. `posted` is False where that proves only acceptance; without `ref` nothing can be updated."""

    posted: bool
    ref: MessageRef | None = None


class DeliveryReason(StrEnum):
    """Why a message did not arrive."""

    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"  # it may have arrived
    VENDOR_ERROR = "vendor_error"
    CREDENTIALS = "credentials"  # revoked, expired or without a scope
    NO_CONVERSATION = "no_conversation"  # not found, archived, or this app is not in it
    MESSAGE_GONE = "message_gone"  # an update of something that is no longer there
    TOO_LARGE = "too_large"
    REFUSED = "refused"  # the vendor finds it malformed


class DeliveryError(Exception):
    """Sending failed. `retryable`: the same message may arrive later, not before `retry_after`."""

    def __init__(
        self, reason: DeliveryReason, detail: str, *, retryable: bool, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.retryable = retryable
        self.retry_after = retry_after


class Channel(Protocol):
    """One configured destination. `send` is called by the delivery alone, one message at a time."""

    name: str  # as the policy calls it
    kind: str
    abilities: Abilities
    dialect: Dialect

    async def send(self, message: Message) -> Receipt:
        """Raises DeliveryError, and nothing else."""

    async def close(self) -> None: ...

"""What becomes of a claim on a channel: a new message, a change, a reply, or nothing. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alert_service.channels.channel import Abilities, MessageRef
from alert_service.routing.wanted import DeliveryKind, NotifyReason

# Of the replies that nobody has to notice, those that are told also where each is a message of its own: that it is
# over, and who has it.
_WORTH_A_MESSAGE = frozenset({NotifyReason.RESOLVED, NotifyReason.ACTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One message to be sent now, and the rows that it stands for, the first of which gives it its id."""

    ids: tuple[UUID, ...]
    lent_at: datetime  # when it was taken
    channel: str
    kind: DeliveryKind
    reason: NotifyReason
    incident_id: UUID | None
    storm_id: UUID | None
    subject: str
    texts: tuple[str, ...]
    mentions: tuple[str, ...]  # people of the policy, by name
    loud: bool
    quiet: bool
    attempts: int  # this one included
    received_at: datetime | None
    queued_at: datetime
    newest: int  # rows of this card up to this number are told with it
    shown: bool  # the channel has a card about it already
    at: MessageRef | None  # where that is, if the vendor says so


class Way(StrEnum):
    """How a message goes out."""

    POST = "post"  # by itself
    UPDATE = "update"  # in place of the card that is there
    REPLY = "reply"  # below it
    NONE = "none"  # it is not needed any more, or never was


def way_of(claim: Claim, abilities: Abilities, *, goes_on: bool) -> Way:
    """`goes_on`: whether its incident is open, or its storm rages; True for whatever is about neither."""
    if claim.kind is DeliveryKind.CARD:
        return _card(claim, abilities, goes_on)
    if claim.kind is DeliveryKind.STORM:
        return _storm(claim, abilities, goes_on)
    if claim.kind is DeliveryKind.REPLY:
        return _reply(claim, abilities, goes_on)
    return Way.POST


def _card(claim: Claim, abilities: Abilities, goes_on: bool) -> Way:
    if abilities.updates and claim.at is not None:
        return Way.UPDATE
    return Way.NONE if claim.quiet or not (goes_on or claim.shown) else Way.POST


def _storm(claim: Claim, abilities: Abilities, goes_on: bool) -> Way:
    """Where nothing can be changed, its beginning and its end are told."""
    if abilities.updates and claim.at is not None:
        return Way.UPDATE
    return Way.POST if goes_on != claim.shown else Way.NONE


def _reply(claim: Claim, abilities: Abilities, goes_on: bool) -> Way:
    if abilities.threads and claim.at is not None:
        return Way.REPLY
    if claim.quiet or claim.storm_id is not None or not (goes_on or claim.shown):
        return Way.NONE
    return Way.POST if claim.loud or claim.reason in _WORTH_A_MESSAGE else Way.NONE

"""What people are told of a change, and where. Pure.

A card is posted once and then changed in place; what people have to notice is a reply below it as well. Where nothing
can be changed or replied to, the delivery makes new messages of the loud ones.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alert_service.incidents.change import Changed
from alert_service.incidents.incident import Happening, HappeningKind, Incident, SuppressionReason
from alert_service.policy.settings import AlertPolicy
from alert_service.routing.wanted import DeliveryKind, NotifyReason, Wanted
from common.contracts.healing import NoticeKind

_LOUD_NOTICES = frozenset({NoticeKind.APPROVAL_WANTED, NoticeKind.FAILED, NoticeKind.HUMAN_NEEDED, "overdue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How one kind of happening is told. `fresh`: it may be the first that a channel hears of the incident."""

    reason: NotifyReason
    fresh: bool = False
    loud: bool = False
    reply: bool = True
    gathered: bool = False  # waits a moment for more of its kind


_TELLING: dict[HappeningKind, Told] = {
    HappeningKind.OPENED: Told(reason=NotifyReason.OPENED, fresh=True, loud=True, reply=False),
    HappeningKind.REOPENED: Told(reason=NotifyReason.REOPENED, fresh=True, loud=True),
    HappeningKind.UNSUPPRESSED: Told(reason=NotifyReason.UNSUPPRESSED, fresh=True, loud=True, reply=False),
    HappeningKind.SEVERITY_RAISED: Told(reason=NotifyReason.SEVERITY_RAISED, fresh=True, loud=True),
    HappeningKind.SEVERITY_LOWERED: Told(reason=NotifyReason.CHANGED, reply=False, gathered=True),
    HappeningKind.ALERTS_JOINED: Told(reason=NotifyReason.NEW_ALERTS, reply=False, gathered=True),
    HappeningKind.ALERTS_RESOLVED: Told(reason=NotifyReason.CHANGED, reply=False, gathered=True),
    HappeningKind.RESOLVED: Told(reason=NotifyReason.RESOLVED),
    HappeningKind.ACKNOWLEDGED: Told(reason=NotifyReason.ACTED),
    HappeningKind.UNACKNOWLEDGED: Told(reason=NotifyReason.ACTED, loud=True),
    HappeningKind.ACK_EXPIRED: Told(reason=NotifyReason.ACK_EXPIRED, loud=True),
    HappeningKind.ACK_REMINDED: Told(reason=NotifyReason.ACK_REMINDER),
    HappeningKind.SILENCED: Told(reason=NotifyReason.ACTED),
    HappeningKind.SILENCE_ENDED: Told(reason=NotifyReason.SILENCE_ENDS, loud=True),
    HappeningKind.APPROVED: Told(reason=NotifyReason.ACTED),
    HappeningKind.DENIED: Told(reason=NotifyReason.ACTED),
    HappeningKind.NOTED: Told(reason=NotifyReason.ACTED),
    HappeningKind.REPEATED: Told(reason=NotifyReason.REPEATED, fresh=True, loud=True),
    HappeningKind.ESCALATION_HELD: Told(reason=NotifyReason.CHANGED, reply=False),
    HappeningKind.ESCALATION_RESUMED: Told(reason=NotifyReason.CHANGED, reply=False),
    HappeningKind.ESCALATION_ENDED: Told(reason=NotifyReason.ESCALATED, loud=True),
    HappeningKind.SUPPRESSED: Told(reason=NotifyReason.CHANGED, reply=False),
    HappeningKind.CORRELATED: Told(reason=NotifyReason.CHANGED, reply=False),
    HappeningKind.FLAPPING: Told(reason=NotifyReason.CHANGED),
    HappeningKind.DELIVERY_FAILED: Told(reason=NotifyReason.CHANGED, reply=False),
}
# Healing waits for a person, or has given up: neither a storm nor a suppression keeps that back.
_URGENT = frozenset({NotifyReason.APPROVAL_WANTED, NotifyReason.HEALING_FAILED})
# What stands in the timeline alone, or is told by whoever makes it: an escalation names its own people and channels.
_UNTOLD = frozenset(
    {HappeningKind.ESCALATED, HappeningKind.NOTIFIED, HappeningKind.CLICK_REFUSED, HappeningKind.RECONCILED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where an incident is told by the routes as they are now, by which policy, and when."""

    policy: AlertPolicy
    now: datetime
    channels: Sequence[str]
    stormy: Collection[str] = ()  # those that hear of it by the card of their storm alone


def is_news(done: Changed) -> bool:
    """Whether a channel that knows nothing of the incident is to be told of it because of this."""
    return any(how is not None and how.fresh for how in map(_telling, done.happenings))


def is_urgent(done: Changed) -> bool:
    """Whether people are told of it whatever holds the incident back."""
    return any(how is not None and how.reason in _URGENT for how in map(_telling, done.happenings))


def wanted(before: Incident | None, done: Changed, places: Places) -> tuple[Wanted, ...]:
    """For each channel at most one card, and a reply for each thing to be noticed.

    A channel that has the incident's card hears how it goes on, also when routes would not name it any more: at another
    time of day, with another severity, or because an escalation told it.
    """
    incident, severities = done.incident, places.policy.severities
    routed: Sequence[str] = places.channels
    digests: tuple[Wanted, ...] = ()
    if incident.severity in severities.never:
        routed = ()
    elif incident.severity in severities.digest and not is_urgent(done):
        routed, digests = (), () if incident.channels else tuple(_digest(done, places))
    known = (each for each in incident.channels if each in places.policy.channels)
    channels = dict.fromkeys((*routed, *known))
    return digests + tuple(
        each for channel in channels for each in _on(channel, before, done, places, routed=channel in routed)
    )


def _on(channel: str, before: Incident | None, done: Changed, places: Places, *, routed: bool) -> Iterator[Wanted]:
    incident = done.incident
    news = [(each, how) for each in done.happenings if (how := _telling(each)) is not None]
    hushed = not is_urgent(done) and (channel in places.stormy or _held_back(before, incident))
    # One that joins may be of others' concern than those before it.
    joins = channel not in incident.channels and done.has(HappeningKind.ALERTS_JOINED)
    posted = routed and not hushed and (joins or any(how.fresh for _, how in news))
    if not posted and channel not in incident.channels:
        return  # nobody was told there, so nothing is to be brought up to date
    if not news:
        if before is None or incident.revision != before.revision:
            yield _card(channel, incident, Told(reason=NotifyReason.CHANGED, gathered=True), places, quiet=True)
        return
    how = max((how for _, how in news), key=lambda each: (each.fresh, each.loud, not each.gathered))
    how = replace(how, loud=True, gathered=False) if joins and posted else how
    yield _card(channel, incident, how, places, quiet=not posted)
    for happening, way in news:
        if _replies(happening, way, before, incident):
            loud = way.loud or happening.kind is HappeningKind.ALERTS_JOINED
            yield Wanted(
                kind=DeliveryKind.REPLY,
                channel=channel,
                reason=way.reason,
                incident_id=incident.id,
                text=happening.text,
                mentions=_mentions(happening, places.policy),
                loud=loud and routed and not hushed,
                quiet=hushed,
            )


def _held_back(before: Incident | None, incident: Incident) -> bool:
    """What nobody was told of ends without a word too."""
    ended = before is not None and before.suppression is not None and not incident.open
    return incident.suppression is not None or ended


def _telling(happening: Happening) -> Told | None:
    if happening.kind in _UNTOLD:
        return None
    if happening.kind is HappeningKind.HEALING:
        kind = happening.details.get("kind", "")
        reasons = {
            NoticeKind.APPROVAL_WANTED: NotifyReason.APPROVAL_WANTED,
            NoticeKind.FAILED: NotifyReason.HEALING_FAILED,
            NoticeKind.HUMAN_NEEDED: NotifyReason.HEALING_FAILED,
        }
        reason = next((reason for each, reason in reasons.items() if each == kind), NotifyReason.HEALING)
        return Told(reason=reason, loud=_is_loud(happening), fresh=reason in _URGENT)
    return _TELLING.get(happening.kind)


def _is_loud(happening: Happening) -> bool:
    return happening.kind is HappeningKind.HEALING and happening.details.get("kind", "") in _LOUD_NOTICES


def _replies(happening: Happening, how: Told, before: Incident | None, incident: Incident) -> bool:
    """Newcomers are shown by the card; what an acknowledgement does not cover is said aloud below it as well. What goes
    to and fro says so once. A card that was there before anything held it back is only changed, which nobody notices.
    """
    if happening.kind is HappeningKind.ALERTS_JOINED:
        ack = None if before is None else before.acknowledgement
        return ack is not None and not ack.fingerprints.issuperset(happening.fingerprints)
    if happening.kind is HappeningKind.UNSUPPRESSED:
        return before is not None and before.notified_at is not None
    flaps = incident.suppression is not None and incident.suppression.reason is SuppressionReason.FLAPPING
    return how.reply and not (flaps and happening.kind in (HappeningKind.REOPENED, HappeningKind.RESOLVED))


def _mentions(happening: Happening, policy: AlertPolicy) -> tuple[str, ...]:
    """Whoever has to answer for it."""
    if happening.kind not in (HappeningKind.ACK_REMINDED, HappeningKind.ACK_EXPIRED):
        return ()
    by = happening.details.get("by", "")
    return tuple(name for name, person in policy.people.items() if person.identity == by)


def _card(channel: str, incident: Incident, how: Told, places: Places, *, quiet: bool) -> Wanted:
    """Nobody is called to what somebody has taken on."""
    taken = incident.acknowledgement is not None and how.reason not in _URGENT
    return Wanted(
        kind=DeliveryKind.CARD,
        channel=channel,
        reason=how.reason,
        incident_id=incident.id,
        loud=how.loud and not quiet and not taken,
        quiet=quiet,
        not_before=places.now + places.policy.gather if how.gathered else None,
    )


def _digest(done: Changed, places: Places) -> Iterator[Wanted]:
    """One line when it opens; how it goes on is nobody's business."""
    if not done.has(HappeningKind.OPENED, HappeningKind.REOPENED) or done.incident.suppression is not None:
        return
    every, now = places.policy.severities.digest_every.total_seconds(), places.now
    slot = datetime.fromtimestamp((now.timestamp() // every + 1) * every, now.tzinfo) if every else None
    for channel in places.channels:
        yield Wanted(
            kind=DeliveryKind.DIGEST,
            channel=channel,
            reason=NotifyReason.OPENED,
            incident_id=done.incident.id,
            text=done.incident.title,
            not_before=slot,
        )

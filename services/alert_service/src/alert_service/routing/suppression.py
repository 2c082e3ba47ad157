"""What keeps people from being told of an incident: maintenance, healing at work, a parent that tells it all. Pure.

What is suppressed opens, is shown and closes like anything else; only nobody is told, until it ends.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alert_service.incidents.alert import AlertSeverity
from alert_service.incidents.change import Changed, changed
from alert_service.incidents.incident import Happening, HappeningKind, Incident, Member, Suppression, SuppressionReason
from alert_service.policy.settings import AlertPolicy
from alert_service.policy.suppression import MaintenancePart
from alert_service.routing.correlation import explainers_of
from alert_service.routing.flapping import flaps_until
from alert_service.routing.matchers import all_match, parse_matcher
from common.schedule import Schedule

_ALWAYS = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)


def suppression_of(
    incident: Incident, parent: Incident | None, policy: AlertPolicy, *, unheard: Collection[str], now: datetime
) -> Suppression | None:
    """The strongest reason first. `unheard` are the channels of the incident that are not told of its parent."""
    return (
        _maintained(incident, policy, now)
        or _silenced(incident, now)
        or _with_parent(incident, parent, policy, unheard=unheard, now=now)
        or _healed(incident, policy, now)
        or _flapping(incident, policy, now)
    )


def _maintained(incident: Incident, policy: AlertPolicy, now: datetime) -> Suppression | None:
    """Each alert that fires has to be within a window, until the last of its windows ends."""
    alerts: list[Mapping[str, str]] = [each.alert.labels for each in incident.firing] or [incident.labels]
    covers = [
        (part, until, covered)
        for part in policy.maintenance
        if any(covered := [_covers(part, labels) for labels in alerts])
        if (until := open_until(part, now)) is not None
    ]
    ends = [max((until for _, until, covered in covers if covered[place]), default=now) for place in range(len(alerts))]
    if now >= min(ends):
        return None
    names = ", ".join(dict.fromkeys(part.name for part, _, _ in covers))
    detail = f"within the maintenance window {names}"
    return Suppression(reason=SuppressionReason.MAINTENANCE, detail=detail, since=now, until=min(ends))


def _covers(part: MaintenancePart, labels: Mapping[str, str]) -> bool:
    return all_match(map(parse_matcher, part.match), labels)


def open_until(part: MaintenancePart, now: datetime) -> datetime | None:
    """When the window that is open ends; None: it is not."""
    if part.starts_at is not None:
        until = part.starts_at + part.lasts
        return until if part.starts_at <= now < until else None
    if part.cron is None:
        return None
    # The last beginning is the first one after a window's length ago.
    began = Schedule(part.cron, part.zone).next_after(now - part.lasts)
    return began + part.lasts if began <= now else None


def _silenced(incident: Incident, now: datetime) -> Suppression | None:
    """Alertmanager still tells of what the silence does not cover, and so do we."""
    silenced = incident.silenced
    if silenced is None or now >= silenced.until or incident.severity.rank > silenced.severity.rank:
        return None
    if any(each.alert.fingerprint not in silenced.fingerprints for each in incident.firing):
        return None
    if silenced.until_resolved and any(turn > silenced.at for turn in incident.turns):
        return None
    detail = f"silenced by {silenced.by}{' until it resolves' if silenced.until_resolved else ''}"
    return Suppression(reason=SuppressionReason.SILENCED, detail=detail, since=now, until=silenced.until)


def _with_parent(
    incident: Incident, parent: Incident | None, policy: AlertPolicy, *, unheard: Collection[str], now: datetime
) -> Suppression | None:
    """Whoever is told of the parent knows; one that is worse than its parent, or has more than the parent explains, is
    told all the same. Nobody is told of the children of what is held back itself: those are looked at again when it is
    told."""
    if parent is None or incident.severity.rank > parent.severity.rank:
        return None
    if unheard and parent.suppression is None:
        return None
    ends = [_explained_until(incident, parent, each) for each in explainers_of(incident, parent, policy)]
    until = min(ends, default=_ALWAYS)
    if now >= until:
        return None
    return Suppression(
        reason=SuppressionReason.PARENT,
        detail="told with what it belongs to",
        since=now,
        until=None if until is _ALWAYS else until,
    )


def _explained_until(incident: Incident, parent: Incident, explainers: Collection[Member]) -> datetime:
    """For as long as any of them fires, and a while longer."""
    after = incident.source.ends_within
    ends = [_ALWAYS if each.firing else each.seen_at + after for each in explainers]
    return min(max(ends, default=_NEVER), _ALWAYS if parent.resolved_at is None else parent.resolved_at + after)


def _healed(incident: Incident, policy: AlertPolicy, now: datetime) -> Suppression | None:
    healing = incident.healing
    if healing is None or healing.deadline_at is None or not policy.healing.quiet:
        return None
    if incident.severity is AlertSeverity.CRITICAL or now >= healing.deadline_at:
        return None
    what = healing.action or "healing"
    detail = f"{what} has healed it: it has to show yet" if healing.kind.ended else f"{what} is at work"
    return Suppression(reason=SuppressionReason.HEALING, detail=detail, since=now, until=healing.deadline_at)


def _flapping(incident: Incident, policy: AlertPolicy, now: datetime) -> Suppression | None:
    until = flaps_until(incident, policy.flapping, now)
    if until is None:
        return None
    detail = f"it is flapping ({len(incident.turns)} turns so far): quiet until it holds still"
    return Suppression(reason=SuppressionReason.FLAPPING, detail=detail, since=now, until=until)


def in_storm(now: datetime) -> Suppression:
    """Until it is lifted, or the incident is another one than the storm's card told of."""
    return Suppression(reason=SuppressionReason.STORM, detail="told on the card of a storm", since=now)


def lifted(incident: Incident, wait: timedelta = timedelta(), *, now: datetime) -> Changed:
    """A storm is over, and this is one of those that are told by themselves, now or after a while."""
    held = incident.suppression
    if held is None or held.reason is not SuppressionReason.STORM:
        return Changed(incident=incident)
    if wait:
        return Changed(incident=replace(incident, suppression=replace(held, until=now + wait)))
    what = Happening(kind=HappeningKind.UNSUPPRESSED, at=now, text="the storm is over, and it still fires")
    return changed(incident, what, suppression=None)

"""When a channel gets one live card instead of one for each incident. Pure."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from alert_service.incidents.alert import AlertSeverity
from alert_service.incidents.incident import Incident
from alert_service.policy.suppression import StormPart

_MOST_PLACES = 50  # different ones that are counted; a card shows the first few
_MOST_OPENINGS = 20_000
_INSTANT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What the live card shows."""

    id: UUID
    channel: str
    started_at: datetime
    changed_at: datetime
    ended_at: datetime | None = None
    incidents: int = 0
    alerts: int = 0
    apart: int = 0  # critical ones that have cards of their own
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by namespace, node and alertname

    def with_incident(self, incident: Incident, now: datetime) -> "Storm":
        counts = {
            place: _counted(self.counts.get(place, {}), incident.labels.get(place, ""))
            for place in ("namespace", "node", "alertname")
        }
        return replace(
            self,
            incidents=self.incidents + 1,
            alerts=self.alerts + len(incident.members),
            counts=counts,
            changed_at=now,
        )


def _counted(counts: Mapping[str, int], value: str) -> Mapping[str, int]:
    if not value:
        return counts
    added = Counter(counts)
    added[value if value in counts or len(counts) < _MOST_PLACES else "others"] += 1
    return dict(added)


class Openings:
    """When each channel was to be told of one incident more, the last of them."""

    def __init__(self) -> None:
        self._at: dict[str, deque[datetime]] = {}

    def add(self, channel: str, at: datetime) -> None:
        self._at.setdefault(channel, deque(maxlen=_MOST_OPENINGS)).append(at)

    def forget(self, at: datetime) -> None:
        """What was added at that instant was not stored after all."""
        for known in self._at.values():
            while known and known[-1] == at:
                known.pop()

    def were(self, channel: str, count: int, within: timedelta, now: datetime) -> bool:
        """Whether there were at least so many within the last while."""
        known, count = self._at.get(channel, ()), min(count, _MOST_OPENINGS)
        return len(known) >= count and now - known[-count] <= within


def begins(openings: Openings, channel: str, part: StormPart, now: datetime) -> bool:
    return openings.were(channel, part.incidents, part.within, now)


def is_over(storm: Storm, openings: Openings, part: StormPart, now: datetime) -> bool:
    """Since long enough fewer than a tenth of what a storm is have come. A replica that leads only since a moment ago
    has seen little: what the storm itself knows counts too."""
    if now - storm.started_at < part.calm_for or now - storm.changed_at < min(part.within, part.calm_for):
        return False
    tenth = part.incidents / 10 * max(part.calm_for / max(part.within, _INSTANT), 1)
    return not openings.were(storm.channel, max(ceil(tenth), 1), part.calm_for, now)


def stays_apart(storm: Storm, incident: Incident, part: StormPart) -> bool:
    """Whether it has a card of its own all the same."""
    return incident.severity is AlertSeverity.CRITICAL and storm.apart < part.apart


def told_after(open_ones: Iterable[Incident], part: StormPart) -> list[tuple[Incident, timedelta]]:
    """Which of those that a storm leaves open are told by themselves, and how long after its end: the worst at once,
    so few that they make no storm again, and then as few at a time every critical one."""
    worst, few = sorted(open_ones, key=lambda each: (-each.severity.rank, each.opened_at)), part.incidents // 2
    told = worst[:few] + [each for each in worst[few:] if each.severity is AlertSeverity.CRITICAL]
    return [(each, 2 * part.within * (place // few)) for place, each in enumerate(told)]

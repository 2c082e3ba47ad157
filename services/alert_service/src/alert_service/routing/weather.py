"""Whether a channel is in a storm, as incidents open one after the other, and what is then told of it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from alert_service.incidents.incident import Incident
from alert_service.policy.suppression import StormPart
from alert_service.routing.storm import Openings, Storm, begins, is_over, stays_apart
from alert_service.routing.wanted import DeliveryKind, NotifyReason, Wanted

_MOST_LINES = 30  # of one reply; what more there is, is counted


class Weather:
    """For one transaction: begun with the storms that rage, ended by storing `storms` and queueing `wanted`."""

    def __init__(self, raging: Mapping[str, Storm], openings: Openings, part: StormPart, now: datetime) -> None:
        self._storms = dict(raging)
        self._openings = openings
        self._part = part
        self._now = now
        self._touched: set[str] = set()
        self._decided: dict[tuple[str, UUID], bool] = {}
        self._lines: dict[str, list[str]] = defaultdict(list)

    @property
    def storms(self) -> list[Storm]:
        """Those that this transaction changed."""
        return [self._storms[channel] for channel in sorted(self._touched)]

    def hides(self, channel: str, incident: Incident) -> bool:
        """Whether the channel hears of it by the storm's card alone. Asked when it is about to be told of it."""
        if (channel, incident.id) not in self._decided:
            self._decided[channel, incident.id] = self._decide(channel, incident)
        return self._decided[channel, incident.id]

    def _decide(self, channel: str, incident: Incident) -> bool:
        if channel in incident.channels:
            return False
        # What has a card elsewhere, or stands on a storm's card, was counted when it was told first.
        new = not incident.channels and incident.suppression is None
        if new:
            self._openings.add(channel, self._now)
        storm = self._storms.get(channel)
        if storm is None:
            if not new or not begins(self._openings, channel, self._part, self._now):
                return False
            storm = Storm(id=uuid4(), channel=channel, started_at=self._now, changed_at=self._now)
        apart = stays_apart(storm, incident, self._part)
        if new or apart:
            counted = storm.with_incident(incident, self._now) if new else storm
            self._storms[channel] = replace(counted, apart=counted.apart + apart)
            self._touched.add(channel)
        if new and not apart:
            self._lines[channel].append(incident.title)
        return not apart

    def calm(self) -> list[Storm]:
        """Ends those that are over, and names them."""
        ended = []
        for channel, storm in self._storms.items():
            if is_over(storm, self._openings, self._part, self._now):
                self._storms[channel] = replace(storm, ended_at=self._now)
                self._touched.add(channel)
                ended.append(self._storms[channel])
        return ended

    def wanted(self) -> list[Wanted]:
        """The live card of each storm that changed, and what opened, below it."""
        messages = []
        for storm in self.storms:
            messages.append(told(storm))
            lines = self._lines[storm.channel]
            if lines:
                more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
                messages.append(told(storm, DeliveryKind.REPLY, "\n".join(lines[:_MOST_LINES] + more)))
        return messages


def told(storm: Storm, kind: DeliveryKind = DeliveryKind.STORM, text: str = "", *, on: str | None = None) -> Wanted:
    """Its card, or what stands below it, on its own channel or another one."""
    return Wanted(kind=kind, channel=on or storm.channel, reason=NotifyReason.STORM, storm_id=storm.id, text=text)

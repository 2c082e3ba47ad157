"""Keeps what the guards ask about the own view: when it became whole, when it was last broken, what changed at once."""

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from auto_healing.facts import Sight
from auto_healing.noticed import Noticed
from common.cluster.changes import RowChange
from common.cluster.rows import NodeRow, PodRow

_BURST = timedelta(seconds=1)
_REMEMBER = timedelta(minutes=2)  # a burst counts for this long


class SightKeeper:
    """Fed with every batch of changes."""

    def __init__(self) -> None:
        self.synced_at: datetime | None = None
        self._outage_ended_at: datetime | None = None
        self._fell_ill: deque[datetime] = deque()
        self._burst = 0
        self._burst_at: datetime | None = None
        self._noticed = Noticed()

    def saw(self, changes: Sequence[RowChange], outages_ended: Collection[str], now: datetime) -> None:
        if outages_ended:
            self._outage_ended_at = now
        ill = sum(1 for change in changes if _fell_ill(change))
        self._fell_ill.extend([now] * ill)
        while self._fell_ill and not now - _BURST <= self._fell_ill[0] <= now:
            self._fell_ill.popleft()
        burst_at = self._noticed.at("burst", self._burst_at, now)
        if burst_at is None or len(self._fell_ill) >= self._burst or now - burst_at > _REMEMBER:
            self._burst, self._burst_at = len(self._fell_ill), now

    def sight(self, now: datetime, *, heard_at: datetime | None, storm_at: datetime | None) -> Sight:
        """`heard_at`: the last word of health_monitor; `storm_at`: the last storm that it told."""
        burst_at = self._noticed.at("burst", self._burst_at, now)
        return Sight(
            synced_at=self._noticed.at("synced", self.synced_at, now),
            outage_ended_at=self._noticed.at("outage", self._outage_ended_at, now),
            changed_in_last_second=self._burst if burst_at is not None and now - burst_at <= _REMEMBER else 0,
            health_monitor_heard_at=self._noticed.at("heard", heard_at, now),
            storm_at=self._noticed.at("storm", storm_at, now),
        )


def _fell_ill(change: RowChange) -> bool:
    """A node or a pod that was ready and still exists, but is not ready any more."""
    before, after = change.before, change.after
    if isinstance(before, NodeRow | PodRow) and isinstance(after, NodeRow | PodRow):
        return before.ready and not after.ready and after.deleted_at is None
    return False

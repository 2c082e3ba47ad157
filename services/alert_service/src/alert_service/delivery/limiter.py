"""Keeps a vendor's limits: how long to wait before the next message. Pure, by whatever clock the caller has."""

from collections import deque
from collections.abc import Sequence

from alert_service.channels.channel import Window


class Limiter:
    """All windows hold at once. Times are seconds of one clock that never goes back."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows
        self._taken: deque[float] = deque(maxlen=max((each.messages for each in windows), default=0))
        self._held_until = float("-inf")

    def wait_seconds(self, now: float) -> float:
        """0: one more message may go now."""
        waits = [
            self._taken[-each.messages] + each.per.total_seconds() - now
            for each in self.windows
            if len(self._taken) >= each.messages
        ]
        return max(0.0, self._held_until - now, *waits)

    def take(self, now: float) -> None:
        """One message goes now."""
        self._taken.append(now)

    def hold(self, until: float) -> None:
        """The vendor has said when the next one may go."""
        self._held_until = until

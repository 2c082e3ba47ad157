"""Rate limits as the vendors have them."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

# Slack allows about one message per second and channel, with short bursts, and 50 updates per minute in a workspace.
# https://docs.slack.dev/apis/web-api/rate-limits
SLACK_BURST, SLACK_PER_SECOND = 5, 1.0
SLACK_TIER_3_BURST, SLACK_TIER_3_PER_SECOND = 50, 50 / 60

# Messages and seconds, per webhook.
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
TEAMS_WINDOWS = ((4, 1.0), (60, 30.0), (100, 3600.0), (150, 7200.0), (1800, 86400.0))


class Bucket:
    """So many at once, then so many per second."""

    def __init__(self, burst: int, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._now = burst, per_second, now
        self._left, self._at = float(burst), now()

    def take(self) -> int:
        """0, or after how many whole seconds to come again."""
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0
        return max(1, math.ceil((1 - self._left) / self._per_second))


class Windows:
    """At most so many within each of several times."""

    def __init__(
        self, windows: Sequence[tuple[int, float]] = TEAMS_WINDOWS, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._windows, self._now = windows, now
        self._taken: deque[float] = deque(maxlen=max(messages for messages, _ in windows))

    def take(self) -> int:
        """0, or after how many whole seconds to come again."""
        now = self._now()
        waits = [
            self._taken[-messages] + seconds - now
            for messages, seconds in self._windows
            if len(self._taken) >= messages
        ]
        if (wait := max(waits, default=0.0)) > 0:
            return max(1, math.ceil(wait))
        self._taken.append(now)
        return 0

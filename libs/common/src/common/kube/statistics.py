"""How the API server answers, as seen from here."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from common.clock import Clock
from common.cluster.snapshot import ApiHealth

WINDOW_SECONDS = 300.0
SAMPLES = 5000

Observer = Callable[[str, str, int, float], None]  # verb, resource, HTTP status or 0, seconds


class ApiStatistics:
    """The answers of the last five minutes. `observer` is told of each, for histograms."""

    def __init__(self, clock: Clock) -> None:
        self.observer: Observer | None = None
        self._clock = clock
        self._answers: deque[tuple[float, float | None, bool]] = deque(maxlen=SAMPLES)  # at, seconds, is error
        self._unreachable_since: datetime | None = None

    def answered(self, verb: str, resource: str, *, status: int, seconds: float) -> None:
        """An answer came, `seconds` after it was asked for. Watches count only when they are refused."""
        self._unreachable_since = None
        error = status >= 500 or status == 429
        if verb != "watch" or error:
            self._answers.append((self._clock.monotonic(), None if verb == "watch" else seconds, error))
        if self.observer and verb != "watch":
            self.observer(verb, resource, status, seconds)

    def lost(self, verb: str, resource: str, *, seconds: float) -> None:
        """No answer came, or the connection broke."""
        if self._unreachable_since is None:
            self._unreachable_since = self._clock.now() - timedelta(seconds=seconds)
        self._answers.append((self._clock.monotonic(), None, True))
        if self.observer and verb != "watch":
            self.observer(verb, resource, 0, seconds)

    @property
    def health(self) -> ApiHealth:
        start = self._clock.monotonic() - WINDOW_SECONDS
        while self._answers and self._answers[0][0] < start:
            self._answers.popleft()
        times = sorted(seconds for _, seconds, _ in self._answers if seconds is not None)
        return ApiHealth(
            requests=len(self._answers),
            errors=sum(error for _, _, error in self._answers),
            p99_seconds=times[min(len(times) - 1, int(len(times) * 0.99))] if times else 0.0,
            unreachable_since=self._unreachable_since,
        )

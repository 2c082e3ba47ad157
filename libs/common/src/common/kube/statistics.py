"""How the API server answers, as seen from here."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from common.clock import Clock
from common.cluster.snapshot import ApiHealth

WINDOW_SECONDS = 300.0
RECENT_SECONDS = 60.0  # errors and slow answers that ended before are over, however many they were
OUTAGE_SECONDS = 15.0  # a silence of so long is told as an outage, and says nothing of the answers after it
SAMPLES = 5000
KUBELETS = "pods/log"  # the API server only hands on what a kubelet answers, or does not

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
        self._forget_outage()
        refused = status == 429 and resource != "pods/eviction"  # where a disruption budget says so
        error = status >= 500 or refused
        if resource != KUBELETS and (verb != "watch" or error):
            self._answers.append((self._clock.monotonic(), None if verb == "watch" else seconds, error))
        if self.observer and verb != "watch":
            self.observer(verb, resource, status, seconds)

    def lost(self, verb: str, resource: str, *, seconds: float) -> None:
        """No answer came, or the connection broke."""
        if resource != KUBELETS:
            self._count_loss(seconds)
        if self.observer and verb != "watch":
            self.observer(verb, resource, 0, seconds)

    def _count_loss(self, seconds: float) -> None:
        if self._unreachable_since is None:
            self._unreachable_since = self._clock.now() - timedelta(seconds=seconds)
        self._answers.append((self._clock.monotonic(), None, True))

    @property
    def health(self) -> ApiHealth:
        now = self._clock.monotonic()
        while self._answers and self._answers[0][0] < now - WINDOW_SECONDS:
            self._answers.popleft()
        times = sorted(seconds for _, seconds, _ in self._answers if seconds is not None)
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))] if times else 0.0
        recent = [answer for answer in self._answers if answer[0] >= now - RECENT_SECONDS]
        return ApiHealth(
            requests=len(self._answers),
            errors=sum(error for _, _, error in self._answers) if any(error for _, _, error in recent) else 0,
            p99_seconds=min(p99, max((seconds for _, seconds, _ in recent if seconds is not None), default=0.0)),
            unreachable_since=self._unreachable_since,
        )

    def _forget_outage(self) -> None:
        """The server answers: what was lost in an outage is no part of how it answers from now on."""
        since, self._unreachable_since = self._unreachable_since, None
        if since is None or (self._clock.now() - since).total_seconds() < OUTAGE_SECONDS:
            return
        start = self._clock.monotonic() - (self._clock.now() - since).total_seconds()
        while self._answers and self._answers[-1][0] >= start:
            self._answers.pop()

"""What happens when: time jumps from one thing to the next."""

from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count


class Agenda:
    """`now` moves only by `go_to` and `run_due`."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: datetime, what: Callable[[], None]) -> None:
        heappush(self._heap, (max(when, self.now), next(self._order), what))

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.at(self.now + timedelta(seconds=seconds), what)

    def every(self, seconds: float, what: Callable[[], None]) -> None:
        def again() -> None:
            what()
            self.after(seconds, again)

        self.after(seconds, again)

    @property
    def next_at(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> None:
        """Everything whose time has come, in its order."""
        while self._heap and self._heap[0][0] <= self.now:
            heappop(self._heap)[2]()

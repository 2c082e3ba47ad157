"""Past runs in the order of their beginning."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator
from datetime import datetime
from uuid import UUID

from auto_healing.history import PastRun


class Timeline(Collection[PastRun]):
    """Runs by their beginning; iterates from the newest to the oldest, as they are at that moment."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: list[tuple[datetime, UUID, PastRun]] = []

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[PastRun]:
        return (run for _, _, run in reversed(self._runs))

    def __contains__(self, run: object) -> bool:
        return any(each is run for each in self)

    def add(self, run: PastRun) -> None:
        insort(self._runs, (run.started_at, run.id, run), key=_position)

    def remove(self, run: PastRun) -> None:
        del self._runs[bisect_left(self._runs, (run.started_at, run.id), key=_position)]

    def since(self, at: datetime) -> list[PastRun]:
        first = bisect_left(self._runs, at, key=lambda entry: entry[0])
        return [run for _, _, run in reversed(self._runs[first:])]


def _position(entry: tuple[datetime, UUID, PastRun]) -> tuple[datetime, UUID]:
    return entry[0], entry[1]

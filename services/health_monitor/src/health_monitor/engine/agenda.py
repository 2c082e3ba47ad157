"""What is to be looked at: now, because something changed, and later, because time will have passed."""

import heapq
from collections import deque
from collections.abc import Iterable
from datetime import datetime

from common.contracts import ObjectKey

Kinds = frozenset[str] | None  # run only the checks that read these kinds; None: all checks


class Queue:
    """Objects to look at, each once, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._order: deque[ObjectKey] = deque()
        self._kinds: dict[ObjectKey, Kinds] = {}

    def __len__(self) -> int:
        return len(self._order)

    def add(self, key: ObjectKey, kinds: Kinds = None) -> None:
        if key not in self._kinds:
            self._order.append(key)
            self._kinds[key] = kinds
            return
        before = self._kinds[key]
        self._kinds[key] = None if before is None or kinds is None else before | kinds

    def add_all(self, keys: Iterable[ObjectKey]) -> None:
        """Everything of the given objects; for many of them at once."""
        kinds: dict[ObjectKey, Kinds] = dict.fromkeys(keys)
        self._order.extend(kinds if not self._kinds else [key for key in kinds if key not in self._kinds])
        self._kinds.update(kinds)

    def take(self, limit: int | None = None) -> list[tuple[ObjectKey, Kinds]]:
        """The first ones, or all."""
        count = len(self._order) if limit is None else min(limit, len(self._order))
        keys = [self._order.popleft() for _ in range(count)]
        return [(key, self._kinds.pop(key)) for key in keys]


class Agenda:
    """When each object is to be looked at although nothing changed. To put a date off costs a dict entry, no more."""

    def __init__(self) -> None:
        self._wanted: dict[ObjectKey, datetime] = {}
        self._filed: dict[ObjectKey, datetime] = {}  # the one entry in the heap that counts
        self._heap: list[tuple[datetime, ObjectKey]] = []

    @property
    def next_at(self) -> datetime | None:
        """Never later than the next date; where dates were put off, it may be sooner."""
        while self._heap and self._filed.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def set(self, key: ObjectKey, at: datetime | None) -> None:
        """The one date of the object, instead of any it had."""
        if at is None:
            if self._wanted:
                self._wanted.pop(key, None)
            return
        self._wanted[key] = at
        filed = self._filed.get(key)
        if filed is None or at < filed:
            self._filed[key] = at
            heapq.heappush(self._heap, (at, key))

    def hasten(self, key: ObjectKey, at: datetime) -> None:
        """No later than `at`."""
        wanted = self._wanted.get(key)
        if wanted is None or at < wanted:
            self.set(key, at)

    def due(self, now: datetime) -> list[ObjectKey]:
        """Objects whose date has come; it is struck off."""
        found: list[ObjectKey] = []
        while (at := self.next_at) is not None and at <= now:
            _, key = heapq.heappop(self._heap)
            del self._filed[key]
            wanted = self._wanted.get(key)
            if wanted is None:
                continue
            if wanted > now:
                self.set(key, wanted)
            else:
                del self._wanted[key]
                found.append(key)
        return found

"""What waits to be stored, bounded: events in order, scores one per object and second. Pure, and told the time.

While PostgreSQL is away the buffer fills. What is given up first is what a consumer misses least: findings that opened
and resolved unseen, then changes in between, then the oldest events. Every entry given up is counted by its reason.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from uuid import UUID, uuid4

from common.contracts import Change, EventData, ObjectKey

# Dropping a tenth at once keeps the cost of a full buffer small for each further event.
_ROOM_PARTS = 10


class DropReason(StrEnum):
    """Why an entry was never stored."""

    CANCELLED = "cancelled"  # opened and resolved again before it could be stored
    CHANGED = "changed"  # a change of an open finding, overtaken or the oldest of a full buffer
    OVERFLOW = "overflow"  # an opened or resolved event, the oldest of a full buffer
    SCORE = "score"  # the oldest score of a full buffer
    REJECTED = "rejected"  # PostgreSQL can not hold it


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with the id that it keeps over every attempt to store it."""

    id: UUID
    data: EventData


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """An object's last and lowest score within one second; None when the object is gone."""

    key: ObjectKey
    at: datetime
    value: float | None
    low: float | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction stores. It stays as it is until its fate is known: the id tells a repetition."""

    id: UUID
    epoch: int
    recorded_at: datetime
    entries: tuple[Entry, ...] = ()
    scores: tuple[ScorePoint, ...] = ()

    def halves(self) -> tuple["Batch", ...]:
        """The batch in two, to find the entry that PostgreSQL refuses; nothing when it has but one."""
        if len(self.entries) + len(self.scores) < 2:
            return ()
        if self.entries and self.scores:
            return self._with(self.entries, ()), self._with((), self.scores)
        events, scores = len(self.entries) // 2, len(self.scores) // 2
        return (
            self._with(self.entries[:events], self.scores[:scores]),
            self._with(self.entries[events:], self.scores[scores:]),
        )

    def _with(self, entries: tuple[Entry, ...], scores: tuple[ScorePoint, ...]) -> "Batch":
        return Batch(uuid4(), self.epoch, self.recorded_at, entries, scores)


class Buffer:
    """Bounded in events, and apart from them in scores."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.dropped: Counter[DropReason] = Counter()
        self._entries: deque[Entry] = deque()
        self._added = 0  # since the buffer was last looked through
        self._scores: dict[tuple[ObjectKey, int], ScorePoint] = {}

    @property
    def events(self) -> int:
        return len(self._entries)

    @property
    def scores(self) -> int:
        return len(self._scores)

    def add_events(self, events: Iterable[EventData]) -> None:
        added = [Entry(uuid4(), data) for data in events]
        self._entries.extend(added)
        self._added += len(added)
        if len(self._entries) > self.capacity:
            self._make_room()

    def add_score(self, key: ObjectKey, value: float | None, at: datetime) -> None:
        place = (key, int(at.timestamp()))
        before = self._scores.get(place)
        low = value if before is None else _lower(before.low, value)
        self._scores[place] = ScorePoint(key, at, value, low)
        if len(self._scores) > self.capacity:
            del self._scores[next(iter(self._scores))]
            self.dropped[DropReason.SCORE] += 1

    def take(self, epoch: int, now: datetime, *, events: int, scores: int) -> Batch:
        """Remove the oldest entries, at most so many of each, as a batch."""
        entries = tuple(self._entries.popleft() for _ in range(min(events, len(self._entries))))
        places = list(self._scores)[:scores]
        points = tuple(self._scores.pop(place) for place in places)
        return Batch(uuid4(), epoch, now, entries, points)

    def clear(self) -> None:
        self._entries.clear()
        self._scores.clear()

    def _make_room(self) -> None:
        # Looking through a full buffer takes long, so only once for each tenth of it that was added.
        if self._added > self.capacity // _ROOM_PARTS:
            self._added = 0
            self._compact()
        while len(self._entries) > self.capacity:
            is_change = self._entries.popleft().data.change is Change.CHANGED
            self.dropped[DropReason.CHANGED if is_change else DropReason.OVERFLOW] += 1

    def _compact(self) -> None:
        kept = without_unseen(self._entries)
        room = self.capacity - self.capacity // _ROOM_PARTS
        if len(kept) > self.capacity:
            kept = without_oldest_changes(kept, len(kept) - room)
        changes = _count_changes(self._entries) - _count_changes(kept)
        self.dropped[DropReason.CHANGED] += changes
        self.dropped[DropReason.CANCELLED] += len(self._entries) - len(kept) - changes
        self._entries = deque(kept)


def without_unseen(entries: Iterable[Entry]) -> list[Entry]:
    """Without findings that opened and resolved within `entries`, and with only the last change of each other one."""
    kept: dict[UUID, Entry] = {}
    opened: dict[object, Entry] = {}
    changed: dict[object, Entry] = {}
    for entry in entries:
        key = entry.data.finding.key
        kept[entry.id] = entry
        if (overtaken := changed.pop(key, None)) is not None:
            del kept[overtaken.id]
        if entry.data.change is Change.OPENED:
            opened[key] = entry
        elif entry.data.change is Change.CHANGED:
            changed[key] = entry
        elif (start := opened.pop(key, None)) is not None:
            del kept[start.id], kept[entry.id]
    return list(kept.values())


def without_oldest_changes(entries: Collection[Entry], surplus: int) -> list[Entry]:
    """Without the oldest `surplus` changes, or as many as there are."""
    changes = (entry.id for entry in entries if entry.data.change is Change.CHANGED)
    going = set(islice(changes, surplus))
    return [entry for entry in entries if entry.id not in going]


def _count_changes(entries: Iterable[Entry]) -> int:
    return sum(entry.data.change is Change.CHANGED for entry in entries)


def _lower(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return min(known) if known else None

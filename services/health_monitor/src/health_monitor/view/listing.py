"""Walks what is listed in an order, from a position on, with bounded work per page.

The largest cluster has 150,000 pods: sorting them for each request would stall everything else. So orders are kept for
a short while, and one page looks at a bounded number of objects.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Position = tuple[Any, ...]

SCAN_LIMIT = 10_000  # objects that one page may look at: 10 to 20 ms, when none of them has the wanted labels
FRESH_SECONDS = 0.2
SORTING_SHARE = 0.1  # of the time at most is spent on one order, however large the cluster is
KEPT_ORDERS = 64


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next` is where to go on; None at the end. A page may be short, or empty, before the end."""

    items: list[T]
    next: Position | None


def page(
    positions: Iterable[Position], accept: Callable[[Position], T | None], *, limit: int, scan_limit: int = SCAN_LIMIT
) -> Page[T]:
    """The first `limit` of what `accept` makes of the positions; it answers None for what is filtered out."""
    items: list[T] = []
    last: Position | None = None
    for seen, position in enumerate(positions):
        if seen == scan_limit:
            return Page(items, last)
        item = accept(position)
        if item is not None and len(items) == limit:
            return Page(items, last)
        if item is not None:
            items.append(item)
        last = position
    return Page(items, None)


def after(order: Sequence[Position], position: Position | None) -> Iterator[Position]:
    """What comes after a position, which itself may be gone by now."""
    start = 0 if position is None else bisect_right(order, position)
    return (order[index] for index in range(start, len(order)))


class Orders:
    """Sorted lists, each kept for a moment: what they order changes fifty times a second, and readers do not notice."""

    def __init__(
        self, *, fresh_seconds: float = FRESH_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._monotonic = monotonic
        self._kept: dict[Hashable, tuple[float, list[Position]]] = {}

    def sorted(self, name: Hashable, positions: Callable[[], Iterable[Position]]) -> Sequence[Position]:
        """The positions in order, sorted anew when the list kept under `name` is too old."""
        started = self._monotonic()
        kept = self._kept.pop(name, None)
        if kept is None or started >= kept[0]:
            order = sorted(positions())
            took = self._monotonic() - started
            kept = (started + max(self._fresh_seconds, took / SORTING_SHARE), order)
        self._kept[name] = kept  # to the end: the front is what nobody asked for longest
        if len(self._kept) > KEPT_ORDERS:
            del self._kept[next(iter(self._kept))]
        return kept[1]

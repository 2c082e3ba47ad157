"""What the API does not keep, remembered from the changes: readiness over time, clock offsets, tolerations in use."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from common.cluster.rows import LeaseRow, NodeRow, PodRow, Toleration
from common.contracts.objects import ObjectKey

CHANGES_KEPT = 20


class ReadinessChanges:
    """When each node's readiness was seen to change, by the API server's clock."""

    def __init__(self) -> None:
        self._changes: dict[str, deque[datetime]] = {}

    def __getitem__(self, node: str) -> Sequence[datetime]:
        return self._changes.get(node, ())

    def adopt(self, other: "ReadinessChanges") -> None:
        self._changes = {node: deque(changes, maxlen=CHANGES_KEPT) for node, changes in other._changes.items()}

    def update(self, key: ObjectKey, before: NodeRow | None, after: NodeRow | None) -> None:
        if after is None:
            self._changes.pop(key.name, None)
            return
        if before is None or before.ready == after.ready:
            return
        condition = after.condition("Ready")
        if condition is not None and condition.changed_at is not None:
            self._changes.setdefault(key.name, deque(maxlen=CHANGES_KEPT)).append(condition.changed_at)


class ClockOffsets:
    """How long before its arrival each node's Lease claims to have been renewed, from renewals that were watched."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._offsets: dict[str, timedelta] = {}

    def __getitem__(self, node: str) -> timedelta | None:
        return self._offsets.get(node)

    def adopt(self, other: "ClockOffsets") -> None:
        self._offsets = dict(other._offsets)

    def update(self, key: ObjectKey, before: LeaseRow | None, after: LeaseRow | None) -> None:
        if after is None:
            self._offsets.pop(key.name, None)
        elif before is not None and after.renewed_at is not None and after.renewed_at != before.renewed_at:
            self._offsets[key.name] = self._now() - after.renewed_at


class TolerationSets:
    """The distinct sets of tolerations of unfinished pods, counted."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Toleration, ...], int] = {}

    def all(self) -> Collection[tuple[Toleration, ...]]:
        return self._counts.keys()

    def adopt(self, other: "TolerationSets") -> None:
        self._counts = dict(other._counts)

    def update(self, _key: ObjectKey, before: PodRow | None, after: PodRow | None) -> None:
        old = None if before is None or before.finished else before.tolerations
        new = None if after is None or after.finished else after.tolerations
        if old is new or old == new:
            return
        if new is not None:
            self._counts[new] = self._counts.get(new, 0) + 1
        if old is not None:
            self._drop(old)

    def _drop(self, tolerations: tuple[Toleration, ...]) -> None:
        left = self._counts[tolerations] - 1
        if left:
            self._counts[tolerations] = left
        else:
            del self._counts[tolerations]

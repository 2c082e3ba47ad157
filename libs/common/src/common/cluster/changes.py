"""What the store says happened."""

import asyncio
from collections.abc import Iterable

from msgspec import Struct

from common.cluster.rows import Row
from common.contracts.objects import ObjectKey

NODE_USAGE = "NodeUsage"
POD_USAGE = "PodUsage"


class RowChange(Struct, frozen=True, gc=False, kw_only=True):
    """One object came (`before` is None), changed or went (`after` is None).

    `kind` is the kind of the rows, or "NodeUsage" / "PodUsage" when what metrics.k8s.io says of the node or pod
    `key` changed; such a change carries no rows.
    """

    kind: str
    key: ObjectKey
    before: Row | None = None
    after: Row | None = None
    received_at: float = 0.0  # monotonic seconds, when its bytes arrived


class Batch(Struct, frozen=True, gc=False):
    """What happened since the last batch, at most one change for each object."""

    changes: list[RowChange]
    outages_ended: frozenset[str]  # kinds that were out of sight for a while and are seen again


class ChangeQueue:
    """Gathers changes until they are taken. Changes of one object become one, so it holds no more than there is."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, ObjectKey], RowChange] = {}
        self._outages_ended: set[str] = set()
        self._filled = asyncio.Event()

    def put(self, changes: Iterable[RowChange]) -> None:
        kept = self._changes
        for change in changes:
            place = (change.kind, change.key)
            earlier = kept.get(place)
            if earlier is None:
                kept[place] = change
            else:
                self._merge(place, earlier, change)
        if kept:
            self._filled.set()

    def _merge(self, place: tuple[str, ObjectKey], earlier: RowChange, later: RowChange) -> None:
        if later.kind == later.key.kind and earlier.before is None and later.after is None:
            del self._changes[place]  # came and went unseen
            return
        self._changes[place] = RowChange(
            kind=later.kind,
            key=later.key,
            before=earlier.before,
            after=later.after,
            received_at=earlier.received_at,
        )

    def outage_ended(self, kind: str) -> None:
        self._outages_ended.add(kind)
        self._filled.set()

    async def take(self) -> Batch:
        """All there is; waits while there is nothing."""
        await self._filled.wait()
        batch = Batch(list(self._changes.values()), frozenset(self._outages_ended))
        self._changes.clear()
        self._outages_ended.clear()
        self._filled.clear()
        return batch

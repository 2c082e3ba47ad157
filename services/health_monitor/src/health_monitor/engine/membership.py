"""Keeps every object in its place among the scores as rows come, change and go."""

from collections.abc import Iterable

from common.cluster.changes import RowChange
from common.cluster.rows import CronJobRow, JobRow, OwnerRef, PodRow, Row, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey
from health_monitor.engine.placement import NOWHERE, Placement, placement
from health_monitor.engine.scores import Scores


class Membership:
    """Places rows. Returns what was placed anew, whose own loss is then to be set again."""

    def __init__(self, scores: Scores, snapshot: ClusterSnapshot) -> None:
        self._scores = scores
        self._snapshot = snapshot

    def update(self, change: RowChange) -> list[ObjectKey]:
        if _stays(change.before, change.after):
            return []
        moved = [change.key] if self.place(change.key, change.after) else []
        if _owner_moved(change.before, change.after):
            pods = self._snapshot.pods_of(change.key)
            moved += [key for pod in pods if self.place(key := pod.key, pod)]
        return moved

    def place_all(self, rows: Iterable[tuple[ObjectKey, Row | None]]) -> None:
        """For many at once, without an await in between: pods of one owner are placed alike."""
        alike: dict[tuple[str, OwnerRef], Placement | None] = {}
        for key, row in rows:
            if isinstance(row, PodRow) and row.owner is not None and not row.finished:
                owner = (row.namespace, row.owner)
                if owner not in alike:
                    alike[owner] = placement(row, self._snapshot)
                self._put(key, alike[owner])
            else:
                self.place(key, row)

    def place(self, key: ObjectKey, row: Row | None) -> bool:
        """True when it was placed anew."""
        return self._put(key, NOWHERE if row is None else placement(row, self._snapshot))

    def _put(self, key: ObjectKey, where: Placement | None) -> bool:
        if where is None:
            moved = self._scores.place(key, NOWHERE)
            return self._scores.set_present(key, True) or moved
        moved = self._scores.set_present(key, False)
        return self._scores.place(key, where) or moved


def _stays(before: Row | None, after: Row | None) -> bool:
    """Whether the change cannot have moved it: the common case, told without walking up its owners."""
    if before is None or after is None or before.owner != after.owner:
        return False
    if isinstance(after, PodRow) and isinstance(before, PodRow):
        return before.phase == after.phase
    return before.labels == after.labels  # a node's zone


def _owner_moved(before: Row | None, after: Row | None) -> bool:
    """Whether pods further down may now belong to another workload."""
    row = after or before
    if not isinstance(row, WorkloadRow | JobRow | CronJobRow):
        return False
    return (before.owner if before else None) != (after.owner if after else None)

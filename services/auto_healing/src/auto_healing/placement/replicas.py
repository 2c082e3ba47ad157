"""How many ready pods each workload has left while its pods are taken away."""

from collections import Counter

from auto_healing.placement.moves import Moves
from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey


class Replicas:
    """Of top workloads. A Job serves nobody, so nothing of it goes out."""

    def __init__(self, snapshot: ClusterSnapshot, moves: Moves, back: Counter[ObjectKey] | None = None) -> None:
        self._snapshot = snapshot
        self._moves = moves
        self._back = back if back is not None else Counter()  # replacements that are ready
        self._left: dict[ObjectKey, int] = {}
        self._tops: dict[str, ObjectKey] = {}  # by the uid of the controller

    def copy(self, moves: Moves) -> "Replicas":
        return Replicas(self._snapshot, moves, Counter(self._back))

    def leave(self, pod: PodRow) -> bool:
        """Call it before the pod is counted as gone. Whether its workload has no ready pod from then on."""
        if not pod.ready or pod.finished or pod.deleted_at is not None:
            return False
        owner = self._top(pod)
        if owner.kind in {"Job", "CronJob"}:
            return False
        left = self._left.get(owner)
        if left is None:
            left = self._back[owner] + sum(
                other.ready and not other.finished and other.deleted_at is None and not self._moves.is_gone(other)
                for other in (self._snapshot.pods_of(owner) if owner != pod.key else (pod,))
            )
        self._left[owner] = left - 1
        return left <= 1

    def settle(self, pod: PodRow) -> None:
        """A replacement of the pod is ready."""
        owner = self._top(pod)
        self._back[owner] += 1
        if owner in self._left:
            self._left[owner] += 1

    def _top(self, pod: PodRow) -> ObjectKey:
        uid = pod.owner.uid if pod.owner is not None else ""
        top = self._tops.get(uid)
        if top is None:
            top = self._snapshot.top_owner(pod)
            if uid:
                self._tops[uid] = top
        return top

"""Which pods have left and where their replacements are, beyond what the snapshot says."""

from collections.abc import Iterable, Iterator

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey

Placed = tuple[PodRow, str]  # the pod that was replaced, and the node of its replacement


class Moves:
    """Everything else that is known of pods is counted from the snapshot and these, whenever it is first needed."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._snapshot = snapshot
        self._gone: set[str] = set()
        self._come_in: dict[str, list[Placed]] = {}
        self._come_of: dict[str, list[Placed]] = {}
        self._come_crossing: list[Placed] = []  # whose anti-affinity may be about pods of other namespaces

    def copy(self) -> "Moves":
        other = Moves(self._snapshot)
        other._gone = set(self._gone)
        other._come_in = {namespace: list(placed) for namespace, placed in self._come_in.items()}
        other._come_of = {owner: list(placed) for owner, placed in self._come_of.items()}
        other._come_crossing = list(self._come_crossing)
        return other

    def is_gone(self, pod: PodRow) -> bool:
        return pod.uid in self._gone

    def leave(self, pod: PodRow) -> None:
        self._gone.add(pod.uid)

    def come(self, pod: PodRow, node: str) -> None:
        self._come_in.setdefault(pod.namespace, []).append((pod, node))
        if pod.owner is not None:
            self._come_of.setdefault(pod.owner.uid, []).append((pod, node))
        if any(term.crosses for term in pod.scheduling.anti_affinity):
            self._come_crossing.append((pod, node))

    def pods_in(self, namespace: str) -> Iterator[Placed]:
        yield from self._there(self._snapshot.pods_in(namespace))
        yield from self._come_in.get(namespace, ())

    def pods_of(self, pod: PodRow) -> Iterator[Placed]:
        """Those of the same controller."""
        owner = pod.owner
        if owner is not None:
            yield from self._there(self._snapshot.pods_of(ObjectKey(owner.kind, pod.namespace, owner.name)))
            yield from self._come_of.get(owner.uid, ())

    def repelling(self, namespace: str) -> Iterator[Placed]:
        """Those whose anti-affinity may be about pods of the namespace."""
        yield from self._there(self._snapshot.repelling(namespace))
        yield from (placed for placed in self._come_crossing if placed[0].namespace != namespace)
        yield from (placed for placed in self._come_in.get(namespace, ()) if placed[0].scheduling.anti_affinity)

    def pods_on(self, node: str) -> Iterator[PodRow]:
        yield from (pod for pod, _ in self._there(self._snapshot.pods_on(node)))
        for others in self._come_in.values():
            yield from (pod for pod, place in others if place == node)

    def _there(self, pods: Iterable[PodRow]) -> Iterator[Placed]:
        """Pods that hold their place: bound, not ended, and not on their way out."""
        for pod in pods:
            if pod.node and not pod.finished and pod.deleted_at is None and pod.uid not in self._gone:
                yield pod, pod.node

"""In which order objects and findings are listed. A position is (rank, key); the rank is the score, or 0 by name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum

from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import ObjectKey
from health_monitor.engine.engine import Engine, OpenFinding
from health_monitor.view.listing import Orders, Position, after

ALL_POINTS = 100.0


class Collection(StrEnum):
    """What can be listed."""

    ZONES = "zones"
    NODES = "nodes"
    NAMESPACES = "namespaces"
    WORKLOADS = "workloads"
    PODS = "pods"


class Sort(StrEnum):
    """`score` puts the worst first; `name` goes by kind, namespace and name."""

    SCORE = "score"
    NAME = "name"


class Walks:
    """Walks through one cluster's objects."""

    def __init__(self, engine: Engine, snapshot: ClusterSnapshot, orders: Orders) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._orders = orders

    def objects(self, collection: Collection, sort: Sort, position: Position | None) -> Iterator[Position]:
        """All of a collection but pods."""
        keys = self._keys(collection)
        return after(self._ranked(collection, sort, lambda: keys), position)

    def pods(self, sort: Sort, position: Position | None, *, namespace: str | None, noted: bool) -> Iterator[Position]:
        """Pods with findings are few, and only they can have lost points; the many others go by name alone.

        `noted` leaves out those without findings.
        """
        if noted or sort is Sort.SCORE:
            for at in after(self._ranked("noted pods", sort, self._noted_pods), position):
                if noted or at[0] < ALL_POINTS:
                    yield at
        if not noted:
            yield from self._pods_by_name(sort, namespace, position)

    def findings(self, position: Position | None) -> Iterator[Position]:
        """The worst first: (minus the severity's rank, code, key, part)."""
        order = self._orders.sorted("findings", lambda: map(_finding_position, self._engine.all_findings()))
        return after(order, position)

    def _ranked(self, name: str, sort: Sort, keys: Callable[[], Iterable[ObjectKey]]) -> Sequence[Position]:
        value = self._engine.value
        if sort is Sort.NAME:
            return self._orders.sorted((name, sort), lambda: ((0.0, key) for key in keys()))
        return self._orders.sorted((name, sort), lambda: ((value(key), key) for key in keys()))

    def _keys(self, collection: Collection) -> Iterable[ObjectKey]:
        match collection:
            case Collection.ZONES:
                return self._engine.zones()
            case Collection.NODES:
                return self._snapshot.rows(NodeRow)
            case Collection.NAMESPACES:
                return self._engine.namespaces()
            case Collection.WORKLOADS:
                return self._engine.workloads()
            case Collection.PODS:
                return self._snapshot.rows(PodRow)

    def _noted_pods(self) -> Iterator[ObjectKey]:
        keys = {opened.finding.object.key for opened in self._engine.all_findings()}
        return (key for key in keys if key.kind == "Pod")

    def _pods_by_name(self, sort: Sort, namespace: str | None, position: Position | None) -> Iterator[Position]:
        """Sorted one namespace at a time: a page rarely needs a second. By score, those that lost points are out."""
        by_score = sort is Sort.SCORE
        rank = ALL_POINTS if by_score else 0.0
        last = position[1] if position is not None and position[0] >= rank else None
        for name in self._pod_namespaces() if namespace is None else (namespace,):
            if last is not None and name < last[1]:
                continue
            for (key,) in after(self._pods_in(name), None if last is None else (last,)):
                if not by_score or self._engine.value(key) >= rank:
                    yield (rank, key)

    def _pods_in(self, namespace: str) -> Sequence[Position]:
        pods = self._snapshot.pods_in(namespace)
        return self._orders.sorted(("pods", namespace), lambda: ((pod.key,) for pod in pods))

    def _pod_namespaces(self) -> Iterator[str]:
        pods = self._snapshot.rows(PodRow)
        return (name for (name,) in self._orders.sorted("pod namespaces", lambda: {(key.namespace,) for key in pods}))


def _finding_position(opened: OpenFinding) -> Position:
    finding = opened.finding
    return (-finding.severity.rank, finding.code, finding.object.key, finding.part)

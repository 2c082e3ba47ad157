"""Which objects a change touches besides itself: only those whose checks read the changed kind, and only if they can
have noticed. Pure.

A route leads from the changed object to the subjects of another kind. A check that reads a kind to which no route leads
is a mistake in the program, found when the engine is made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from common.cluster.changes import RowChange
from common.cluster.rows import (
    DaemonSetRow,
    EndpointSliceRow,
    EventRow,
    NodeRow,
    PodDisruptionBudgetRow,
    PodRow,
    Row,
)
from common.cluster.snapshot import ClusterSnapshot
from common.contracts.objects import CLUSTER, ZONE, ObjectKey
from health_monitor.checks.check import NODE_USAGE, POD_USAGE, SOURCES, Check
from health_monitor.engine.placement import CLUSTER_KEY, zone_key

Readers = Mapping[str, frozenset[str]]  # kind that changed -> kinds of subjects whose checks read it
Route = Callable[[RowChange, ClusterSnapshot], Iterable[ObjectKey]]


def readers_of(checks: Sequence[Check[Any, Any]]) -> Readers:
    """ValueError for a check that reads what no route leads from."""
    readers: dict[str, set[str]] = {}
    for check in checks:
        for kind in check.reads - {SOURCES}:
            if (kind, check.kind) not in _ROUTES:
                raise ValueError(f"check {check.code} of kind {check.kind} reads {kind}, and no route leads there")
            readers.setdefault(kind, set()).add(check.kind)
    return {kind: frozenset(subjects) for kind, subjects in readers.items()}


def affected(change: RowChange, snapshot: ClusterSnapshot, readers: Readers) -> Iterable[ObjectKey]:
    """Other subjects that are to be looked at again, with the checks that read the changed kind."""
    subjects = readers.get(change.kind)
    if not subjects:
        return
    for subject in subjects:
        yield from _ROUTES[(change.kind, subject)](change, snapshot)


def _rows(change: RowChange) -> list[Any]:
    """What it was and what it is: a change of place touches both."""
    return [row for row in (change.before, change.after) if row is not None]


def _same_name(kind: str) -> Route:
    """Of a Lease or of usage figures: the object of the same name."""

    def route(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
        namespace = change.key.namespace if kind == "Pod" else ""
        return (ObjectKey(kind, namespace, change.key.name),)

    return route


def _about(kind: str) -> Route:
    """Of a Warning event: the object that it is about."""

    def route(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
        events: list[EventRow] = _rows(change)
        return {event.about for event in events if event.about.kind == kind}

    return route


def _owners_of_selected(kind: str) -> Route:
    """Of a PDB that came, went or selects others: the owners of the pods that it selects, or did. Not of its status."""

    def route(change: RowChange, snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
        pods = _selected(change, snapshot)
        return {key for pod in pods for key in snapshot.owners(pod) if key.kind == kind}

    return route


def _nodes_of_pod(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    pods: list[PodRow] = _rows(change)
    return {ObjectKey("Node", "", pod.node) for pod in pods if pod.node}


def _pods_of_node(change: RowChange, snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    if not _node_moved(change):
        return ()
    return [pod.key for pod in snapshot.pods_on(change.key.name)]


def _daemon_sets(change: RowChange, snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    """All of them, when a node's readiness changed: they wait for one node after the other."""
    before, after = change.before, change.after
    was_ready = isinstance(before, NodeRow) and before.ready
    is_ready = isinstance(after, NodeRow) and after.ready
    return () if was_ready == is_ready else list(snapshot.rows(DaemonSetRow))


def _zones_of_node(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    nodes: list[NodeRow] = _rows(change)
    return {zone_key(node.zone) for node in nodes if node.zone} if _node_moved(change) else ()


def _cluster_of_node(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    return (CLUSTER_KEY,) if _node_moved(change) else ()


def _node_moved(change: RowChange) -> bool:
    """Whether more than a heartbeat changed. A kubelet reports every five minutes at least, changed or not."""
    return _node_state(change.before) != _node_state(change.after)


def _node_state(row: Row | None) -> object:
    if not isinstance(row, NodeRow):
        return None
    conditions = [(c.type, c.status, c.reason, c.message, c.changed_at) for c in row.conditions]
    return conditions, row.unschedulable, row.taints, row.labels, row.allocatable, row.deleted_at, row.uid


def _cluster_of_pod(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    """Only pods without a node matter to the cluster as a whole."""
    pods: list[PodRow] = _rows(change)
    return (CLUSTER_KEY,) if any(not pod.node for pod in pods) else ()


def _claims_of_pod(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    pods: list[PodRow] = _rows(change)
    return {ObjectKey("PersistentVolumeClaim", pod.namespace, claim) for pod in pods for claim in pod.claims}


def _selected(change: RowChange, snapshot: ClusterSnapshot) -> list[PodRow]:
    """Pods that came under a PDB, or from under it."""
    before, after = change.before, change.after
    pdbs = [pdb for pdb in (before, after) if isinstance(pdb, PodDisruptionBudgetRow)]
    if len(pdbs) == 2 and pdbs[0].selector == pdbs[1].selector:
        return []
    return [pod for pdb in pdbs for pod in snapshot.pods_in(pdb.namespace) if pdb.selector.matches(pod.labels)]


def _budgets_beside(change: RowChange, snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    """Other budgets of the pods that came under a PDB, or from under it."""
    return {pdb.key for pod in _selected(change, snapshot) for pdb in snapshot.pdbs_of(pod)} - {change.key}


def _service_of_slice(change: RowChange, _snapshot: ClusterSnapshot) -> Iterable[ObjectKey]:
    slices: list[EndpointSliceRow] = _rows(change)
    return {ObjectKey("Service", part.namespace, part.service) for part in slices}


_ROUTES: Mapping[tuple[str, str], Route] = {
    ("Lease", "Node"): _same_name("Node"),
    (NODE_USAGE, "Node"): _same_name("Node"),
    (POD_USAGE, "Pod"): _same_name("Pod"),
    ("Event", "Pod"): _about("Pod"),
    ("Event", "PersistentVolumeClaim"): _about("PersistentVolumeClaim"),
    ("EndpointSlice", "Service"): _service_of_slice,
    ("Node", "Pod"): _pods_of_node,
    ("Node", "DaemonSet"): _daemon_sets,
    ("Node", ZONE): _zones_of_node,
    ("Node", CLUSTER): _cluster_of_node,
    ("Pod", "Node"): _nodes_of_pod,
    ("Pod", "PersistentVolumeClaim"): _claims_of_pod,
    ("Pod", CLUSTER): _cluster_of_pod,
    ("PodDisruptionBudget", "Deployment"): _owners_of_selected("Deployment"),
    ("PodDisruptionBudget", "StatefulSet"): _owners_of_selected("StatefulSet"),
    ("PodDisruptionBudget", "PodDisruptionBudget"): _budgets_beside,
}

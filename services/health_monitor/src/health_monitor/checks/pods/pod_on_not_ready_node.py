"""A pod sits on a node that is not ready."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=1),
        "How long the node may be not ready. Longer than a restart of the kubelet, shorter than the 5 min after which "
        "Kubernetes evicts (tolerationSeconds 300, https://kubernetes.io/docs/concepts/scheduling-eviction/"
        "taint-and-toleration/#taint-based-evictions).",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    node = snapshot.node(pod.node) if pod.node else None
    if node is None or node.ready or pod.finished or pod.deleted_at is not None or _stays(pod):
        return ()
    ready = node.condition("Ready")
    status = ready.status if ready else "Unknown"
    return (
        Symptom(
            message=f"The pod is on node {pod.node}, which is not ready (Ready is {status}): it may be down, and what "
            "is reported of it is old",
            since=(ready and ready.changed_at) or node.created_at,
            after=thresholds.after,
            evidence={"node": pod.node, "node_ready": status, "node_reason": ready.reason if ready else ""},
        ),
    )


def _stays(pod: PodRow) -> bool:
    """Static pods and those of a DaemonSet belong to their node: they go nowhere, and its own finding is enough."""
    return pod.mirror or (pod.owner is not None and pod.owner.kind == "DaemonSet")


CHECK = Check(
    code="pod-on-not-ready-node",
    title="On a node that is not ready",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The pod's node is not ready, so the pod may be down or cut off. Kubernetes replaces most such pods after "
    "five minutes, but not those of StatefulSets or with volumes that cannot move.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Node"}),
)

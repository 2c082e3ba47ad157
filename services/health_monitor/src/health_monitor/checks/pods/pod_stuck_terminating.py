"""A pod that should be gone is still there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.nodes import on_unready_node


@dataclass(frozen=True, slots=True)
class Thresholds:
    margin: timedelta = threshold(
        timedelta(minutes=2),
        "How long after its deletionTimestamp, which includes the grace period, a pod may still exist. The kubelet "
        "kills at once then, and unmounts (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/"
        "#pod-termination); the margin is a judgement.",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    if pod.deleted_at is None:
        return ()
    cause, meaning = _cause(pod, snapshot)
    return (
        Symptom(
            message=f"The pod was deleted and should be gone, but still exists: {meaning}",
            since=pod.deleted_at,
            after=thresholds.margin,
            evidence={"cause": cause, "node": pod.node, "finalizers": ", ".join(pod.finalizers)},
        ),
    )


def _cause(pod: PodRow, snapshot: ClusterSnapshot) -> tuple[str, str]:
    if on_unready_node(pod, snapshot):
        return "node", f"its node {pod.node} is not ready, so nobody can confirm that it has stopped"
    if pod.finalizers:
        return "finalizers", f"its finalizers {', '.join(pod.finalizers)} were not removed by their controller"
    return "kubelet", f"the kubelet of node {pod.node or '(none)'} cannot end a process or unmount a volume"


CHECK = Check(
    code="pod-stuck-terminating",
    title="Stuck terminating",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The pod holds its name, its volumes and its place in a StatefulSet until it is really gone, so its "
    "successor may not start.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Node"}),
)

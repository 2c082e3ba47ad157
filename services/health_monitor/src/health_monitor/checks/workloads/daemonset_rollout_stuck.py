"""A rolling update of a DaemonSet does not go on."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.rows import DaemonSetRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom
from health_monitor.checks.workloads.rollout import RolloutThresholds, stuck


def run(
    workload: DaemonSetRow, snapshot: ClusterSnapshot, thresholds: RolloutThresholds, _now: datetime
) -> Iterable[Symptom]:
    behind = workload.replicas - workload.updated_replicas
    if behind <= 0 or workload.strategy == "OnDelete" or workload.deleted_at is not None:
        return ()
    if behind <= len(snapshot.unready_nodes()):  # pods on a node that is not ready cannot be replaced
        return ()
    return stuck(workload, snapshot, thresholds, wanted=workload.replicas)


CHECK = Check(
    code="daemonset-rollout-stuck",
    title="Rollout stuck",
    kind="DaemonSet",
    severity=Severity.WARNING,
    summary="A DaemonSet goes from node to node and waits for each pod to be ready, without any deadline: a pod that "
    "does not start stops the update on all other nodes.",
    run=run,
    thresholds=RolloutThresholds(),
    reads=frozenset({"Node"}),
)

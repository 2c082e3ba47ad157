"""A rolling update of a StatefulSet does not go on."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.rows import StatefulSetRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom
from health_monitor.checks.workloads.rollout import RolloutThresholds, stuck


def run(
    workload: StatefulSetRow, snapshot: ClusterSnapshot, thresholds: RolloutThresholds, _now: datetime
) -> Iterable[Symptom]:
    if workload.revision == workload.current_revision or workload.strategy == "OnDelete":
        return ()
    wanted = workload.replicas - workload.partition  # those below the partition keep the old revision on purpose
    if workload.updated_replicas >= wanted or workload.deleted_at is not None:
        return ()
    return stuck(workload, snapshot, thresholds, wanted=wanted)


CHECK = Check(
    code="statefulset-rollout-stuck",
    title="Rollout stuck",
    kind="StatefulSet",
    severity=Severity.WARNING,
    summary="A StatefulSet replaces one pod at a time and waits for each to be ready, without any deadline: one bad "
    "pod stops the update for good, even after the template was mended, until that pod is deleted by hand.",
    run=run,
    thresholds=RolloutThresholds(),
)

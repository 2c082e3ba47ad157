"""What the checks of stuck rollouts of StatefulSets and DaemonSets have in common: no controller calls these stuck."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from common.cluster.rows import DaemonSetRow, StatefulSetRow
from common.cluster.snapshot import ClusterSnapshot
from health_monitor.checks.check import Symptom, threshold


@dataclass(frozen=True, slots=True)
class RolloutThresholds:
    after: timedelta = threshold(
        timedelta(minutes=10),
        "How long after its newest pod was made a rollout may go without another. As long as a Deployment waits for "
        "progress (progressDeadlineSeconds, https://kubernetes.io/docs/concepts/workloads/controllers/deployment/"
        "#progress-deadline-seconds).",
    )


def stuck(
    workload: StatefulSetRow | DaemonSetRow,
    snapshot: ClusterSnapshot,
    thresholds: RolloutThresholds,
    *,
    wanted: int,
) -> Iterable[Symptom]:
    """One symptom while fewer than `wanted` replicas are updated, since the newest pod was made: the last progress."""
    updated = workload.updated_replicas
    made = [pod.created_at for pod in snapshot.pods_of(workload.key) if pod.created_at is not None]
    return (
        Symptom(
            message=f"The rollout does not go on: {updated} of {wanted} replicas are updated, and no pod was replaced "
            "since. The newest pod is not ready, or an old one does not end",
            since=max(made, default=None),
            after=thresholds.after,
            evidence={"updated": updated, "wanted": wanted, "ready": workload.ready_replicas},
        ),
    )

"""What the checks of missing replicas have in common."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import DaemonSetRow, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Symptom, threshold
from health_monitor.checks.workloads.sight import unready_since


@dataclass(frozen=True, slots=True)
class ReplicaThresholds:
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How long some replicas may be missing. Longer than a rolling update without trouble; kubernetes-mixin waits "
        "15 min (https://github.com/kubernetes-monitoring/kubernetes-mixin).",
    )
    all_after: timedelta = threshold(
        timedelta(minutes=1),
        "How long all replicas may be missing at once: longer than one pod takes to restart. A judgement.",
    )
    startup: timedelta = threshold(
        timedelta(minutes=10),
        "How long a new workload may take to start. As long as a Deployment waits for progress "
        "(progressDeadlineSeconds, https://kubernetes.io/docs/concepts/workloads/controllers/deployment/"
        "#progress-deadline-seconds).",
    )


def run(
    workload: WorkloadRow, snapshot: ClusterSnapshot, thresholds: ReplicaThresholds, now: datetime
) -> Iterable[Symptom]:
    """One symptom while fewer replicas are ready than are wanted; critical when none is."""
    missing = workload.replicas - workload.ready_replicas
    if missing <= 0 or workload.deleted_at is not None:
        return ()
    if isinstance(workload, DaemonSetRow):
        missing -= _on_unready_nodes(workload, snapshot)
        if missing <= 0:
            return ()
    since, after = _timing(workload, snapshot, thresholds, now)
    return (
        Symptom(
            message=_message(workload, missing),
            since=since,
            after=after,
            severity=None if workload.ready_replicas else Severity.CRITICAL,
            evidence={"replicas": workload.replicas, "ready": workload.ready_replicas, "missing": missing},
        ),
    )


def _on_unready_nodes(workload: DaemonSetRow, snapshot: ClusterSnapshot) -> int:
    """Pods that are not ready since their node is not: that is the node's trouble, in every DaemonSet at once."""
    unready = set(snapshot.unready_nodes())
    if not unready:
        return 0
    return sum(not pod.ready and pod.node in unready for pod in snapshot.pods_of(workload.key))


def _timing(
    workload: WorkloadRow, snapshot: ClusterSnapshot, thresholds: ReplicaThresholds, now: datetime
) -> tuple[datetime | None, timedelta]:
    """Since when replicas are missing, and how long they may be: all of them since the last went, some since the "
    "first."""
    created = workload.created_at
    if created is not None and now - created < thresholds.startup:
        return created, thresholds.startup
    times = unready_since(snapshot.pods_of(workload.key))
    if workload.ready_replicas:
        return (times[0] if times else None), thresholds.after
    return (times[-1] if times else None), thresholds.all_after


def _message(workload: WorkloadRow, missing: int) -> str:
    failure = workload.condition("ReplicaFailure")
    hint = ""
    if failure is not None and failure.status == "True":
        hint = f"; its pods cannot even be created ({failure.reason}), as with a quota or a webhook that refuses them"
    if workload.ready_replicas == 0:
        return f"None of the {workload.replicas} replicas is ready: the workload is down{hint}"
    return f"{missing} of {workload.replicas} replicas are not ready, {workload.ready_replicas} are{hint}"

"""What the checks of missing replicas have in common."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import DaemonSetRow, PodRow, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Symptom, threshold
from health_monitor.checks.pods.containers import in_crash_loop
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
    """One symptom while fewer replicas are ready than are wanted; critical when none is.

    A replica that crash-loops does not count as ready while it runs for a moment.
    """
    if workload.ready_replicas >= workload.replicas or workload.deleted_at is not None:
        return ()
    pods = snapshot.pods_of(workload.key)
    ready = max(0, workload.ready_replicas - sum(pod.ready and in_crash_loop(pod, now) for pod in pods))
    missing = workload.replicas - ready
    if isinstance(workload, DaemonSetRow):
        missing -= _on_unready_nodes(pods, snapshot)
        if missing <= 0:
            return ()
    since, after = _timing(workload, pods, thresholds, down=not ready, now=now)
    return (
        Symptom(
            message=_message(workload, ready, missing),
            since=since,
            after=after,
            severity=None if ready else Severity.CRITICAL,
            evidence={"replicas": workload.replicas, "ready": ready, "missing": missing},
        ),
    )


def _on_unready_nodes(pods: Collection[PodRow], snapshot: ClusterSnapshot) -> int:
    """Pods that are not ready since their node is not: that is the node's trouble, in every DaemonSet at once."""
    unready = set(snapshot.unready_nodes())
    return sum(not pod.ready and pod.node in unready for pod in pods) if unready else 0


def _timing(
    workload: WorkloadRow, pods: Collection[PodRow], thresholds: ReplicaThresholds, *, down: bool, now: datetime
) -> tuple[datetime | None, timedelta]:
    """Since when replicas are missing, and how long they may be: all since the last went, some since the first."""
    created = workload.created_at
    if created is not None and now - created < thresholds.startup:
        return created, thresholds.startup
    times = unready_since(pods, now)
    if down:
        return (times[-1] if times else None), thresholds.all_after
    return (times[0] if times else None), thresholds.after


def _message(workload: WorkloadRow, ready: int, missing: int) -> str:
    failure = workload.condition("ReplicaFailure")
    hint = ""
    if failure is not None and failure.status == "True":
        hint = f"; its pods cannot even be created ({failure.reason}), as with a quota or a webhook that refuses them"
    if not ready:
        who = "The only replica is not" if workload.replicas == 1 else f"None of the {workload.replicas} replicas is"
        return f"{who} ready: the workload is down{hint}"
    return f"{missing} of {workload.replicas} replicas are not ready, {ready} are{hint}"

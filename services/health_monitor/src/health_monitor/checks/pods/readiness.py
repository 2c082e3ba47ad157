"""What the checks of a pod that runs, but is not ready, have in common."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from health_monitor.checks.check import threshold
from health_monitor.checks.pods.containers import told_by_container
from health_monitor.checks.pods.nodes import node_ready_since, on_unready_node

_AT_START = timedelta(seconds=5)  # Ready=False that is no older than this after the start: it was never True


@dataclass(frozen=True, slots=True)
class ReadinessThresholds:
    after: timedelta = threshold(
        timedelta(minutes=2),
        "How long a pod that was ready may be out of service. A judgement: longer than a container takes to restart.",
    )
    startup: timedelta = threshold(
        timedelta(minutes=10),
        "How long a pod may take to become ready for the first time. As long as a Deployment waits for progress "
        "(progressDeadlineSeconds, https://kubernetes.io/docs/concepts/workloads/controllers/deployment/"
        "#progress-deadline-seconds).",
    )


def allowed(pod: PodRow, thresholds: ReadinessThresholds) -> timedelta:
    """How long this pod may be not ready: longer when it never was ready."""
    begun = pod.started_at or pod.created_at
    changed = pod.ready_changed_at
    never = begun is None or changed is None or changed - begun <= _AT_START
    return thresholds.startup if never else thresholds.after


def unready_since(pod: PodRow, snapshot: ClusterSnapshot) -> datetime | None:
    """Not before its node was: a node that is back needs a moment until it says so of its pods."""
    since, back = pod.ready_changed_at, node_ready_since(pod, snapshot)
    return max(since, back) if since is not None and back is not None else since


def out_of_service(pod: PodRow, snapshot: ClusterSnapshot, now: datetime) -> bool:
    """Whether the pod should serve but is not ready, and neither a container's own trouble nor its node says why."""
    if pod.phase != "Running" or pod.deleted_at is not None:
        return False
    return not told_by_container(pod, now) and not on_unready_node(pod, snapshot)

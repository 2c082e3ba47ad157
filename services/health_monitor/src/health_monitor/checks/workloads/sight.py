"""What absence means, and since when something is missing."""

from collections.abc import Iterable
from datetime import datetime

from common.cluster.rows import DeploymentRow, PodRow, Selector, StatefulSetRow, WorkloadRow
from common.cluster.snapshot import ClusterSnapshot, SourceState
from health_monitor.checks.pods.containers import in_crash_loop

_SCALED: tuple[type[WorkloadRow], ...] = (DeploymentRow, StatefulSetRow)


def sees(snapshot: ClusterSnapshot, kind: str) -> bool:
    """Whether this kind may be read at all: if not, that there are none of it means nothing."""
    source = snapshot.sources.get(kind)
    return source is not None and source.state is not SourceState.UNSEEN


def scaled_to_zero(selector: Selector, namespace: str, snapshot: ClusterSnapshot) -> bool:
    """Whether the selector looks for the pods of a workload that somebody has scaled to zero."""
    return any(
        row.replicas == 0 and row.namespace == namespace and selector.matches(row.selector.labels)
        for kind in _SCALED
        for row in snapshot.rows(kind).values()
    )


def unready_since(pods: Iterable[PodRow], now: datetime) -> list[datetime]:
    """When each of the unfinished pods that is not ready ceased to be, or was made; in order.

    Nothing when one of them crash-loops: each of its crashes would begin the time anew.
    """
    unready = [pod for pod in pods if not pod.ready and not pod.finished]
    if any(in_crash_loop(pod, now) for pod in unready):
        return []
    times = [pod.ready_changed_at or pod.created_at for pod in unready]
    return sorted(time for time in times if time is not None)

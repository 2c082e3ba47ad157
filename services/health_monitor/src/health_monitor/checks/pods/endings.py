"""When and how a finished pod ended, and for how long that is worth telling."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from health_monitor.checks.check import threshold


@dataclass(frozen=True, slots=True)
class EndingThresholds:
    fresh: timedelta = threshold(
        timedelta(hours=1),
        "After this a failed pod that its owner has replaced is told only as left behind (info). Kubernetes itself "
        "collects finished pods beyond 12,500 only (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/"
        "#pod-garbage-collection); an hour is a judgement.",
    )


def ended_at(pod: PodRow) -> datetime | None:
    """When its last container ended, as far as the API says."""
    ends = [status.finished_at for status in pod.statuses if status.finished_at is not None]
    return max(ends, default=None) or pod.ready_changed_at or pod.started_at or pod.created_at


def left_behind(pod: PodRow, fresh: timedelta, now: datetime) -> bool:
    """Whether a controller has long since replaced the pod."""
    ended = ended_at(pod)
    return pod.owner is not None and ended is not None and now - ended >= fresh

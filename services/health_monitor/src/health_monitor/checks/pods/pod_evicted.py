"""A node threw a pod out."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom
from health_monitor.checks.pods.endings import EndingThresholds, ended_at, left_behind


def run(pod: PodRow, _snapshot: ClusterSnapshot, thresholds: EndingThresholds, now: datetime) -> Iterable[Symptom]:
    if pod.phase != "Failed" or pod.reason != "Evicted" or pod.deleted_at is not None:
        return ()
    old = left_behind(pod, thresholds.fresh, now)
    ending = "was evicted and left behind" if old else "was evicted"
    details = pod.message or "the node was short of memory, disk or process ids"
    return (
        Symptom(
            message=f"The pod {ending} by node {pod.node or '(unknown)'}: {details}",
            since=ended_at(pod),
            severity=Severity.INFO if old else None,
            evidence={"node": pod.node, "details": details},
        ),
    )


CHECK = Check(
    code="pod-evicted",
    title="Evicted",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The kubelet ended the pod to save its node from running out of memory, disk or process ids. It counts for "
    "nothing any more, but its name and record stay until somebody deletes it.",
    run=run,
    thresholds=EndingThresholds(),
    look_again=timedelta(minutes=5),
)

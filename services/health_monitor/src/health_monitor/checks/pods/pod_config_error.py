"""A container cannot be created from what its pod says."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import ContainerStatus, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.containers import START_REASONS, crash_looping, noun

_MEANINGS = {
    "CreateContainerConfigError": "a ConfigMap, Secret or key that it names is missing, or it must not run as root",
    "CreateContainerError": "the container runtime refuses to make it",
    "RunContainerError": "the container runtime cannot start it: look at its command, mounts and devices",
}
_OTHERWISE = "a lifecycle hook failed"


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(seconds=30),
        "How long the error may stand. A ConfigMap or Secret that is applied just after its pod is found at the "
        "kubelet's next attempt, seconds later; a judgement.",
    )


def run(pod: PodRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    if pod.ready or pod.deleted_at is not None or pod.finished:
        return ()
    return [
        _symptom(status, pod, thresholds)
        for status in pod.statuses
        if status.state == "waiting" and status.reason in START_REASONS and not crash_looping(status, pod, now)
    ]


def _symptom(status: ContainerStatus, pod: PodRow, thresholds: Thresholds) -> Symptom:
    details = status.message or _MEANINGS.get(status.reason, _OTHERWISE)
    return Symptom(
        message=f"{noun(status)} cannot be started ({status.reason}): {details}",
        since=pod.ready_changed_at or pod.scheduled_at,
        after=thresholds.after,
        part=status.name,
        evidence={"container": status.name, "reason": status.reason},
    )


CHECK = Check(
    code="pod-config-error",
    title="Container cannot be created",
    kind="Pod",
    severity=Severity.CRITICAL,
    summary="What the pod asks for does not exist or is not allowed: a missing ConfigMap or Secret, a bad mount, a "
    "command that the runtime refuses. It will not start until someone mends that.",
    run=run,
    thresholds=Thresholds(),
)

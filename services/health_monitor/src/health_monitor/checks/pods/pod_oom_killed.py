"""A container was killed for lack of memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import ContainerStatus, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.containers import crash_looping, noun, out_of_memory


@dataclass(frozen=True, slots=True)
class Thresholds:
    recent: timedelta = threshold(
        timedelta(hours=1),
        "How long a kill is worth telling when the container has run well since. Robusta, too, tells of one pod's OOM "
        "kills once an hour (https://docs.robusta.dev/master/playbook-reference/triggers/kubernetes.html).",
    )


def run(pod: PodRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    for status in pod.statuses:
        if status.last_reason == "OOMKilled" or status.reason == "OOMKilled":
            break
    else:
        return ()
    if pod.deleted_at is not None or pod.finished:
        return ()
    return [symptom for status in pod.statuses if (symptom := _symptom(status, pod, thresholds, now))]


def _symptom(status: ContainerStatus, pod: PodRow, thresholds: Thresholds, now: datetime) -> Symptom | None:
    killed_at = out_of_memory(status)
    if killed_at is None:
        return None
    looping = crash_looping(status, pod, now)
    if not looping and now - killed_at >= thresholds.recent:
        return None
    limit = next((c.limits.memory_bytes for c in pod.containers if c.name == status.name), 0)
    again = f" again and again, {status.restarts} times so far" if looping and status.restarts > 1 else ""
    cause = f"it needs more than its limit of {limit >> 20} MiB" if limit else "it has no limit, so its node ran out"
    return Symptom(
        message=f"{noun(status)} was killed for lack of memory{again}: {cause}, or it leaks",
        since=killed_at,
        part=status.name,
        severity=Severity.CRITICAL if looping else None,
        evidence={
            "container": status.name,
            "memory_limit_bytes": limit,
            "restarts": status.restarts,
            "looping": looping,
        },
    )


CHECK = Check(
    code="pod-oom-killed",
    title="Killed for lack of memory",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The kernel killed a container that reached its memory limit, or that was the best victim on a full node. "
    "What it was doing is lost. Critical while it happens in a loop.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=1),
)

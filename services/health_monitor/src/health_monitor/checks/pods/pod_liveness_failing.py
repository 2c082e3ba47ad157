"""The liveness probe of a container fails: the kubelet kills and restarts it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import EventRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.containers import crash_looping
from health_monitor.checks.pods.warnings import about, failing_probes


@dataclass(frozen=True, slots=True)
class Thresholds:
    failures: int = threshold(
        3,
        "How many failures the kubelet must have told of. It restarts a container after 3 in a row by default "
        "(failureThreshold, https://kubernetes.io/docs/tasks/configure-pod-container/"
        "configure-liveness-readiness-startup-probes/#configure-probes).",
        least=1,
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    events = about(pod, snapshot)
    if not events or pod.deleted_at is not None or pod.finished:
        return ()
    looping = {status.name for status in pod.statuses if crash_looping(status, pod, now)}
    return [
        _symptom(container, failures)
        for container, failures in failing_probes(events, "Liveness", now).items()
        if container not in looping
        and not (looping and not container)
        and sum(event.count for event in failures) >= thresholds.failures
    ]


def _symptom(container: str, failures: list[EventRow]) -> Symptom:
    first = min(failures, key=lambda event: (event.first_at is None, event.first_at, event.name))
    whose = f"of container {container} " if container else ""
    return Symptom(
        message=f"The liveness probe {whose}fails, so the kubelet restarts it: {first.message}",
        since=first.first_at,
        part=container,
        evidence={"container": container, "probe": "liveness"},
    )


CHECK = Check(
    code="pod-liveness-failing",
    title="Liveness probe fails",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The kubelet finds a container dead or hung, or the probe is stricter than the application is quick, and "
    "restarts it. Closed 10 minutes after the last failure; a container in a crash loop is told as that.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Event"}),
    look_again=timedelta(minutes=1),
)

"""The readiness probe of a container fails: the pod gets no requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import EventRow, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.readiness import ReadinessThresholds, allowed, out_of_service, unready_since
from health_monitor.checks.pods.warnings import about, failing_probes


@dataclass(frozen=True, slots=True)
class Thresholds(ReadinessThresholds):
    after: timedelta = threshold(
        timedelta(seconds=30),
        "How long the probe may keep a pod that was ready out of service. The kubelet has counted 3 failures 10 s "
        "apart already (https://kubernetes.io/docs/tasks/configure-pod-container/"
        "configure-liveness-readiness-startup-probes/#configure-probes).",
    )


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    if pod.ready or not out_of_service(pod, snapshot, now):
        return ()
    events = about(pod, snapshot)
    if not events:
        return ()
    since, after = unready_since(pod, snapshot), allowed(pod, thresholds)
    return [
        _symptom(container, failures, since, after)
        for container, failures in failing_probes(events, "Readiness", now).items()
    ]


def _symptom(container: str, failures: list[EventRow], since: datetime | None, after: timedelta) -> Symptom:
    first = min(failures, key=lambda event: (event.first_at is None, event.first_at, event.name))
    whose = f"of container {container} " if container else ""
    return Symptom(
        message=f"The readiness probe {whose}fails, so the pod gets no requests: {first.message}",
        since=since,
        after=after,
        part=container,
        evidence={"container": container, "probe": "readiness"},
    )


CHECK = Check(
    code="pod-readiness-failing",
    title="Readiness probe fails",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The application says that it cannot serve, or does not answer the probe, so Services leave the pod out. "
    "A probe that fails now and then without taking the pod out of service is not told.",
    run=run,
    thresholds=Thresholds(),
    reads=frozenset({"Event", "Node"}),
    look_again=timedelta(minutes=1),
)

"""A pod runs but is not ready, and nothing more specific says why."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from common.cluster.rows import ContainerStatus, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom
from health_monitor.checks.pods.readiness import ReadinessThresholds, allowed, out_of_service, unready_since
from health_monitor.checks.pods.warnings import about, failing_probes

_BUILT_IN = frozenset({"Ready", "ContainersReady", "Initialized", "PodScheduled", "DisruptionTarget"})
_OF_THE_KUBELET = frozenset({"PodReadyToStartContainers", "PodResizePending", "PodResizeInProgress"})


def run(pod: PodRow, snapshot: ClusterSnapshot, thresholds: ReadinessThresholds, now: datetime) -> Iterable[Symptom]:
    if pod.ready or not out_of_service(pod, snapshot, now):
        return ()
    events = about(pod, snapshot)
    if events and failing_probes(events, "Readiness", now):
        return ()
    return _symptoms(pod, unready_since(pod, snapshot), allowed(pod, thresholds))


def _symptoms(pod: PodRow, since: datetime | None, after: timedelta) -> Iterable[Symptom]:
    unready = [status for status in pod.statuses if not status.ready and not status.init and not _completed(status)]
    gates = _failed_gates(pod)
    if unready:
        what = "; ".join(_state(status) for status in unready)
    elif gates:
        what = f"its containers are, but the readiness gate {', '.join(gates)} is not met"
    elif any(_completed(status) for status in pod.statuses if not status.init):
        return ()  # part of its work is done; it is not meant to serve
    else:
        what = "its containers are, yet Ready is not True"
    return (
        Symptom(
            message=f"The pod runs but is not ready: {what}",
            since=since,
            after=after,
            evidence={"containers": ", ".join(status.name for status in unready), "readiness_gates": ", ".join(gates)},
        ),
    )


def _completed(status: ContainerStatus) -> bool:
    return status.state == "terminated" and status.exit_code == 0


def _failed_gates(pod: PodRow) -> list[str]:
    return sorted(c.type for c in pod.conditions if c.type not in _BUILT_IN and c.type not in _OF_THE_KUBELET)


def _state(status: ContainerStatus) -> str:
    if status.state == "terminated":
        return f"container {status.name} ended with exit code {status.exit_code} and is not started again"
    if status.state == "waiting":
        return f"container {status.name} is waiting ({status.reason or 'no reason given'})"
    return f"container {status.name} runs but is not ready"


CHECK = Check(
    code="pod-not-ready",
    title="Not ready",
    kind="Pod",
    severity=Severity.WARNING,
    summary="The pod runs, but ContainersReady or Ready is False, so Services leave it out. Told only where no crash "
    "loop, image, configuration, failing probe or not-ready node explains it.",
    run=run,
    thresholds=ReadinessThresholds(),
    reads=frozenset({"Event", "Node"}),
    look_again=timedelta(minutes=1),
)

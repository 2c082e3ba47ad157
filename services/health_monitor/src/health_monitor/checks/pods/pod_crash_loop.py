"""A container crashes again and again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import ContainerStatus, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from common.contracts.health import Scalar
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.containers import crash_looping, noun, out_of_memory

_MEANINGS = {
    0: "it ends without an error, though a container of this pod should stay up",
    126: "its command cannot be executed",
    127: "its command does not exist in the image",
    128: "it cannot be started",
    134: "it aborted",
    137: "it was killed, by a failed liveness probe more often than not",
    139: "it broke with a segmentation fault",
    143: "it was told to stop, by a failed liveness probe more often than not",
}
_OTHERWISE = "the application gives up, and its previous log says why"


@dataclass(frozen=True, slots=True)
class Thresholds:
    restarts: int = threshold(
        2,
        "How many restarts make a loop. The first restart is immediate and may be chance; at the second the kubelet is "
        "already backing off (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy). "
        "Robusta reports from 2, too.",
        least=1,
    )


def run(pod: PodRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    restarts = thresholds.restarts
    for status in pod.statuses:
        if status.restarts >= restarts:
            break
    else:
        return ()
    if pod.deleted_at is not None or pod.finished:
        return ()
    return [
        _symptom(status)
        for status in pod.statuses
        if status.restarts >= restarts and crash_looping(status, pod, now) and out_of_memory(status) is None
    ]


def _symptom(status: ContainerStatus) -> Symptom:
    terminated = status.state == "terminated"
    exit_code = status.exit_code if terminated else status.last_exit_code
    reason = status.reason if terminated else status.last_reason
    evidence: dict[str, Scalar] = {"container": status.name, "restarts": status.restarts, "reason": reason}
    ending, meaning = "", _OTHERWISE
    if exit_code is not None:
        evidence["exit_code"] = exit_code
        ending = f" with exit code {exit_code}"
        meaning = _MEANINGS.get(exit_code, _OTHERWISE)
    return Symptom(
        message=f"{noun(status)} crashes again and again, {status.restarts} times so far{ending}: {meaning}",
        part=status.name,
        evidence=evidence,
    )


CHECK = Check(
    code="pod-crash-loop",
    title="Crash loop",
    kind="Pod",
    severity=Severity.CRITICAL,
    summary="A container crashes soon after every start, so this pod does no work. The kubelet starts it again after "
    "ever longer pauses, at most 5 minutes. One finding for the whole loop, also while the container runs between "
    "crashes.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=1),  # it ends by time: when the container has run for long enough
)

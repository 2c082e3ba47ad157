"""A container restarts often, though not often enough for the kubelet to call it a crash loop."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import ContainerStatus, PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.pods.containers import FORGIVEN_AFTER, last_run, noun, out_of_memory

RECOVERED_AFTER_RUNS = 2  # a run twice as long as the one before says that the cause is gone


@dataclass(frozen=True, slots=True)
class Thresholds:
    restarts: int = threshold(
        3,
        "How many restarts since the pod was made. Fewer may be chance; Popeye reports 3 (https://popeyecli.io).",
        least=1,
    )
    run: timedelta = threshold(
        timedelta(hours=4),
        "Restarts count as often when a run lasts no longer than this. Six a day; a judgement, since the API keeps "
        "only the last run.",
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
        _symptom(status, lasted)
        for status in pod.statuses
        if status.restarts >= restarts and (lasted := _restarts_often(status, pod, thresholds, now))
    ]


def _restarts_often(status: ContainerStatus, pod: PodRow, thresholds: Thresholds, now: datetime) -> timedelta | None:
    """How long the last run lasted, if restarts go on at that pace. Runs shorter than the kubelet forgives are "
    "loops."""
    lasted = last_run(status, pod)
    if lasted is None or status.last_finished_at is None or status.state != "running" or out_of_memory(status):
        return None
    if not FORGIVEN_AFTER <= lasted <= thresholds.run:
        return None
    return lasted if now - status.last_finished_at < RECOVERED_AFTER_RUNS * lasted else None


def _symptom(status: ContainerStatus, lasted: timedelta) -> Symptom:
    minutes = int(lasted.total_seconds() // 60)
    ending = "" if status.last_exit_code is None else f" with exit code {status.last_exit_code}"
    return Symptom(
        message=f"{noun(status)} has restarted {status.restarts} times, last after a run of {minutes} minutes{ending}: "
        "it fails slowly, as with a leak or a lost connection",
        part=status.name,
        evidence={
            "container": status.name,
            "restarts": status.restarts,
            "run_minutes": minutes,
            "reason": status.last_reason,
        },
    )


CHECK = Check(
    code="pod-restarts",
    title="Restarts often",
    kind="Pod",
    severity=Severity.WARNING,
    summary="A container ends every few minutes or hours and is started again; each time its requests fail and its "
    "memory is lost. Closed once a run has lasted twice as long as the one before.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=1),
)

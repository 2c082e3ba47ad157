"""A pod ended in failure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import PodRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import NO_TIME, Check, Symptom, threshold
from health_monitor.checks.pods.endings import EndingThresholds, ended_at, left_behind


@dataclass(frozen=True, slots=True)
class Thresholds(EndingThresholds):
    of_jobs_after: timedelta = threshold(
        timedelta(days=1),
        "A failed pod of a Job is the Job's affair, and worth its log: it is told, as left behind, after this only. A "
        "judgement; ttlSecondsAfterFinished is the cure (https://kubernetes.io/docs/concepts/workloads/controllers/"
        "ttlafterfinished/).",
    )


def run(pod: PodRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    if pod.phase != "Failed" or pod.reason == "Evicted" or pod.deleted_at is not None:
        return ()
    of_job = pod.owner is not None and pod.owner.kind == "Job"
    old = of_job or left_behind(pod, thresholds.fresh, now)
    ending = _ending(pod)
    return (
        Symptom(
            message=f"The pod failed{' and was left behind' if old else ''}: {ending}",
            since=ended_at(pod),
            after=thresholds.of_jobs_after if of_job else NO_TIME,
            severity=Severity.INFO if old else None,
            evidence={"reason": pod.reason, "ending": ending, "owner": pod.owner.kind if pod.owner else ""},
            restarts_timer=False,
        ),
    )


def _ending(pod: PodRow) -> str:
    if pod.reason or pod.message:
        return ": ".join(part for part in (pod.reason, pod.message) if part)
    failed = [s for s in pod.statuses if s.state == "terminated" and s.exit_code != 0]
    if not failed:
        return "neither the pod nor its containers say why"
    return ", ".join(f"container {s.name} ended with exit code {s.exit_code} ({s.reason or 'Error'})" for s in failed)


CHECK = Check(
    code="pod-failed",
    title="Pod failed",
    kind="Pod",
    severity=Severity.WARNING,
    summary="All containers of the pod have ended, one of them in failure, and it is not started again. A pod with an "
    "owner has been replaced by now and only lies about; one without is gone for good.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=5),
)

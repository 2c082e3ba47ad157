"""A Job has failed for good."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.cluster.rows import CronJobRow, JobRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold

_MEANINGS = {
    "BackoffLimitExceeded": "its pods failed more often than backoffLimit allows",
    "DeadlineExceeded": "it took longer than activeDeadlineSeconds allows",
    "PodFailurePolicy": "a pod failed in a way that its podFailurePolicy does not forgive",
    "FailedIndexes": "one of its indexes failed for good",
    "MaxFailedIndexesExceeded": "more of its indexes failed than maxFailedIndexes allows",
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    fresh: timedelta = threshold(
        timedelta(days=1),
        "After this the failed Job is told only as left behind (info). A day is a judgement; ttlSecondsAfterFinished "
        "removes it (https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/).",
    )


def run(job: JobRow, snapshot: ClusterSnapshot, thresholds: Thresholds, now: datetime) -> Iterable[Symptom]:
    failed = job.condition("Failed")
    if failed is None or failed.status != "True" or job.deleted_at is not None:
        return ()
    since = failed.changed_at
    if _made_good(job, since, snapshot):
        return ()
    old = since is not None and now - since >= thresholds.fresh
    why = _MEANINGS.get(failed.reason, failed.message or failed.reason or "no reason given")
    pods = f"{job.failed} failed pod{'s' * (job.failed != 1)}"
    return (
        Symptom(
            message=f"The Job failed{' and was left behind' if old else ''}: {why} ({pods})",
            since=since,
            severity=Severity.INFO if old else None,
            evidence={"reason": failed.reason, "failed_pods": job.failed, "succeeded_pods": job.succeeded},
        ),
    )


def _made_good(job: JobRow, failed_at: datetime | None, snapshot: ClusterSnapshot) -> bool:
    """Whether a later run of the same CronJob has succeeded."""
    if job.owner is None or job.owner.kind != "CronJob" or failed_at is None:
        return False
    cron_job = snapshot.get(CronJobRow, job.owner.name, job.namespace)
    return cron_job is not None and cron_job.last_successful_at is not None and cron_job.last_successful_at > failed_at


CHECK = Check(
    code="job-failed",
    title="Job failed",
    kind="Job",
    severity=Severity.WARNING,
    summary="The Job will not be tried again: its work is not done. Closed when a later run of its CronJob succeeds, "
    "or the Job is deleted.",
    run=run,
    thresholds=Thresholds(),
    look_again=timedelta(minutes=1),
)

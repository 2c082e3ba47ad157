"""The runs of a CronJob start but do not succeed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from common.cluster.rows import CronJobRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.workloads.schedule import runs_after

_MOST = 100  # runs that are counted; beyond that the number says nothing new


@dataclass(frozen=True, slots=True)
class Thresholds:
    runs: int = threshold(
        2,
        "How many runs in a row must have been started without success. One failed run is told by its Job already; two "
        "in a row are no chance. A judgement.",
        least=1,
    )


def run(cron_job: CronJobRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    started, succeeded = cron_job.last_scheduled_at, cron_job.last_successful_at
    if started is None or (succeeded is not None and succeeded >= started):
        return ()
    begin = succeeded or cron_job.created_at
    if begin is None or cron_job.suspended or cron_job.deleted_at is not None:
        return ()
    runs = list(islice(takewhile(lambda at: at <= started, runs_after(cron_job, begin)), _MOST))
    failed = len(runs) - cron_job.active
    if failed < thresholds.runs:
        return ()
    last = f"the last success was at {succeeded:%Y-%m-%d %H:%M} UTC" if succeeded else "none has ever succeeded"
    return (
        Symptom(
            message=f"{thresholds.runs} runs in a row or more did not succeed; {last}",
            since=runs[0],
            evidence={
                "schedule": cron_job.schedule,
                "runs_at_least": thresholds.runs,
                "last_successful_at": succeeded.isoformat() if succeeded else "",
            },
        ),
    )


CHECK = Check(
    code="cronjob-not-succeeding",
    title="Runs do not succeed",
    kind="CronJob",
    severity=Severity.WARNING,
    summary="The CronJob is started as scheduled, but several runs in a row have failed: its work, a backup perhaps, "
    "has not been done for a while.",
    run=run,
    thresholds=Thresholds(),
)

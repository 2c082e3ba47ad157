"""A CronJob is not started when it is due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from common.cluster.rows import CronJobRow
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Severity
from health_monitor.checks.check import Check, Symptom, threshold
from health_monitor.checks.workloads.schedule import fits, runs_after


@dataclass(frozen=True, slots=True)
class Thresholds:
    after: timedelta = threshold(
        timedelta(minutes=5),
        "How late a run may be. The controller looks at a CronJob when it is due and at least every 10 s where it lags "
        "(https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#cron-job-limitations).",
    )
    overrun: int = threshold(
        3,
        "How many runs may be left out while an earlier one is still at work, as concurrencyPolicy Forbid asks. A "
        "judgement.",
        least=1,
    )


def run(cron_job: CronJobRow, _snapshot: ClusterSnapshot, thresholds: Thresholds, _now: datetime) -> Iterable[Symptom]:
    last = cron_job.last_scheduled_at
    if last is None or cron_job.suspended or cron_job.deleted_at is not None:
        return ()
    skipped = thresholds.overrun if cron_job.active else 1
    due = next(islice(runs_after(cron_job, last), skipped - 1, None), None)
    if due is None or not fits(cron_job, last):
        return ()
    if cron_job.active:
        why = f"{thresholds.overrun} runs were left out, since the one of {last:%Y-%m-%d %H:%M} UTC is still at work"
    else:
        why = "the controller does not run, or too many starts were missed or refused"
    return (
        Symptom(
            message=f"The run that was due at {due:%Y-%m-%d %H:%M} UTC was not started: {why}",
            since=due,
            after=thresholds.after,
            evidence={"schedule": cron_job.schedule, "due_at": due.isoformat(), "active": cron_job.active},
        ),
    )


CHECK = Check(
    code="cronjob-missed-schedule",
    title="Run not started",
    kind="CronJob",
    severity=Severity.WARNING,
    summary="The time at which the CronJob should have been started has passed and nothing happened: the controller is "
    "down, an earlier run hangs, or the CronJob has been given up after 100 missed starts.",
    run=run,
    thresholds=Thresholds(),
)

"""Jobs that fail and CronJobs that do not run."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.checks import seen, told
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_cron_job, a_job, a_snapshot, owned_by

from common.cluster.rows import CronJobRow, JobRow
from common.contracts import Severity
from health_monitor.checks.workloads import cronjob_missed_schedule, cronjob_not_succeeding, job_failed

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


# --- Jobs


def failed(ago: timedelta = MINUTE, reason: str = "BackoffLimitExceeded", **fields: Any) -> JobRow:
    condition = a_condition("Failed", reason=reason, changed_at=NOON - ago)
    return a_job(**({"active": 0, "failed": 7, "conditions": (condition,)} | fields))


@pytest.mark.parametrize(
    ("job", "severity"),
    [
        pytest.param(a_job(), None, id="runs"),
        pytest.param(a_job(active=0, succeeded=1, conditions=(a_condition("Complete"),)), None, id="succeeded"),
        pytest.param(a_job(failed=2), None, id="pods failed, and it tries again"),
        pytest.param(a_job(conditions=(a_condition("Failed", "False"),)), None, id="says that it has not failed"),
        pytest.param(failed(), Severity.WARNING, id="failed"),
        pytest.param(failed(DAY - SECOND), Severity.WARNING, id="failed not quite a day ago"),
        pytest.param(failed(DAY), Severity.INFO, id="failed a day ago: left behind"),
        pytest.param(failed(deleted_at=NOON), None, id="failed and deleted"),
    ],
)
def test_a_failed_job(job: JobRow, severity: Severity | None) -> None:
    symptoms = seen(job_failed.CHECK, job)
    assert [symptom.severity or job_failed.CHECK.severity for symptom in symptoms] == ([severity] if severity else [])


def test_one_failed_pod_is_counted_as_one() -> None:
    (symptom,) = seen(job_failed.CHECK, failed(failed=1))
    assert symptom.message.endswith("(1 failed pod)")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        pytest.param("BackoffLimitExceeded", "more often than backoffLimit allows (7 failed pods)", id="pods failed"),
        pytest.param("DeadlineExceeded", "longer than activeDeadlineSeconds allows", id="took too long"),
        pytest.param("PodFailurePolicy", "does not forgive", id="failed in the wrong way"),
        pytest.param("SomethingNew", "SomethingNew", id="a reason that is not known yet"),
    ],
)
def test_why_a_job_failed(reason: str, words: str) -> None:
    (symptom,) = seen(job_failed.CHECK, failed(reason=reason))
    assert words in symptom.message
    assert symptom.since == NOON - MINUTE
    assert symptom.evidence == {"reason": reason, "failed_pods": 7, "succeeded_pods": 0}


@pytest.mark.parametrize(
    ("cron_job", "told_of"),
    [
        pytest.param(a_cron_job(last_successful_at=NOON), False, id="a later run has succeeded"),
        pytest.param(a_cron_job(last_successful_at=NOON - MINUTE), True, id="the last success was before"),
        pytest.param(a_cron_job(last_successful_at=None), True, id="no run has ever succeeded"),
        pytest.param(a_cron_job("another", last_successful_at=NOON), True, id="another CronJob has succeeded"),
    ],
)
def test_a_failed_run_is_made_good_by_a_later_one(cron_job: CronJobRow, told_of: bool) -> None:
    job = failed(owner=owned_by(a_cron_job()))
    assert bool(seen(job_failed.CHECK, job, a_snapshot(job, cron_job))) is told_of


# --- runs that do not succeed


def hourly(scheduled: datetime | None = NOON, succeeded: datetime | None = None, **fields: Any) -> CronJobRow:
    made = {"created_at": NOON - 90 * MINUTE, "last_scheduled_at": scheduled, "last_successful_at": succeeded}
    return a_cron_job(**(made | fields))


@pytest.mark.parametrize(
    ("cron_job", "told_of"),
    [
        pytest.param(hourly(succeeded=NOON + MINUTE), False, id="the last run succeeded"),
        pytest.param(hourly(succeeded=NOON - 59 * MINUTE), False, id="one run without success"),
        pytest.param(hourly(succeeded=NOON - 119 * MINUTE), True, id="two runs without success"),
        pytest.param(hourly(succeeded=NOON - 119 * MINUTE, active=1), False, id="two runs, one of them at work still"),
        pytest.param(hourly(succeeded=NOON - 179 * MINUTE, active=1), True, id="three runs, one of them at work still"),
        pytest.param(hourly(), True, id="two runs since it was made, none with success"),
        pytest.param(hourly(created_at=NOON - 30 * MINUTE), False, id="one run since it was made"),
        pytest.param(hourly(created_at=None), False, id="nobody knows since when"),
        pytest.param(hourly(None), False, id="never started"),
        pytest.param(hourly(suspended=True), False, id="suspended"),
        pytest.param(hourly(deleted_at=NOON), False, id="deleted"),
        pytest.param(hourly(schedule="every now and then"), False, id="a schedule that cannot be read"),
        pytest.param(hourly(schedule="0 0 30 2 *"), False, id="a date that never comes"),
        pytest.param(hourly(time_zone="Mars/Olympus"), False, id="a time zone that does not exist"),
    ],
)
def test_runs_that_do_not_succeed(cron_job: CronJobRow, told_of: bool) -> None:
    assert bool(told([cronjob_not_succeeding.CHECK], cron_job)) is told_of


def test_runs_that_do_not_succeed_name_the_last_success() -> None:
    (symptom,) = seen(cronjob_not_succeeding.CHECK, hourly(succeeded=NOON - 119 * MINUTE))
    assert symptom.message.endswith("the last success was at 2026-03-01 10:01 UTC")
    assert symptom.since == NOON - HOUR, "the first run after it"
    (symptom,) = seen(cronjob_not_succeeding.CHECK, hourly())
    assert symptom.message.endswith("none has ever succeeded")


# --- runs that are not started


@pytest.mark.parametrize(
    ("cron_job", "told_of"),
    [
        pytest.param(hourly(NOON), False, id="started just now"),
        pytest.param(hourly(NOON - HOUR), False, id="due this second"),
        pytest.param(hourly(NOON - 2 * HOUR), True, id="due an hour ago"),
        pytest.param(hourly(NOON - 2 * HOUR, active=1), False, id="an earlier run is at work: one is left out"),
        pytest.param(hourly(NOON - 4 * HOUR, active=1), True, id="an earlier run is at work, three are left out"),
        pytest.param(hourly(None), False, id="never started: nobody knows how its times are counted"),
        pytest.param(hourly(NOON - 2 * HOUR, suspended=True), False, id="suspended"),
        pytest.param(hourly(NOON - 2 * HOUR, deleted_at=NOON), False, id="deleted"),
        pytest.param(
            hourly(NOON - 150 * MINUTE), False, id="its last run does not fit: the schedule was changed since"
        ),
        pytest.param(hourly(NOON - 2 * HOUR, schedule="nonsense"), False, id="a schedule that cannot be read"),
        pytest.param(hourly(NOON - 2 * HOUR, time_zone="Mars/Olympus"), False, id="a time zone that does not exist"),
    ],
)
def test_runs_that_are_not_started(cron_job: CronJobRow, told_of: bool) -> None:
    assert bool(told([cronjob_missed_schedule.CHECK], cron_job)) is told_of


@pytest.mark.parametrize(
    ("late", "told_of"),
    [
        pytest.param(5 * MINUTE - SECOND, False, id="not quite 5 minutes late"),
        pytest.param(5 * MINUTE, True, id="5 minutes late"),
    ],
)
def test_a_run_may_be_a_little_late(late: timedelta, told_of: bool) -> None:
    cron_job = hourly(NOON - HOUR)
    assert bool(told([cronjob_missed_schedule.CHECK], cron_job, now=NOON + late)) is told_of


@pytest.mark.parametrize(
    ("zone", "schedule", "last", "due"),
    [
        pytest.param("", "0 3 * * *", "2026-02-28T03:00Z", "2026-03-01T03:00Z", id="UTC"),
        pytest.param("Europe/Berlin", "0 3 * * *", "2026-02-28T02:00Z", "2026-03-01T02:00Z", id="Berlin in winter"),
        pytest.param("Europe/Berlin", "0 3 * * *", "2026-06-30T01:00Z", "2026-07-01T01:00Z", id="Berlin in summer"),
        pytest.param("", "@daily", "2026-02-28T00:00Z", "2026-03-01T00:00Z", id="a name"),
        pytest.param(
            "", "*/15 9-17 * * 1-5", "2026-02-27T17:45Z", "2026-03-02T09:00Z", id="working hours, over a weekend"
        ),
    ],
)
def test_when_the_next_run_is_due(zone: str, schedule: str, last: str, due: str) -> None:
    row = a_cron_job(time_zone=zone, schedule=schedule, last_scheduled_at=datetime.fromisoformat(last))
    (symptom,) = seen(cronjob_missed_schedule.CHECK, row)
    assert symptom.since == datetime.fromisoformat(due)


def test_a_run_that_hangs_is_named() -> None:
    (symptom,) = seen(cronjob_missed_schedule.CHECK, hourly(NOON - 4 * HOUR, active=1))
    assert symptom.message == (
        "The run that was due at 2026-03-01 11:00 UTC was not started: 3 runs were left out, since the one of "
        "2026-03-01 08:00 UTC is still at work"
    )

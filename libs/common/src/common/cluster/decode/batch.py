"""Jobs and CronJobs."""

from common.cluster.decode.meta import (
    ConditionShape,
    Meta,
    Shape,
    conditions_of,
    head,
    instant_or_none,
)
from common.cluster.rows import CronJobRow, JobRow


class JobSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    parallelism: int | None = None
    completions: int | None = None
    backoff_limit: int | None = None
    suspend: bool | None = None


class JobStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    conditions: tuple[ConditionShape, ...] | None = None
    start_time: str | None = None
    completion_time: str | None = None
    active: int | None = None
    succeeded: int | None = None
    failed: int | None = None


class JobShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: JobSpecShape = JobSpecShape()
    status: JobStatusShape = JobStatusShape()


def job_row(job: JobShape) -> JobRow:
    spec, status = job.spec, job.status
    return JobRow(
        **head(job.metadata),
        active=status.active or 0,
        succeeded=status.succeeded or 0,
        failed=status.failed or 0,
        parallelism=1 if spec.parallelism is None else spec.parallelism,
        completions=spec.completions,
        backoff_limit=spec.backoff_limit,
        suspended=bool(spec.suspend),
        started_at=instant_or_none(status.start_time),
        completed_at=instant_or_none(status.completion_time),
        conditions=conditions_of(status.conditions),
    )


class CronJobSpecShape(Shape, frozen=True, gc=False, rename="camel"):
    schedule: str | None = None
    time_zone: str | None = None
    suspend: bool | None = None


class CronJobStatusShape(Shape, frozen=True, gc=False, rename="camel"):
    active: tuple[Meta, ...] | None = None
    last_schedule_time: str | None = None
    last_successful_time: str | None = None


class CronJobShape(Shape, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    spec: CronJobSpecShape = CronJobSpecShape()
    status: CronJobStatusShape = CronJobStatusShape()


def cron_job_row(cron_job: CronJobShape) -> CronJobRow:
    spec, status = cron_job.spec, cron_job.status
    return CronJobRow(
        **head(cron_job.metadata),
        schedule=spec.schedule or "",
        time_zone=spec.time_zone or "",
        suspended=bool(spec.suspend),
        active=len(status.active or ()),
        last_scheduled_at=instant_or_none(status.last_schedule_time),
        last_successful_at=instant_or_none(status.last_successful_time),
    )

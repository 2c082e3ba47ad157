"""The one kind of job: carry out a run. It is deferred together with what makes it necessary, and carries the epoch.

A job of an epoch that is over does nothing: whoever leads then has deferred its own. So a dead worker's job, which
holds its lock until it is found, keeps no new leader waiting.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.jobs import Job
from procrastinate.retry import RetryDecision
from procrastinate.tasks import Task
from sqlalchemy.ext.asyncio import AsyncConnection

from auto_healing.run import Run
from common.database.work import WorkQueue, defer_in

Work = Callable[[UUID, int], Awaitable[None]]


class _Retry(RetryStrategy):
    """What a run meets is dealt with within the job; it waits after defects, which the next leader may not have."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """What was only interrupted goes on as soon as it can."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision()
        return super().get_retry_decision(exception=exception, job=job)


_RETRY = _Retry(wait=10, linear_wait=10)  # for ever: a run that has begun is not left without a job
_OLD_HOURS = 24


class Jobs:
    """Defers jobs; the work itself is handed in by whoever runs the worker."""

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue
        self._work: Work | None = None
        self._task: Task[Any, Any, Any] = queue.app.task(name="execute_run", retry=_RETRY)(self._execute)

    def carried_out_by(self, work: Work) -> None:
        """`work(run id, epoch)` is called once for each job, for runs of the same target one after another."""
        self._work = work

    async def defer(self, connection: AsyncConnection, run: Run, epoch: int) -> None:
        """Within the connection's transaction."""
        target = "/".join(run.plan.target.key)
        await defer_in(connection, self._task, [{"run": str(run.id), "epoch": epoch}], lock=f"{target}@{epoch}")

    async def delete_old(self) -> None:
        """Jobs that ended otherwise than well are kept for a day."""
        await self.queue.app.job_manager.delete_old_jobs(
            _OLD_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )

    async def _execute(self, run: str, epoch: int) -> None:
        if self._work is None:
            raise RuntimeError("a worker was started before it was told what to do")
        await self._work(UUID(run), epoch)

"""Durable work on the service's own database: Procrastinate, with jobs deferred in the caller's transaction.

The tables live in the service's schema, so no service sees another's jobs. A job runs at least once: after a crash it
is found by its worker's missing heartbeat and started again.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.tasks import Task
from psycopg.errors import RaiseException
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database.engine import Target
from common.database.errors import DatabaseError, translate, translated
from common.database.settings import DatabaseSettings

logger = logging.getLogger(__name__)

# A worker without a heartbeat (every 10 s) for this long is dead, and its jobs are started elsewhere.
_DEAD_AFTER_SECONDS = 30.0
# New jobs announce themselves; polling is for those whose time has come.
_POLL_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0


class WorkQueue:
    """A service's queue. Tasks are declared on `app`; `run_worker` carries them out."""

    def __init__(self, target: Target, settings: DatabaseSettings) -> None:
        self.app = App(connector=PsycopgConnector())
        self._pool = AsyncConnectionPool(
            target.conninfo,
            kwargs=target.connect_args(settings),
            min_size=1,
            max_size=settings.work_pool_size,
            timeout=settings.connect_timeout_seconds,
            check=AsyncConnectionPool.check_connection,
            name=f"{target.schema} work",
            open=False,
        )
        # With no periodic task at all, a worker would stop noticing that its listening connection is gone.
        self.app.periodic(cron="* * * * *")(self.app.task(name="rescue_stalled")(self._rescue_task))

    async def _rescue_task(self, timestamp: int) -> None:
        await self.rescue_stalled()

    async def open(self) -> None:
        """Start connecting; returns at once, also when PostgreSQL is away."""
        await self._pool.open(wait=False)
        await self.app.open_async(self._pool)

    async def close(self) -> None:
        await self._pool.close()

    async def run_worker(self, *, concurrency: int, grace_seconds: float = 20.0) -> None:
        """Carry out jobs until cancelled; then running jobs have `grace_seconds` to end before they are aborted.

        A database that goes away is waited for, with pauses of 0.5 s that double up to 10 s.
        """
        pause = _FIRST_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            try:
                await self._work(concurrency, grace_seconds)
            except DatabaseError as error:
                logger.warning("the worker lost the database: %s", error)
            pause = _FIRST_PAUSE_SECONDS if clock() - started > _LONGEST_PAUSE_SECONDS else 2 * pause
            await asyncio.sleep(min(pause, _LONGEST_PAUSE_SECONDS))

    async def _work(self, concurrency: int, grace_seconds: float) -> None:
        """Work until the database is lost, which Procrastinate tells by an error or by returning."""
        await self.rescue_stalled()
        with _translated():
            await self.app.run_worker_async(
                concurrency=concurrency,
                install_signal_handlers=False,
                shutdown_graceful_timeout=grace_seconds,
                fetch_job_polling_interval=_POLL_SECONDS,
                delete_jobs=DeleteJobCondition.SUCCESSFUL,
                stalled_worker_timeout=_DEAD_AFTER_SECONDS,
            )

    async def rescue_stalled(self) -> int:
        """Put the jobs of dead workers back into the queue; returns how many. Replicas may do it at the same time."""
        manager = self.app.job_manager
        with _translated():
            await manager.prune_stalled_workers(_DEAD_AFTER_SECONDS)
            jobs = await manager.get_stalled_jobs(seconds_since_heartbeat=_DEAD_AFTER_SECONDS)
            return sum([await self._rescue(job) for job in jobs])

    async def _rescue(self, job: Job) -> bool:
        try:
            await self.app.job_manager.retry_job(job)
        except UniqueViolation:  # of the queueing lock: a job that waits will do the same work
            await self.app.job_manager.finish_job(job, Status.ABORTED, delete_job=True)
            return False
        except ConnectorException as error:
            if not isinstance(error.__cause__, RaiseException):  # which says that the job is not being done any more
                raise
            return False
        return True


async def defer_in(
    connection: AsyncConnection,
    task: Task[Any, Any, Any],
    arguments: Sequence[Mapping[str, Any]],
    *,
    at: datetime | None = None,
    lock: str | None = None,
) -> list[int]:
    """Defer one job for each of `arguments` inside the connection's transaction; returns their ids.

    The jobs exist if and only if the transaction commits. Jobs of the same `lock` run one after another. Before `at`
    (now when None) they do not start.
    """
    raw = (await connection.get_raw_connection()).driver_connection
    with _translated():
        deferrer = task.configure(connection=raw, schedule_at=at, lock=lock)
        return await deferrer.batch_defer_async(*(dict(each) for each in arguments))


@contextmanager
def _translated() -> Iterator[None]:
    with translated():
        try:
            yield
        except ConnectorException as error:
            translate(error, error.__cause__)

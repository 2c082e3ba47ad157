"""Durable work on the service's own database: Procrastinate, with jobs deferred in the caller's transaction.

The tables live in the service's schema, so no service sees another's jobs. A job runs at least once: after a crash it
is found by its worker's missing heartbeat and started again.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.tasks import Task
from procrastinate.worker import Worker
from psycopg.errors import RaiseException
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database.engine import Target
from common.database.errors import DatabaseError, DatabaseUnavailable, translate, translated
from common.database.settings import DatabaseSettings

logger = logging.getLogger(__name__)

# A worker without a heartbeat (every 10 s) for this long is dead, and its jobs are started elsewhere.
_DEAD_AFTER_SECONDS = 30.0
# New jobs announce themselves; polling is for those whose time has come.
_POLL_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
# Whose errors about a database that is away we tell in one line of our own; asyncio's are about jobs' last words.
_LOUD = ("procrastinate.worker", "procrastinate.worker.worker", "procrastinate.utils", "asyncio")


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
            # Its pauses double for as long as it tries: trying anew for whoever waits next keeps them short.
            reconnect_timeout=settings.connect_timeout_seconds,
            check=AsyncConnectionPool.check_connection,
            name=f"{target.schema} work",
            open=False,
        )
        self._ended: int | None = None  # our last worker, which is over but could not sign off
        # With no periodic task at all, a worker would stop noticing that its listening connection is gone.
        self.app.periodic(cron="* * * * *")(self.app.task(name="rescue_stalled")(self._rescue_task))

    async def _rescue_task(self, timestamp: int) -> None:
        with suppress(DatabaseError):  # it is done again in a minute, and by each worker that begins
            await self.rescue_stalled()

    async def open(self) -> None:
        """Start connecting; returns at once, also when PostgreSQL is away."""
        await self._pool.open(wait=False)
        await self.app.open_async(self._pool)

    async def close(self) -> None:
        await self._pool.close()

    async def run_worker(self, *, concurrency: int, grace_seconds: float = 20.0) -> None:
        """Carry out jobs until cancelled; then running jobs have `grace_seconds` to end before they are aborted.

        A database that goes away ends the worker in the same way. Another one begins as soon as it is back, and starts
        what was aborted again.
        """
        for name in _LOUD:
            logging.getLogger(name).addFilter(_is_news)
        away = False
        while True:
            try:
                await self._put_back()
                if away:
                    logger.info("PostgreSQL is back: jobs are carried out again")
                    away = False
                await self._work(concurrency, grace_seconds)
            except DatabaseError as error:
                if _is_cancelled():  # and could not sign off
                    raise asyncio.CancelledError from error
                if not away:
                    logger.warning("PostgreSQL is away, so no job is started until it is back: %s", error)
                    away = True
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _put_back(self) -> None:
        """Our own ended worker needs no heartbeat to be known as dead: nobody else does what it has left."""
        if self._ended is not None:
            with _translated():
                await self.app.job_manager.unregister_worker(self._ended)
            self._ended = None
        await self.rescue_stalled()

    async def _work(self, concurrency: int, grace_seconds: float) -> None:
        """Work until the database is lost. However it is lost, all jobs have ended by then."""
        worker = Worker(
            self.app,
            concurrency=concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=grace_seconds,
            fetch_job_polling_interval=_POLL_SECONDS,
            delete_jobs=DeleteJobCondition.SUCCESSFUL,
            stalled_worker_timeout=_DEAD_AFTER_SECONDS,
        )
        try:
            with _translated():
                await worker.run()  # type: ignore[no-untyped-call]
        except DatabaseError:
            if not _is_cancelled():  # a second cancellation is not kept waiting for jobs
                self._ended = worker.worker_id
            raise
        # It returns for nothing else.
        raise DatabaseUnavailable("the connection that listens for jobs was lost")

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


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it says more than that the database is away."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, ConnectorException | PoolTimeout)


@contextmanager
def _translated() -> Iterator[None]:
    with translated():
        try:
            yield
        except ConnectorException as error:
            translate(error, error.__cause__)

"""Jobs exist if and only if the transaction that deferred them commits, and each is carried out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from procrastinate import JobContext
from sqlalchemy import text
from tests.support.postgres import DURABLE
from tests.support.waiting import eventually

from common.database.connections import Database
from common.database.embedded import EmbeddedPostgres
from common.database.embedded_server import Server
from common.database.engine import Target
from common.database.migrate import upgrade
from common.database.settings import DatabaseSettings
from common.database.work import WorkQueue, defer_in

pytestmark = pytest.mark.database

SCRIPTS = str(Path(__file__).parent / "scripts")
SETTINGS = DatabaseSettings(connect_timeout_seconds=2)


class Notebook:
    """A service with one task that writes down what it was given."""

    def __init__(self, target: Target) -> None:
        self.database = Database(target, SETTINGS)
        self.queue = WorkQueue(target, SETTINGS)
        self.written: list[str] = []
        self.task = self.queue.app.task(name="write", pass_context=True)(self._write)

    async def _write(self, context: JobContext, note: str) -> None:
        self.written.append(note)

    async def defer(self, *notes: str, at: datetime | None = None) -> list[int]:
        async with self.database.begin() as connection:
            return await defer_in(connection, self.task, [{"note": note} for note in notes], at=at)

    async def jobs(self, status: str) -> int:
        async with self.database.begin() as connection:
            query = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'write' AND status::text = :status")
            return int(await connection.scalar(query, {"status": status}) or 0)


N = TypeVar("N", bound=Notebook)


@asynccontextmanager
async def notebook_on(url: str, kind: type[N] = Notebook) -> AsyncIterator[N]:
    target = Target.of(url, schema="sample", service="sample")
    await upgrade(target, SCRIPTS)
    notebook = kind(target)
    await notebook.queue.open()
    try:
        yield notebook
    finally:
        await notebook.queue.close()
        await notebook.database.close()


@asynccontextmanager
async def working(notebook: Notebook, *, grace_seconds: float = 20.0) -> AsyncIterator[None]:
    worker = asyncio.create_task(notebook.queue.run_worker(concurrency=4, grace_seconds=grace_seconds))
    try:
        yield
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


def written(notebook: Notebook, *notes: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return set(notes) <= set(notebook.written)

    return check


async def test_a_job_runs_after_its_transaction_has_committed(postgres_url: str) -> None:
    async with notebook_on(postgres_url) as notebook, working(notebook):
        ids = await notebook.defer("one", "two", "three")

        await eventually(written(notebook, "one", "two", "three"))
    assert len(set(ids)) == 3


async def test_a_job_of_a_transaction_that_rolls_back_never_existed(postgres_url: str) -> None:
    async with notebook_on(postgres_url) as notebook:
        with suppress(ZeroDivisionError):
            async with notebook.database.begin() as connection:
                await defer_in(connection, notebook.task, [{"note": "never"}])
                raise ZeroDivisionError

        assert await notebook.jobs("todo") == 0


async def test_a_job_for_later_waits(postgres_url: str) -> None:
    async with notebook_on(postgres_url) as notebook, working(notebook):
        await notebook.defer("later", at=datetime.now(UTC) + timedelta(hours=1))
        await notebook.defer("now")

        await eventually(written(notebook, "now"))
        assert notebook.written == ["now"]
        assert await notebook.jobs("todo") == 1


async def leave_behind(notebook: Notebook) -> None:
    """What a worker leaves that was killed a minute ago while it did every job there is."""
    async with notebook.database.begin() as connection:
        await connection.execute(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')")
        )
        await connection.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
        )


async def test_a_job_whose_worker_died_is_started_again(postgres_url: str) -> None:
    async with notebook_on(postgres_url) as notebook:
        await notebook.defer("orphan")
        await leave_behind(notebook)

        async with working(notebook):
            await eventually(written(notebook, "orphan"))


async def test_replicas_that_rescue_at_the_same_time_rescue_each_job_once(postgres_url: str) -> None:
    async with notebook_on(postgres_url) as notebook, notebook_on(postgres_url) as replica:
        await notebook.defer(*(f"note {number}" for number in range(20)))
        await leave_behind(notebook)

        rescued = await asyncio.gather(notebook.queue.rescue_stalled(), replica.queue.rescue_stalled())

        assert sum(rescued) == 20
        assert await notebook.jobs("todo") == 20


async def test_a_job_that_waits_already_replaces_the_one_left_behind(postgres_url: str) -> None:
    async with notebook_on(postgres_url) as notebook:
        await notebook.task.configure(queueing_lock="one at a time").defer_async(note="left behind")
        await leave_behind(notebook)
        await notebook.task.configure(queueing_lock="one at a time").defer_async(note="waiting")

        assert await notebook.queue.rescue_stalled() == 0
        assert (await notebook.jobs("todo"), await notebook.jobs("doing")) == (1, 0)


class Held(Notebook):
    """Writes its first note only after it was broken off."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.begun = asyncio.Event()

    async def _write(self, context: JobContext, note: str) -> None:
        if not self.begun.is_set():
            self.begun.set()
            await asyncio.Event().wait()
        await super()._write(context, note)


async def lost(notebook: Held, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """PostgreSQL crashes within a job, whose worker could not sign off. No missing heartbeat tells that it is dead."""
    await notebook.defer("held")
    await asyncio.wait_for(notebook.begun.wait(), 60)
    async with notebook.database.begin() as connection:
        await connection.execute(text("UPDATE procrastinate_workers SET last_heartbeat = now() + interval '1 hour'"))
    await asyncio.to_thread(server.pg_ctl, "stop", "-m", "immediate", "-w", "-s")

    async def told() -> bool:
        return any("PostgreSQL is away" in record.getMessage() for record in caplog.records)

    await eventually(told)


async def test_a_worker_that_lost_the_database_puts_its_jobs_back_at_once_and_says_so_in_a_line(
    private_postgres: EmbeddedPostgres, postgres_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server.at(postgres_folder).with_programs()
    async with notebook_on(private_postgres.url, Held) as notebook, working(notebook, grace_seconds=0.1):
        await lost(notebook, server, caplog)
        await asyncio.to_thread(server.start, DURABLE)

        await eventually(written(notebook, "held"))
    assert notebook.written == ["held"]
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    troubles = [record for record in loud if record.name != "psycopg.pool"]  # whose warnings no service logs
    assert [(record.name, record.exc_info) for record in troubles] == [("common.database.work", None)]


async def test_a_worker_ends_when_it_is_told_to_also_without_a_database(
    private_postgres: EmbeddedPostgres, postgres_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server.at(postgres_folder).with_programs()
    async with notebook_on(private_postgres.url, Held) as notebook:
        worker = asyncio.create_task(notebook.queue.run_worker(concurrency=4, grace_seconds=0.1))
        await notebook.defer("held")
        await asyncio.wait_for(notebook.begun.wait(), 60)
        await asyncio.to_thread(server.pg_ctl, "stop", "-m", "immediate", "-w", "-s")
        worker.cancel()

        done, _ = await asyncio.wait([worker], timeout=60)
        assert done == {worker}
        assert worker.cancelled()


async def test_a_worker_outlives_a_restart_of_postgresql(private_postgres: EmbeddedPostgres) -> None:
    async with notebook_on(private_postgres.url) as notebook, working(notebook):
        await notebook.defer("before")
        await eventually(written(notebook, "before"))

        await asyncio.to_thread(private_postgres.restart)
        await notebook.defer("after")

        await eventually(written(notebook, "after"))

"""PostgreSQL goes away before, during and after a step: nothing is done without it, and nothing done is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.healing_database import HEALING_MIGRATIONS, healing_rows, healing_target
from tests.support.healing_execution import Deleting, Execution, an_execution
from tests.support.healing_store import a_plan
from tests.support.postgres import DURABLE
from tests.support.waiting import eventually

from auto_healing.actions.action import Doing, Outcome
from auto_healing.run import Run, RunState
from common.database.embedded import EmbeddedPostgres
from common.database.embedded_server import Server
from common.database.errors import DatabaseUnavailable
from common.database.migrate import upgrade

pytestmark = pytest.mark.database


class Waiting(Deleting):
    """Waits in the middle of its first try for something that never comes, and tells of being broken off."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.broken_off = asyncio.Event()
        self.at_once = self.most_at_once = 0

    async def apply(self, doing: Doing) -> Outcome:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if not self.begun.is_set():
                self.begun.set()
                await asyncio.Event().wait()
            return await super().apply(doing)
        except asyncio.CancelledError:
            self.broken_off.set()
            raise
        finally:
            self.at_once -= 1


class Interrupting(Deleting):
    """Lets the test do something before or after the deletion."""

    def __init__(self, server: EmbeddedPostgres, *, before: bool) -> None:
        super().__init__()
        self._server = server
        self._before = before

    async def apply(self, doing: Doing) -> Outcome:
        if self._before and not self.calls:
            await self._restart()
        outcome = await super().apply(doing)
        if not self._before:
            await self._restart()
        return outcome

    async def _restart(self) -> None:
        await asyncio.to_thread(self._server.restart)


@asynccontextmanager
async def executing(server: EmbeddedPostgres, **changes: Any) -> AsyncIterator[Execution]:
    await upgrade(healing_target(server.url), HEALING_MIGRATIONS)
    async with an_execution(server.url, **changes) as execution:
        yield execution


async def stored(execution: Execution) -> Run:
    (answer,) = await execution.runs.propose([a_plan(verify_window=timedelta(0))], epoch=execution.epoch)
    assert answer.run is not None
    return answer.run


@pytest.mark.parametrize("before", [True, False], ids=["before the deletion", "after it, before that is stored"])
async def test_a_database_that_restarts_within_a_step_loses_nothing(
    private_postgres: EmbeddedPostgres, before: bool
) -> None:
    action = Interrupting(private_postgres, before=before)
    async with executing(private_postgres, actions=(action,)) as execution:
        run = await execution.carry_out(await stored(execution))
        assert run.state is RunState.VERIFYING
        assert execution.cluster.done == ["delete checkout-1"]
        assert await execution.told(run.id) == ["proposed approved", "step-started", "step-ended done", "verifying"]
        assert (await execution.ledger.verify()).broken is None


async def test_without_a_database_nothing_is_done_and_with_it_again_all_goes_on(
    private_postgres: EmbeddedPostgres,
) -> None:
    async with executing(private_postgres) as execution, execution.working():
        recheck = execution.recheck
        stopped = asyncio.Event()

        def stop(*arguments: Any) -> Any:
            stopped.set()
            return recheck(*arguments)

        object.__setattr__(execution.before, "recheck", stop)
        run = await stored(execution)
        await asyncio.wait_for(stopped.wait(), 60)
        await asyncio.to_thread(private_postgres.restart)
        assert (await execution.becomes(run.id, RunState.HEALED)).state is RunState.HEALED
        assert execution.cluster.done == ["delete checkout-1"]


async def test_what_cannot_be_written_down_is_not_done(private_postgres: EmbeddedPostgres) -> None:
    async with executing(private_postgres) as execution:
        run = await stored(execution)

        async def away(*_: Any, **__: Any) -> Any:
            execution.epoch = None  # so that it does not wait for ever
            raise DatabaseUnavailable("no server")

        execution.progress.start_step = away  # type: ignore[method-assign]
        assert execution.epoch is not None
        await execution.executor.carry_out(run.id, execution.epoch)
        assert execution.cluster.done == []
        assert (await execution.found(run.id)).state is RunState.APPROVED


async def test_a_run_that_a_crash_of_the_database_broke_off_is_taken_up_by_the_same_leader_at_once(
    private_postgres: EmbeddedPostgres, postgres_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, action = Server.at(postgres_folder).with_programs(), Waiting()
    async with executing(private_postgres, actions=(action,)) as execution, execution.working():
        run = await stored(execution)
        await asyncio.wait_for(action.begun.wait(), 60)
        # So only the worker's own word can tell that it is over, and no missing heartbeat.
        await healing_rows(execution.database, "UPDATE procrastinate_workers SET last_heartbeat = now() + '1 hour'")
        await asyncio.to_thread(server.pg_ctl, "stop", "-m", "immediate", "-w", "-s")
        await asyncio.wait_for(action.broken_off.wait(), 60)

        async def is_told() -> bool:  # the worker has tried to sign off
            return any("PostgreSQL is away" in record.getMessage() for record in caplog.records)

        await eventually(is_told)
        await asyncio.to_thread(server.start, DURABLE)
        await execution.becomes(run.id, RunState.HEALED)
        assert (execution.cluster.done, action.most_at_once) == (["delete checkout-1"], 1)
        assert (await execution.told(run.id)).count("step-ended done") == 1

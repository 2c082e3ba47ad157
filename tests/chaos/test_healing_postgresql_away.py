"""PostgreSQL goes away before, during and after a step: nothing is done without it, and nothing done is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.support.healing_database import HEALING_MIGRATIONS, healing_target
from tests.support.healing_execution import Deleting, Execution, an_execution
from tests.support.healing_store import a_plan

from auto_healing.actions.action import Doing, Outcome
from auto_healing.run import Run, RunState
from common.database.embedded import EmbeddedPostgres
from common.database.errors import DatabaseUnavailable
from common.database.migrate import upgrade

pytestmark = pytest.mark.database


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

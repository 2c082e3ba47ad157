"""Runs on a real database: proposing, approving, carrying out, undoing, each with its entries in the ledger."""

import asyncio
from datetime import timedelta

import pytest
from tests.support.clock import SteppedClock
from tests.support.healing_execution import A_NODE, ALICE, Switching, a_step, an_execution
from tests.support.healing_store import a_plan

from auto_healing.plan import Decline, Mode
from auto_healing.run import RunState
from auto_healing.storage.proposing import Proposal

pytestmark = pytest.mark.database


async def test_an_approved_run_deletes_and_tells(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        (answer,) = await execution.runs.propose([a_plan()], epoch=execution.epoch)
        assert answer.run is not None
        assert answer.run.state is RunState.APPROVED
        assert await execution.jobs_waiting() == 1
        run = await execution.carry_out(answer.run)
        assert run.state is RunState.VERIFYING
        assert execution.cluster.done == ["delete checkout-1"]
        assert await execution.told(run.id) == ["proposed approved", "step-started", "step-ended done", "verifying"]

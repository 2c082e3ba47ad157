"""A leader at work: runs are carried out by jobs, judged, and taken over from leaders that are gone."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import SteppedClock
from tests.support.healing_database import healing_rows
from tests.support.healing_execution import A_NODE, A_POD, ALICE, NODE_ROW, Execution, a_step, an_execution
from tests.support.healing_store import a_plan
from tests.support.rows import a_deployment, a_pod, a_snapshot, owned_by
from tests.support.waiting import eventually

from auto_healing.actions.action import Preview
from auto_healing.plan import Mode, Plan
from auto_healing.run import Run, RunState
from auto_healing.storage.proposing import Proposal
from auto_healing.storage.runs import APPROVAL
from common.cluster.snapshot import SourceState
from common.cluster.store import Store
from common.contracts import Finding

pytestmark = pytest.mark.database

AT_ONCE = timedelta(0)
CORDON = a_plan(target=A_NODE, steps=(a_step("uncordon", A_NODE),), verify_window=AT_ONCE)
FINDING: Finding = a_plan().fault.findings[0]


async def stored(execution: Execution, plan: Plan) -> Run:
    (answer,) = await execution.runs.propose([Proposal(plan=plan, score_before=40)], epoch=execution.epoch)
    assert answer.run is not None
    return answer.run


def deployment_with(*pods: Any) -> Store:
    return a_snapshot(DEPLOYMENT, NODE_ROW, *pods)


DEPLOYMENT = a_deployment("checkout", replicas=1, ready_replicas=1)
BAD_POD = a_pod("checkout-1", uid=A_POD.uid, ready=False, owner=owned_by(DEPLOYMENT))


async def test_a_run_goes_from_stored_to_healed_by_itself(healing_url: str) -> None:
    async with an_execution(healing_url, snapshot=deployment_with(BAD_POD)) as execution, execution.working():
        run = await stored(execution, a_plan(verify_window=timedelta(seconds=10)))
        healed = await execution.becomes(run.id, RunState.HEALED)
        assert (healed.score_before, healed.score_after) == (40, 90)
        assert healed.seconds_to_heal is not None
        assert (await execution.told(run.id))[-2:] == ["verifying", "healed healed"]
        assert execution.counting.ended == ["healed"]

        async def done() -> bool:
            return await execution.jobs_waiting() == 0

        await eventually(done)


async def test_what_did_not_help_is_taken_back_and_the_next_rung_is_called(healing_url: str) -> None:
    async with an_execution(healing_url) as execution, execution.working():
        execution.findings = (FINDING,)
        execution.actions["uncordon"] = execution.actions["cordon"]
        run = await stored(execution, CORDON)
        undone = await execution.becomes(run.id, RunState.UNDONE)
        assert FINDING.message in undone.reason
        assert execution.actions["cordon"].log == ["on node-1", "off node-1"]  # type: ignore[attr-defined]
        assert [each.id for each in execution.failed] == [run.id]
        assert [event for event in await execution.told(run.id) if event.startswith("und")] == [
            "undo-asked",
            "undo-started",
            "undo-ended done",
            "undone undone",
        ]


async def test_what_did_not_help_and_cannot_be_taken_back_has_failed(healing_url: str) -> None:
    async with an_execution(healing_url) as execution, execution.working():
        execution.findings = (FINDING,)
        execution.cluster.watched = None  # the pod lives on in the view
        run = await stored(execution, a_plan(verify_window=AT_ONCE))
        failed = await execution.becomes(run.id, RunState.FAILED)
        assert failed.reason.endswith("there is nothing to take back")
        assert [each.id for each in execution.failed] == [run.id]


async def test_a_new_leader_does_not_wait_for_the_job_of_a_dead_one(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await stored(execution, a_plan(verify_window=AT_ONCE))
        # As a worker leaves it that dies within its job: being done, and its lock held.
        await healing_rows(execution.database, "UPDATE procrastinate_jobs SET status = 'doing'")
        await execution.lead()
        async with execution.working():
            await execution.becomes(run.id, RunState.HEALED)
        assert execution.cluster.done == ["delete checkout-1"]


async def test_a_deposed_leaders_worker_ends(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        task = asyncio.create_task(execution.worker.run())
        run = await stored(execution, a_plan(verify_window=timedelta(hours=1)))
        await execution.becomes(run.id, RunState.VERIFYING)
        await stored(execution, a_plan("other", mode=Mode.APPROVE))
        await an_other_leader(execution)
        await healing_rows(execution.database, "UPDATE run SET approval_expires_at = now() WHERE name = 'other'")
        async with asyncio.timeout(60):
            await task


async def an_other_leader(execution: Execution) -> None:
    epoch = execution.epoch
    await execution.lead()
    execution.epoch = epoch


async def test_without_leadership_a_worker_does_nothing(healing_url: str) -> None:
    async with an_execution(healing_url, lead=False) as execution:
        await execution.worker.run()


async def test_the_watch_ends_what_nobody_approved(healing_url: str) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock) as execution:
        run = await stored(execution, a_plan(mode=Mode.APPROVE))
        clock.step(APPROVAL)
        assert execution.epoch is not None
        await execution.watch.look(execution.epoch)
        assert (await execution.found(run.id)).state is RunState.EXPIRED
        assert execution.counting.ended == ["expired"]


async def test_time_without_a_view_is_not_held_against_a_run(healing_url: str) -> None:
    clock = SteppedClock()
    blind = a_snapshot(BAD_POD, NODE_ROW, sources={"Node": SourceState.STALE})
    async with an_execution(healing_url, clock=clock, snapshot=blind) as execution:
        execution.cluster.watched = None
        run = await execution.carry_out(await stored(execution, a_plan(verify_window=timedelta(seconds=60))))
        assert execution.epoch is not None
        for _ in range(10):
            await execution.watch.look(execution.epoch)
            clock.step(30)
        execution.snapshot = a_snapshot(BAD_POD, NODE_ROW)
        await execution.watch.look(execution.epoch)
        assert (await execution.found(run.id)).undo_by == ""
        clock.step(60)
        await execution.watch.look(execution.epoch)
        assert (await execution.found(run.id)).undo_by != ""


async def test_a_fault_that_comes_back_is_noted_on_the_run_that_healed_it(healing_url: str) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock, snapshot=deployment_with(BAD_POD)) as execution:
        run = await execution.carry_out(await stored(execution, a_plan(verify_window=AT_ONCE)))
        execution.snapshot.apply(a_pod("checkout-2", owner=owned_by(DEPLOYMENT)))
        assert execution.epoch is not None
        clock.step(1)
        await execution.watch.look(execution.epoch)
        assert (await execution.found(run.id)).state is RunState.HEALED
        clock.step(3600)
        again = replace(FINDING, object=replace(A_POD, name="checkout-2"), since=clock.now())
        execution.findings = (again,)
        for _ in range(2):
            await execution.watch.look(execution.epoch)
        assert (await execution.found(run.id)).recurred_at == clock.now()
        assert (await execution.told(run.id)).count("recurred") == 1


async def test_an_approval_on_another_replica_is_acted_upon_by_the_leader(healing_url: str) -> None:
    async with an_execution(healing_url) as leader, an_execution(healing_url, lead=False) as other, leader.working():
        run = await stored(leader, a_plan(mode=Mode.APPROVE, verify_window=AT_ONCE))
        await other.runs.approve(run.id, ALICE)
        await leader.becomes(run.id, RunState.HEALED)
        assert leader.cluster.done == ["delete checkout-1"]
        assert other.cluster.done == []


async def test_runs_of_different_targets_are_carried_out_side_by_side(healing_url: str) -> None:
    async with an_execution(healing_url) as execution, execution.working():
        gate = asyncio.Event()
        both = 0

        async def wait_for_the_other(*_: Any) -> Any:
            nonlocal both
            both += 1
            if both == 2:
                gate.set()
            await asyncio.wait_for(gate.wait(), 60)
            return await cordon.apply(*_)

        cordon = execution.actions["cordon"]
        execution.actions["uncordon"] = _Applied(wait_for_the_other)  # type: ignore[assignment]
        plans = [CORDON, replace(CORDON, target=DEPLOYMENT.key.ref())]
        answers = await execution.runs.propose(plans, epoch=execution.epoch)

        async def all_done() -> bool:
            states = [(await execution.found(answer.run.id)).state for answer in answers if answer.run]
            return all(state is RunState.HEALED for state in states)

        await eventually(all_done)


class _Applied:
    """The given apply, and nothing to undo."""

    undoable = ""

    def __init__(self, apply: Any) -> None:
        self.apply = apply

    def preview(self, *_: Any) -> Preview:
        return Preview()

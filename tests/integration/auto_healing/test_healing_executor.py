"""Runs carried out: what stops them, how they end, and how they are taken up again."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import SteppedClock
from tests.support.healing_execution import (
    A_NODE,
    A_POD,
    NODE_ROW,
    POD_ROW,
    Deleting,
    Execution,
    Switching,
    a_step,
    an_execution,
)
from tests.support.healing_store import a_plan
from tests.support.rows import a_snapshot
from tests.support.waiting import eventually

from auto_healing.actions.action import Doing, Outcome, Result
from auto_healing.kube.cluster import EvictionBlocked, NotActing
from auto_healing.plan import Decline, Plan
from auto_healing.run import Run, RunState, StepState
from auto_healing.storage.decisions import after
from auto_healing.storage.run_rows import StoredStep
from common.database.errors import DatabaseUnavailable
from common.kube.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Throttled, Unauthorized, Unavailable

pytestmark = pytest.mark.database

DONE = Outcome(result=Result.DONE, message="it is on", inverse={"was": "off"})
CORDON, DELETE = a_step("cordon", A_NODE), a_step()
NO = Decline(guard="budget", message="too many")
BOTH = a_plan(target=A_NODE, steps=(CORDON, DELETE))


async def stored(execution: Execution, plan: Plan | None = None) -> Run:
    (answer,) = await execution.runs.propose([plan or a_plan()], epoch=execution.epoch)
    assert answer.run is not None
    return answer.run


async def carried_out(execution: Execution, plan: Plan | None = None) -> Run:
    return await execution.carry_out(await stored(execution, plan))


async def steps(execution: Execution, run: Run) -> list[StoredStep]:
    return await execution.runs.steps(run.id)


async def test_a_run_is_written_down_before_and_after_each_step(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await carried_out(execution, BOTH)
        assert run.state is RunState.VERIFYING
        assert [step.state for step in await steps(execution, run)] == [StepState.DONE] * 2
        assert await execution.told(run.id) == [
            "proposed approved",
            "step-started",
            "step-ended done",
            "step-started",
            "step-ended done",
            "verifying",
        ]
        assert execution.counting.steps == ["cordon done", "delete-pod done"]
        assert execution.cluster.events == ["Healing node-1", "Healing checkout-1"]


class Asking(Deleting):
    """Looks at the ledger when it is applied."""

    def __init__(self, execution: list[Execution]) -> None:
        super().__init__()
        self.execution = execution
        self.told: list[str] = []

    async def apply(self, doing: Doing) -> Outcome:
        self.told = await self.execution[0].told(doing.run_id)
        return await super().apply(doing)


async def test_nothing_is_done_that_was_not_written_first(healing_url: str) -> None:
    holder: list[Execution] = []
    action = Asking(holder)
    async with an_execution(healing_url, actions=(action,)) as execution:
        holder.append(execution)
        await carried_out(execution)
        assert action.told == ["proposed approved", "step-started"]


@pytest.mark.parametrize(
    ("prepare", "guard"),
    [
        pytest.param(lambda e: setattr(e, "declines", [NO]), "budget", id="a guard"),
        pytest.param(lambda e: e.cluster.there.clear(), "still-true", id="the target is gone"),
        pytest.param(
            lambda e: setattr(e.actions["delete-pod"], "preview_refusal", "it works"), "precondition", id="precondition"
        ),
        pytest.param(lambda e: e.actions.clear(), "policy", id="an action of another version"),
        pytest.param(
            lambda e: setattr(e, "declines", ZeroDivisionError()), "guards", id="a guard that fails fails closed"
        ),
    ],
)
async def test_what_stops_a_run_before_its_first_step(healing_url: str, prepare: Any, guard: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await stored(execution)
        prepare(execution)
        ended = await execution.carry_out(run)
        assert ended.state is RunState.DECLINED
        assert (await execution.told(run.id))[-1] == f"declined declined {guard}"
        assert execution.cluster.done == []
        assert execution.past.holder_of(A_POD.key) is None


async def test_the_guards_look_at_a_view_that_is_as_new_as_the_live_object(healing_url: str) -> None:
    async with an_execution(healing_url, snapshot=a_snapshot(NODE_ROW)) as execution:
        run = await stored(execution)
        task = asyncio.create_task(execution.carry_out(run))
        await asyncio.sleep(0.2)
        assert execution.rechecked == 0
        execution.snapshot.apply(POD_ROW)
        assert (await task).state is RunState.VERIFYING
        assert execution.rechecked == 1


async def test_a_later_step_that_a_guard_stops_takes_back_the_earlier_ones(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:

        def after_the_first(*_: Any) -> list[Decline]:
            started = execution.actions["cordon"].calls  # type: ignore[attr-defined]
            return [NO] if started else []

        object.__setattr__(execution.before, "recheck", after_the_first)
        run = await carried_out(execution, BOTH)
        assert (run.state, run.reason) == (RunState.DECLINED, "too many")
        assert execution.actions["cordon"].log == ["on node-1", "off node-1"]  # type: ignore[attr-defined]
        assert execution.cluster.done == []
        assert await execution.told(run.id) == [
            "proposed approved",
            "step-started",
            "step-ended done",
            "declined declined budget",
            "undo-asked",
            "undo-started",
            "undo-ended done",
            "declined declined",
        ]
        assert execution.failed == []  # it tells nothing of the remedy: no next rung


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        pytest.param(Outcome(result=Result.FAILED, message="no"), "failed", id="the action says so"),
        pytest.param(Outcome(result=Result.BLOCKED, message="PDB web"), "blocked", id="a budget forbids it"),
    ],
)
async def test_a_step_that_fails_ends_the_run_and_calls_the_next_rung(
    healing_url: str, outcome: Any, result: str
) -> None:
    async with an_execution(healing_url) as execution:
        execution.actions["cordon"].will = [outcome]  # type: ignore[attr-defined]
        run = await carried_out(execution, BOTH)
        assert run.state is RunState.FAILED
        assert execution.counting.steps == [f"cordon {result}"]
        assert execution.counting.ended == ["failed"]
        assert execution.failed == [run]
        assert execution.actions["cordon"].log == ["on node-1"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "result"),
    [
        pytest.param(
            EvictionBlocked("PDB web", pdbs=["web"], never=True, retry_after_seconds=None), "blocked", id="for ever"
        ),
        pytest.param(Forbidden("denied by a webhook"), "failed", id="an admission webhook, or a right that is missing"),
        pytest.param(Unauthorized("expired"), "failed", id="credentials that have expired"),
        pytest.param(NotFound("no such object"), "failed", id="an object that went while it was at work on it"),
        pytest.param(Invalid("cannot be changed"), "failed", id="not accepted"),
        pytest.param(Conflict("changed"), "failed", id="changed by somebody else each time"),
        pytest.param(Gone("too old"), "failed", id="a list that takes too long each time"),
        pytest.param(Throttled("busy"), "failed", id="a server that is too busy until the end"),
        pytest.param(Unavailable("away"), "failed", id="a server that is away until the end"),
        pytest.param(ZeroDivisionError("oops"), "failed", id="the action has a defect"),
    ],
)
async def test_what_breaks_a_step_on_its_way_is_told_and_leaves_nothing_half_done(
    healing_url: str, error: Exception, result: str
) -> None:
    clock = SteppedClock()

    class Breaking(Switching):
        async def apply(self, doing: Doing) -> Outcome:
            self.log.append("on node-1")
            clock.step(CORDON.timeout + timedelta(seconds=1))  # what passes is tried again until there is no more time
            raise error

    async with an_execution(healing_url, clock=clock, actions=(Breaking(), Deleting())) as execution:
        run = await carried_out(execution, BOTH)
        assert run.state is RunState.UNDONE
        assert str(error) in run.reason
        assert execution.counting.steps == [f"cordon {result}"]
        assert execution.failed == [run]
        assert execution.actions["cordon"].log == ["on node-1", "off node-1"]  # type: ignore[attr-defined]
        assert execution.cluster.done == []
        assert execution.past.holder_of(A_NODE.key) is None


async def test_a_node_that_was_made_again_under_its_name_is_left_alone(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await stored(execution, BOTH)
        again = replace(A_NODE, uid="uid-of-another-life")
        execution.cluster.there = {again.uid: again, A_POD.uid: A_POD}
        ended = await execution.carry_out(run)
        assert ended.state is RunState.DECLINED
        assert "another one has taken its name" in ended.reason
        assert execution.actions["cordon"].log == []  # type: ignore[attr-defined]


async def test_what_goes_between_two_steps_ends_the_run_and_takes_back_the_first(healing_url: str) -> None:
    class Going(Switching):
        async def apply(self, doing: Doing) -> Outcome:
            execution.cluster.there.pop(A_POD.uid)
            return await super().apply(doing)

    async with an_execution(healing_url, actions=(Going(), Deleting())) as execution:
        run = await carried_out(execution, BOTH)
        assert (run.state, "is gone" in run.reason) == (RunState.DECLINED, True)
        assert execution.actions["cordon"].log == ["on node-1", "off node-1"]  # type: ignore[attr-defined]
        assert execution.failed == []


async def test_a_step_that_failed_half_way_is_taken_back_too(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        half = Outcome(result=Result.FAILED, message="half of it", inverse={"was": "off"})
        execution.actions["cordon"].will = [half]  # type: ignore[attr-defined]
        run = await carried_out(execution, BOTH)
        assert (run.state, run.reason) == (RunState.UNDONE, "half of it")
        assert execution.actions["cordon"].log == ["on node-1", "off node-1"]  # type: ignore[attr-defined]


async def test_what_cannot_be_taken_back_is_said(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        no = Outcome(result=Result.FAILED, message="somebody else changed it")
        execution.actions["cordon"].undo_will = [no]  # type: ignore[attr-defined]
        execution.actions["delete-pod"] = Switching("delete-pod")
        execution.actions["delete-pod"].will = [Outcome(result=Result.FAILED, message="no")]
        run = await carried_out(execution, BOTH)
        assert (run.state, run.reason) == (RunState.FAILED, "no; could not be taken back: cordon")
        assert [step.state for step in await steps(execution, run)] == [StepState.UNDO_FAILED, StepState.FAILED]


@pytest.mark.parametrize("trouble", [Unavailable("away"), Conflict("changed"), DatabaseUnavailable("away")], ids=type)
async def test_what_passes_is_tried_again(healing_url: str, trouble: Exception) -> None:
    async with an_execution(healing_url) as execution:
        execution.actions["cordon"].will = [trouble, trouble, DONE]  # type: ignore[attr-defined]
        run = await carried_out(execution, BOTH)
        assert run.state is RunState.VERIFYING
        assert execution.actions["cordon"].calls == 3  # type: ignore[attr-defined]


async def test_a_replica_that_may_not_write_leaves_everything_as_it_is(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await stored(execution, BOTH)

        def lose(*_: Any) -> Outcome:
            execution.epoch = None
            raise NotActing("another leads")

        execution.actions["cordon"].apply = lose  # type: ignore[method-assign]
        assert execution.epoch is not None
        await execution.executor.carry_out(run.id, execution.epoch)
        left = await execution.found(run.id)
        assert left.state is RunState.RUNNING
        assert (await steps(execution, run))[0].state is StepState.STARTED
        assert (await execution.told(run.id))[-1] == "step-started"


async def test_a_deposed_leader_stores_and_does_nothing_more(healing_url: str) -> None:
    async with an_execution(healing_url) as execution, an_execution(healing_url, lead=False) as other:
        run = await stored(execution)
        await other.lead()
        await execution.carry_out(run)
        assert execution.cluster.done == []
        assert (await execution.found(run.id)).state is RunState.APPROVED


async def test_a_job_of_an_epoch_that_is_over_does_nothing(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await stored(execution)
        assert execution.epoch is not None
        await execution.executor.carry_out(run.id, execution.epoch - 1)
        assert execution.cluster.done == []


async def interrupted(execution: Execution, plan: Plan | None = None) -> Run:
    """A run whose leader died within its first step."""
    run = await stored(execution, plan)
    (step, *_) = await steps(execution, run)
    assert execution.epoch is not None
    started, _ = await execution.progress.start_step(
        run, step, after(run, execution.clock.now()), epoch=execution.epoch
    )
    await execution.lead()
    return started


async def test_an_interrupted_step_is_finished_while_it_has_time(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await interrupted(execution)
        execution.declines = [NO]  # as its own deletion counts against it
        assert (await execution.carry_out(run)).state is RunState.VERIFYING
        assert (await steps(execution, run))[0].tries == 2
        assert execution.cluster.done == ["delete checkout-1"]


async def test_an_interrupted_step_that_was_done_is_not_done_again(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await interrupted(execution)
        await execution.cluster.delete(A_POD)
        assert (await execution.carry_out(run)).state is RunState.VERIFYING
        assert execution.cluster.done == ["delete checkout-1"]
        assert (await execution.told(run.id))[-2:] == ["step-ended already", "verifying"]


async def test_an_interrupted_step_whose_time_is_over_is_asked_about_again(healing_url: str) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock) as execution:
        run = await interrupted(execution, BOTH)
        clock.step(CORDON.timeout + timedelta(seconds=1))
        execution.declines = [NO]
        ended = await execution.carry_out(run)
        assert (ended.state, ended.reason) == (RunState.DECLINED, "too many")
        assert execution.actions["cordon"].log == ["off node-1"]  # type: ignore[attr-defined]


async def test_an_interrupted_step_that_may_go_on_after_its_time_gets_another(healing_url: str) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock) as execution:
        run = await interrupted(execution)
        clock.step(timedelta(hours=1))
        assert (await execution.carry_out(run)).state is RunState.VERIFYING
        (step,) = await steps(execution, run)
        assert step.started_at == clock.now()


async def test_an_undo_that_was_interrupted_goes_on(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await carried_out(execution, BOTH)
        await execution.runs.ask_undo(run.id, "bob", "wrong node")
        asked = await execution.found(run.id)
        (cordon, _) = await steps(execution, run)
        assert execution.epoch is not None
        await execution.progress.start_undo(asked, cordon, after(asked, execution.clock.now()), epoch=execution.epoch)
        await execution.lead()
        ended = await execution.carry_out(run)
        assert (ended.state, ended.reason) == (RunState.UNDONE, "wrong node")
        assert execution.actions["cordon"].log == ["on node-1", "off node-1"]  # type: ignore[attr-defined]
        assert execution.failed == []  # a person took it back: no next rung


async def test_a_healed_run_can_be_taken_back_later(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await carried_out(execution, BOTH)
        assert execution.epoch is not None
        at = execution.clock.now()
        await execution.endings.end(run, RunState.HEALED, at, epoch=execution.epoch, reason="it helped")
        await execution.runs.ask_undo(run.id, "bob", "the disk is replaced")
        assert (await execution.carry_out(run)).state is RunState.UNDONE


async def test_of_a_deletion_nothing_is_taken_back_and_the_run_stays_what_it_was(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await carried_out(execution)
        await execution.runs.ask_undo(run.id, "bob", "oh no")
        left = await execution.carry_out(run)
        assert (left.state, left.undo_by) == (RunState.VERIFYING, "")
        assert left.reason == "oh no; there is nothing to take back"


class Waiting(Switching):
    """Waits until it is stopped."""

    async def apply(self, doing: Doing) -> Outcome:
        self.calls += 1
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_step_that_waits_is_broken_off_when_somebody_wants_it_undone(healing_url: str) -> None:
    action = Waiting()
    async with an_execution(healing_url, actions=(action,)) as execution:
        run = await stored(execution, a_plan(target=A_NODE, steps=(CORDON,)))
        task = asyncio.create_task(execution.carry_out(run))

        async def waits() -> bool:
            return action.calls == 1

        await eventually(waits)
        await execution.runs.ask_undo(run.id, "bob", "stop it")
        assert execution.epoch is not None
        await execution.watch.look(execution.epoch)
        ended = await task
        assert (ended.state, ended.reason) == (RunState.UNDONE, "stop it")  # nobody knows how far it had got
        assert execution.failed == []


async def paused_within(execution: Execution, action: Waiting, run: Run) -> Run:
    """The run, after an operator paused healing while its step was waiting."""
    task = asyncio.create_task(execution.carry_out(run))

    async def waits() -> bool:
        return action.calls == 1

    await eventually(waits)
    execution.paused = True
    assert execution.epoch is not None
    await execution.watch.look(execution.epoch)
    return await task


async def test_a_run_that_a_pause_broke_off_is_taken_back_and_calls_no_next_rung(healing_url: str) -> None:
    action = Waiting()
    async with an_execution(healing_url, actions=(action,)) as execution:
        run = await paused_within(
            execution, action, await stored(execution, a_plan(target=A_NODE, steps=(CORDON, DELETE)))
        )
        assert run.state is RunState.DECLINED
        assert "paused" in run.reason
        assert action.log == ["off node-1"]  # nobody knows how far it had got
        assert await execution.told(run.id) == [
            "proposed approved",
            "step-started",
            "step-ended failed",
            "declined declined paused",
            "undo-asked",
            "undo-started",
            "undo-ended done",
            "declined declined",
        ]
        assert (execution.failed, execution.counting.ended) == ([], ["declined"])
        assert execution.past.holder_of(A_NODE.key) is None


async def test_a_run_that_a_pause_broke_off_with_nothing_to_take_back_calls_no_next_rung(healing_url: str) -> None:
    action = Waiting("delete-pod")
    action.undoable = ""  # type: ignore[misc]
    async with an_execution(healing_url, actions=(action,)) as execution:
        run = await paused_within(execution, action, await stored(execution))
        assert run.state is RunState.DECLINED
        assert (await execution.told(run.id))[-1] == "declined declined"
        assert execution.failed == []


async def test_what_a_pause_broke_off_and_cannot_be_taken_back_has_failed(healing_url: str) -> None:
    action = Waiting()
    action.undo_will = [Outcome(result=Result.FAILED, message="somebody else changed it")]
    async with an_execution(healing_url, actions=(action,)) as execution:
        run = await paused_within(execution, action, await stored(execution, a_plan(target=A_NODE, steps=(CORDON,))))
        assert run.state is RunState.FAILED
        assert run.reason.endswith("could not be taken back: cordon")


async def test_the_undo_of_what_a_pause_broke_off_goes_on_after_a_crash_and_ends_the_same(healing_url: str) -> None:
    action = Waiting()
    async with an_execution(healing_url, actions=(action,)) as execution:
        undo = action.undo

        async def killed(*_: Any) -> Outcome:
            execution.epoch = None
            action.undo = undo  # type: ignore[method-assign]
            raise NotActing("another leads")

        action.undo = killed  # type: ignore[method-assign]
        left = await paused_within(execution, action, await stored(execution, a_plan(target=A_NODE, steps=(CORDON,))))
        assert left.state is RunState.RUNNING
        await execution.lead()
        run = await execution.carry_out(left)
        assert run.state is RunState.DECLINED
        assert execution.failed == []


async def test_of_two_jobs_for_one_run_only_one_acts(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await stored(execution)
        await asyncio.gather(*(execution.carry_out(run) for _ in range(3)))
        assert execution.actions["delete-pod"].calls == 1  # type: ignore[attr-defined]


async def test_two_replicas_that_race_for_a_run_act_once(healing_url: str) -> None:
    async with an_execution(healing_url) as first, an_execution(healing_url, cluster=first_cluster(first)) as second:
        (answer,) = await second.runs.propose([a_plan()], epoch=second.epoch)
        assert answer.run is not None
        await asyncio.gather(first.carry_out(answer.run), second.carry_out(answer.run))
        assert first.cluster.done == ["delete checkout-1"]
        assert first.actions["delete-pod"].calls == 0  # type: ignore[attr-defined]
        assert (await first.told(answer.run.id)).count("step-started") == 1


def first_cluster(execution: Execution) -> Any:
    return execution.cluster

"""Runs on a real database: proposing, approving, expiring, taking over, each with its entries in the ledger."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.support.clock import SteppedClock
from tests.support.healing_database import healing_rows
from tests.support.healing_execution import A_NODE, A_POD, ALICE, Execution, a_step, an_execution
from tests.support.healing_store import a_plan

from auto_healing.plan import Decline, Mode, Plan
from auto_healing.run import Run, RunState
from auto_healing.storage.decisions import APPROVAL_HOLDS, NotNow
from auto_healing.storage.fence import Deposed
from auto_healing.storage.proposing import ONE_RUN, Answer, Proposal
from auto_healing.storage.run_reading import RunFilter
from auto_healing.storage.runs import APPROVAL, NoSuchRun
from common.web.auth import Identity, Scope

pytestmark = pytest.mark.database

BOB = Identity.of("bob", [Scope.APPROVE])

COOLDOWN = Decline(guard="cooldown", message="it was restarted 20 s ago", numbers={"seconds": 20})


async def propose(execution: Execution, *plans: Plan | Proposal) -> list[Answer]:
    return await execution.runs.propose(plans, epoch=execution.epoch)


async def proposed(execution: Execution, plan: Plan | Proposal | None = None) -> Run:
    (answer,) = await propose(execution, plan or a_plan())
    assert answer.run is not None
    return answer.run


async def entries(execution: Execution) -> list[tuple[str, str, str]]:
    found = await healing_rows(execution.database, "SELECT event, outcome, guard FROM ledger ORDER BY seq")
    return [(event, outcome, guard) for event, outcome, guard in found]


@pytest.mark.parametrize(
    ("mode", "state", "jobs"),
    [
        pytest.param(Mode.AUTO, RunState.APPROVED, 1, id="auto begins at once"),
        pytest.param(Mode.APPROVE, RunState.AWAITING_APPROVAL, 0, id="approve waits for a person"),
        pytest.param(Mode.OBSERVE, RunState.OBSERVED, 0, id="observe has ended without anything done"),
    ],
)
async def test_a_plan_is_stored_by_the_mode_of_its_rule(
    healing_url: str, mode: Mode, state: RunState, jobs: int
) -> None:
    async with an_execution(healing_url) as execution:
        run = await proposed(execution, a_plan(mode=mode))
        assert await execution.found(run.id) == run
        assert run.state is state
        assert await execution.jobs_waiting() == jobs
        assert await entries(execution) == [("proposed", str(state), "")]
        assert [step.action for step in await execution.runs.steps(run.id)] == ["delete-pod"]


async def test_a_refusal_is_told_with_its_numbers_and_once(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        refused = a_plan(declined=(COOLDOWN,))
        answers = [(await propose(execution, refused))[0] for _ in range(3)]
        assert [answer.repeat for answer in answers] == [False, True, True]
        assert all(answer.run is None for answer in answers)
        await propose(execution, replace(refused, declined=(Decline(guard="budget", message="too many"),)))
        assert await entries(execution) == [("declined", "declined", "cooldown"), ("declined", "declined", "budget")]
        data = (await healing_rows(execution.database, "SELECT data FROM ledger WHERE seq = 1"))[0][0]
        assert data["numbers"] == {"seconds": 20}
        assert data["guards"][0]["guard"] == "cooldown"


async def test_many_plans_are_stored_together_and_answered_in_their_order(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        plans = [a_plan("checkout-1"), a_plan("checkout-2", declined=(COOLDOWN,)), a_plan("checkout-1"), a_plan("x")]
        first, second, third, fourth = await propose(execution, *plans)
        assert first.run is not None
        assert second.declined == (COOLDOWN,)
        assert third.declined[0].guard == ONE_RUN
        assert third.declined[0].numbers == {"run": str(first.run.id)}
        assert fourth.run is not None
        assert [each[2] for each in await entries(execution)] == ["", "cooldown", ONE_RUN, ""]


async def test_one_target_has_one_run_also_when_another_replica_has_stored_it(healing_url: str) -> None:
    async with an_execution(healing_url) as execution, an_execution(healing_url, lead=False) as other:
        run = await proposed(execution)
        assert other.past.holder_of(A_POD.key) is None
        (answer,) = await other.runs.propose([a_plan()], epoch=None)
        assert answer.run is None
        assert answer.declined[0].numbers == {"run": str(run.id)}


async def test_a_persons_wish_is_answered_with_a_run_also_when_it_is_refused(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        wish = Proposal(plan=a_plan(declined=(COOLDOWN,)), requested_by="alice", reason="please")
        for _ in range(2):
            (answer,) = await execution.runs.propose([wish], epoch=None)
            assert answer.run is not None
            assert (answer.run.state, answer.run.reason) == (RunState.DECLINED, COOLDOWN.message)
            assert await execution.told(answer.run.id) == ["declined declined cooldown"]
        run = await proposed(execution)
        (answer,) = await execution.runs.propose([replace(wish, plan=a_plan())], epoch=None)
        assert answer.run is not None
        assert answer.run.state is RunState.DECLINED
        assert str(run.id) in answer.run.reason


async def test_an_epoch_that_is_over_stores_nothing(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        old = execution.epoch
        await execution.lead()
        with pytest.raises(Deposed):
            await execution.runs.propose([a_plan()], epoch=old)
        assert await entries(execution) == []
        assert execution.past.holder_of(A_POD.key) is None


async def test_a_yes_and_a_no(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        yes = await proposed(execution, a_plan("a", mode=Mode.APPROVE))
        no = await proposed(execution, a_plan("b", mode=Mode.APPROVE))
        approved = await execution.runs.approve(yes.id, ALICE)
        assert (approved.state, approved.approved_by, approved.approver_groups) == (
            RunState.APPROVED,
            "alice",
            ("sre",),
        )
        assert await execution.jobs_waiting() == 1
        assert (await execution.runs.deny(no.id, ALICE, "not today")).state is RunState.DECLINED
        assert await execution.told(no.id) == ["proposed awaiting-approval", "declined declined approval"]
        with pytest.raises(NotNow):
            await execution.runs.approve(no.id, ALICE)
        with pytest.raises(NotNow):
            await execution.runs.approve(yes.id, BOB)
        with pytest.raises(NoSuchRun):
            await execution.runs.deny(uuid4(), ALICE)


async def test_whoever_did_not_hear_the_answer_may_say_it_again(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        yes = await proposed(execution, a_plan("a", mode=Mode.APPROVE))
        no = await proposed(execution, a_plan("b", mode=Mode.APPROVE))
        assert await execution.runs.approve(yes.id, ALICE) == await execution.runs.approve(yes.id, ALICE)
        assert await execution.runs.deny(no.id, ALICE, "no") == await execution.runs.deny(no.id, ALICE, "no")
        assert await execution.told(yes.id) == ["proposed awaiting-approval", "approved"]
        assert await execution.told(no.id) == ["proposed awaiting-approval", "declined declined approval"]
        assert await execution.jobs_waiting() == 1


async def test_two_people_who_say_yes_at_the_same_time_begin_it_once(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await proposed(execution, a_plan(mode=Mode.APPROVE))
        people = [ALICE, BOB] * 3
        said = await asyncio.gather(*(execution.runs.approve(run.id, each) for each in people), return_exceptions=True)
        assert [type(each) for each in said].count(Run) == 3  # whose yes it was, each time
        assert [type(each) for each in said].count(NotNow) == 3
        assert await execution.jobs_waiting() == 1


async def test_what_nobody_approves_in_time_expires(healing_url: str) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock) as execution:
        run = await proposed(execution, a_plan(mode=Mode.APPROVE))
        assert execution.epoch is not None
        clock.step(APPROVAL - timedelta(seconds=1))
        assert await execution.runs.expire(epoch=execution.epoch) == []
        clock.step(1)
        (expired,) = await execution.runs.expire(epoch=execution.epoch)
        assert (expired.id, expired.state, expired.ended_at) == (run.id, RunState.EXPIRED, clock.now())
        assert await execution.told(run.id) == ["proposed awaiting-approval", "expired"]
        assert execution.past.holder_of(A_POD.key) is None
        assert (await propose(execution, a_plan(mode=Mode.APPROVE)))[0].run is not None


async def test_a_yes_that_could_not_be_acted_upon_does_not_hold_for_ever(healing_url: str) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock) as execution:
        run = await proposed(execution, a_plan(mode=Mode.APPROVE))
        await execution.runs.approve(run.id, ALICE)
        clock.step(APPROVAL_HOLDS + timedelta(seconds=1))
        assert (await execution.carry_out(run)).state is RunState.EXPIRED
        assert execution.cluster.done == []
        assert execution.counting.ended == ["expired"]


async def test_the_rights_of_who_approved_are_asked_again(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await proposed(execution, a_plan(mode=Mode.APPROVE))
        await execution.runs.approve(run.id, ALICE)
        execution.may_approve = False
        ended = await execution.carry_out(run)
        assert ended.state is RunState.DECLINED
        assert "alice" in ended.reason
        assert execution.cluster.done == []
        assert (await execution.told(run.id))[-1] == "declined declined approval"


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        pytest.param(Scope.APPROVE, "may not approve any more", id="its right to approve"),
        pytest.param(Scope.DELEGATE, "may not delegate any more", id="its right to speak for people"),
    ],
)
async def test_an_approval_falls_when_the_service_that_passed_it_on_has_lost(
    healing_url: str, lost: Scope, why: str
) -> None:
    async with an_execution(healing_url) as execution:
        run = await proposed(execution, a_plan(mode=Mode.APPROVE))
        await execution.runs.approve(run.id, Identity.of("alerts", [Scope.APPROVE, Scope.DELEGATE]), person="ana")
        execution.lost = {("alerts", lost)}
        ended = await execution.carry_out(run)
        assert (ended.state, ended.reason) == (
            RunState.DECLINED,
            f"alerts, who passed on the approval of ana, {why}",
        )
        assert execution.cluster.done == []


async def test_an_approval_that_was_passed_on_is_carried_out(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await proposed(execution, a_plan(mode=Mode.APPROVE))
        await execution.runs.approve(run.id, Identity.of("alerts", [Scope.APPROVE, Scope.DELEGATE]), person="ana")
        execution.lost = {("ana", Scope.APPROVE)}  # who is not known here: alerts vouches for her
        assert (await execution.carry_out(run)).state is not RunState.DECLINED


async def test_runs_are_listed_newest_first_page_by_page(healing_url: str) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock) as execution:
        made = []
        for number in range(5):
            made.append(await proposed(execution, a_plan(f"checkout-{number}", rule=f"rule-{number % 2}")))
            clock.step(1)
        first = await execution.runs.search(RunFilter(), limit=3)
        rest = await execution.runs.search(RunFilter(), before=(first[-1].created_at, first[-1].id), limit=3)
        assert [run.id for run in [*first, *rest]] == [run.id for run in reversed(made)]
        for where, count in [
            (RunFilter(rule="rule-1"), 2),
            (RunFilter(name="checkout-3", kind="Pod", namespace="shop"), 1),
            (RunFilter(action="drain"), 0),
            (RunFilter(states=frozenset({RunState.APPROVED, RunState.HEALED})), 5),
            (RunFilter(states=frozenset({RunState.HEALED})), 0),
        ]:
            assert len(await execution.runs.search(where)) == count


async def test_a_new_leader_finds_what_is_unfinished_and_what_was_done(healing_url: str) -> None:
    async with an_execution(healing_url) as execution, an_execution(healing_url, lead=False) as other:
        approved = await proposed(execution, a_plan("a"))
        waiting = await proposed(execution, a_plan("b", mode=Mode.APPROVE))
        await proposed(execution, a_plan("c", mode=Mode.OBSERVE))
        epoch = await other.lead()
        due = await other.runs.take_over(epoch=epoch)
        assert [run.id for run in due] == [approved.id]
        assert [run.id for run in other.past.active()] == [approved.id]
        assert other.past.holder_of(waiting.plan.target.key) == waiting
        assert (await other.told(approved.id))[-1] == "resumed approved"


async def test_what_another_replica_stored_or_ended_is_learnt(healing_url: str) -> None:
    async with an_execution(healing_url) as execution, an_execution(healing_url, lead=False) as other:
        run = await proposed(execution, a_plan("a", mode=Mode.APPROVE))
        (answer,) = await other.runs.propose([Proposal(plan=a_plan("b"), requested_by="alice")], epoch=None)
        await other.runs.deny(run.id, ALICE)
        await execution.runs.refresh()
        assert answer.run is not None
        assert [each.id for each in execution.past.active()] == [answer.run.id]
        assert execution.past.holder_of(run.plan.target.key) is None


async def test_a_recurrence_is_noted_once(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await proposed(execution)
        assert execution.epoch is not None
        assert await execution.runs.mark_recurred(run.id, "it crashes again", epoch=execution.epoch)
        assert not await execution.runs.mark_recurred(run.id, "it crashes again", epoch=execution.epoch)
        assert (await execution.told(run.id))[-1] == "recurred"


async def test_undo_is_asked_for_once_and_not_under_another_run(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        run = await proposed(execution, a_plan(target=A_NODE, steps=(a_step("cordon", A_NODE),)))
        with pytest.raises(NotNow, match="nothing to undo"):
            await execution.runs.ask_undo(run.id, "bob", "no")
        await execution.carry_out(run)
        asked = await execution.runs.ask_undo(run.id, "bob", "wrong node")
        assert (asked.undo_by, asked.state) == ("bob", RunState.VERIFYING)
        with pytest.raises(NotNow, match="bob"):
            await execution.runs.ask_undo(run.id, "carol", "me too")


async def test_the_ledger_of_all_this_is_one_chain(healing_url: str) -> None:
    async with an_execution(healing_url) as execution:
        plans = [a_plan(f"checkout-{number}", declined=(COOLDOWN,) * (number % 2)) for number in range(50)]
        await asyncio.gather(*(propose(execution, plan) for plan in plans))
        proof = await execution.ledger.verify()
        assert proof.broken is None
        assert len(await entries(execution)) == 50

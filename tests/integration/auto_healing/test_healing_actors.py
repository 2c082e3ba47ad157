"""Every entry about a run says who: the policy, the service itself, or a person by name."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.clock import SteppedClock
from tests.support.healing_execution import A_NODE, ALICE, Execution, a_step, an_execution
from tests.support.healing_store import a_plan

from auto_healing.plan import Decline, Mode, Plan
from auto_healing.run import Run, RunState
from auto_healing.storage.proposing import Proposal
from auto_healing.storage.run_entries import Told
from auto_healing.storage.runs import APPROVAL

pytestmark = pytest.mark.database

AT_ONCE = timedelta(0)
CORDON = a_plan(target=A_NODE, steps=(a_step("cordon", A_NODE),), verify_window=AT_ONCE)
ASKS = a_plan(mode=Mode.APPROVE, verify_window=AT_ONCE)
DELETE = a_plan(verify_window=AT_ONCE)


async def proposed(execution: Execution, plan: Plan, *, by: str = "policy") -> Run:
    (answer,) = await execution.runs.propose([Proposal(plan=plan, requested_by=by)], epoch=execution.epoch)
    assert answer.run is not None
    return answer.run


async def look(execution: Execution) -> None:
    assert execution.epoch is not None
    await execution.watch.look(execution.epoch)


async def healed(execution: Execution, clock: SteppedClock) -> Run:
    run = await proposed(execution, ASKS)
    await execution.runs.approve(run.id, ALICE)
    await execution.carry_out(run)
    clock.step(10)
    await look(execution)
    finding = replace(DELETE.fault.findings[0], since=clock.now() + timedelta(seconds=1))
    execution.findings = (finding,)
    await look(execution)
    return run


async def undone_by_hand(execution: Execution, clock: SteppedClock) -> Run:
    run = await proposed(execution, CORDON, by="carol")
    await execution.carry_out(run)
    await execution.runs.ask_undo(run.id, "bob", "the wrong node")
    await execution.carry_out(run)
    return run


async def failed(execution: Execution, clock: SteppedClock) -> Run:
    execution.cluster.watched = None  # the pod lives on in the view
    execution.findings = DELETE.fault.findings
    run = await proposed(execution, DELETE)
    await execution.carry_out(run)
    clock.step(10)
    await look(execution)
    await execution.carry_out(run)
    return run


async def denied(execution: Execution, clock: SteppedClock) -> Run:
    run = await proposed(execution, ASKS)
    await execution.runs.deny(run.id, ALICE)
    return run


async def expired(execution: Execution, clock: SteppedClock) -> Run:
    run = await proposed(execution, ASKS)
    clock.step(APPROVAL)
    await look(execution)
    return run


async def declined_after_a_crash(execution: Execution, clock: SteppedClock) -> Run:
    run = await proposed(execution, DELETE)
    await execution.runs.take_over(epoch=await execution.lead())
    execution.declines = [Decline(guard="budget", message="too many")]
    await execution.carry_out(run)
    return run


SERVICE = "auto_healing"
HAPPENED: dict[Callable[[Execution, SteppedClock], Awaitable[Run]], list[tuple[Told, str]]] = {
    healed: [
        (Told.PROPOSED, "policy"),
        (Told.APPROVED, "alice"),
        (Told.STEP_STARTED, SERVICE),
        (Told.STEP_ENDED, SERVICE),
        (Told.VERIFYING, SERVICE),
        (Told.HEALED, SERVICE),
        (Told.RECURRED, SERVICE),
    ],
    undone_by_hand: [
        (Told.PROPOSED, "carol"),
        (Told.STEP_STARTED, SERVICE),
        (Told.STEP_ENDED, SERVICE),
        (Told.VERIFYING, SERVICE),
        (Told.UNDO_ASKED, "bob"),
        (Told.UNDO_STARTED, SERVICE),
        (Told.UNDO_ENDED, SERVICE),
        (Told.UNDONE, SERVICE),
    ],
    failed: [
        (Told.PROPOSED, "policy"),
        (Told.STEP_STARTED, SERVICE),
        (Told.STEP_ENDED, SERVICE),
        (Told.VERIFYING, SERVICE),
        (Told.UNDO_ASKED, SERVICE),
        (Told.FAILED, SERVICE),
    ],
    denied: [(Told.PROPOSED, "policy"), (Told.DECLINED, "alice")],
    expired: [(Told.PROPOSED, "policy"), (Told.EXPIRED, SERVICE)],
    declined_after_a_crash: [(Told.PROPOSED, "policy"), (Told.RESUMED, SERVICE), (Told.DECLINED, SERVICE)],
}


@pytest.mark.parametrize("happens", HAPPENED, ids=lambda happens: happens.__name__.replace("_", " "))
async def test_who_did_it(healing_url: str, happens: Callable[[Execution, SteppedClock], Awaitable[Run]]) -> None:
    clock = SteppedClock()
    async with an_execution(healing_url, clock=clock) as execution:
        run = await happens(execution, clock)
        entries = await execution.ledger.of_run(run.id)
        assert [(entry.event, entry.actor) for entry in entries] == HAPPENED[happens]
        if happens is undone_by_hand:
            assert (await execution.found(run.id)).state is RunState.UNDONE


def test_every_kind_of_entry_is_among_them() -> None:
    assert {event for told in HAPPENED.values() for event, _ in told} == set(Told)

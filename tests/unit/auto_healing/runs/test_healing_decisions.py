"""What may follow what in the life of a run, and what people may decide about it."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_store import a_stored_run

from auto_healing.run import MOVES, RunState
from auto_healing.storage.decisions import (
    APPROVAL_HOLDS,
    NotNow,
    after,
    approved,
    denied,
    is_due,
    is_late,
    may_follow,
    undo_wanted,
)
from common.web.auth import Identity, Scope

ALICE = Identity.of("alice", [Scope.APPROVE], ["sre", "oncall"])
HOUR = timedelta(hours=1)

ALLOWED = {(before, then) for before, those in MOVES.items() for then in those} | {(each, each) for each in RunState}


@pytest.mark.parametrize("before", RunState, ids=lambda state: f"from {state}")
@pytest.mark.parametrize("then", RunState, ids=lambda state: f"to {state}")
def test_only_the_moves_of_the_table_are_made(before: RunState, then: RunState) -> None:
    assert may_follow(before, then) is ((before, then) in ALLOWED)


def test_what_has_ended_is_only_ever_undone() -> None:
    assert {then for state in RunState if state.ended for then in MOVES.get(state, ())} == {RunState.UNDONE}


def test_nothing_is_running_that_was_not_approved() -> None:
    assert {before for before, those in MOVES.items() if RunState.RUNNING in those} == {RunState.APPROVED}


def test_a_yes_is_kept_with_who_said_it_and_for_how_long_it_holds() -> None:
    run = approved(a_stored_run(RunState.AWAITING_APPROVAL, approval_expires_at=NOON + HOUR), ALICE, NOON)
    assert (run.state, run.approved_by, run.approver_groups) == (RunState.APPROVED, "alice", ("oncall", "sre"))
    assert run.approval_expires_at == NOON + APPROVAL_HOLDS


def test_a_yes_that_was_passed_on_is_the_persons_and_rests_on_the_rights_of_who_vouches_for_it() -> None:
    alerts = Identity.of("alerts", [Scope.APPROVE, Scope.DELEGATE], ["services"])
    run = approved(a_stored_run(RunState.AWAITING_APPROVAL), alerts, NOON, person="ana@example.com")
    assert (run.approved_by, run.vouched_by, run.approver_groups) == ("ana@example.com", "alerts", ("services",))


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.AWAITING_APPROVAL])
def test_only_what_waits_is_approved(state: RunState) -> None:
    with pytest.raises(NotNow, match=f"is {state}"):
        approved(a_stored_run(state), ALICE, NOON)


@pytest.mark.parametrize("state", [RunState.APPROVED, RunState.RUNNING, RunState.VERIFYING, RunState.HEALED])
def test_the_same_yes_once_more_changes_nothing(state: RunState) -> None:
    run = a_stored_run(state, approved_by="ana@example.com", vouched_by="alerts")
    assert approved(run, Identity.of("alerts", [Scope.APPROVE]), NOON, person="ana@example.com") is run


def test_a_no_to_what_is_declined_changes_nothing() -> None:
    run = a_stored_run(RunState.DECLINED, reason="denied by bob")
    assert denied(run, "alice", "", NOON) is run


def test_who_says_yes_after_somebody_else_is_told_who_did() -> None:
    run = a_stored_run(RunState.APPROVED, approved_by="bob")
    with pytest.raises(NotNow, match="is approved, by bob"):
        approved(run, ALICE, NOON)


def test_a_yes_that_comes_too_late_is_none() -> None:
    with pytest.raises(NotNow, match="in time; while its cause lasts, another one is proposed"):
        approved(a_stored_run(RunState.AWAITING_APPROVAL, approval_expires_at=NOON), ALICE, NOON)


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.DECLINED])
def test_a_no_is_for_what_has_not_begun(state: RunState) -> None:
    run = a_stored_run(state)
    if state in {RunState.AWAITING_APPROVAL, RunState.APPROVED}:
        said = denied(run, "alice", "", NOON)
        assert (said.state, said.ended_at, said.reason) == (RunState.DECLINED, NOON, "denied by alice")
    else:
        with pytest.raises(NotNow):
            denied(run, "alice", "", NOON)


@pytest.mark.parametrize("state", RunState)
def test_undo_is_for_what_may_have_done_something(state: RunState) -> None:
    run = a_stored_run(state)
    if state in {RunState.RUNNING, RunState.VERIFYING, RunState.HEALED, RunState.FAILED}:
        wanted = undo_wanted(run, "bob", "wrong node")
        assert (wanted.undo_by, wanted.undo_reason, wanted.state) == ("bob", "wrong node", state)
        with pytest.raises(NotNow, match="bob has asked"):
            undo_wanted(wanted, "carol", "me too")
    else:
        begun = state not in {RunState.AWAITING_APPROVAL, RunState.APPROVED}
        with pytest.raises(NotNow, match="nothing to undo$" if begun else "nothing to undo yet: deny it instead"):
            undo_wanted(run, "bob", "wrong node")


@pytest.mark.parametrize(
    ("state", "changes", "due"),
    [
        pytest.param(RunState.APPROVED, {}, True, id="approved: to be begun"),
        pytest.param(RunState.RUNNING, {}, True, id="running: to be gone on with"),
        pytest.param(RunState.VERIFYING, {}, False, id="verifying: only watched"),
        pytest.param(RunState.VERIFYING, {"undo_by": "bob"}, True, id="verifying, and somebody wants it undone"),
        pytest.param(RunState.HEALED, {"undo_by": "bob"}, True, id="healed, and somebody wants it undone"),
        pytest.param(RunState.UNDONE, {"undo_by": "bob"}, False, id="undone: that is over"),
        pytest.param(RunState.AWAITING_APPROVAL, {}, False, id="waiting for a person"),
    ],
)
def test_what_is_due(state: RunState, changes: dict[str, Any], due: bool) -> None:
    assert is_due(a_stored_run(state, **changes)) is due


def test_instants_of_changes_rise_also_when_the_clock_is_set_back() -> None:
    run = a_stored_run(RunState.RUNNING)
    assert after(run, NOON - HOUR) == NOON + timedelta(microseconds=1)
    assert after(run, NOON + HOUR) == NOON + HOUR
    assert not is_late(run, NOON)

"""The runs of the last day, as guards ask for them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.healing_execution import A_NODE, NODE_ROW, a_step
from tests.support.healing_store import OWNER, a_plan, a_stored_run
from tests.support.rows import a_deployment, a_node, a_pod, a_replica_set, a_snapshot, owned_by

from auto_healing.history import History, PastRun
from auto_healing.past import Past, past_of
from auto_healing.place import place_of, pool_of
from auto_healing.plan import Harm
from auto_healing.run import Place, Run, RunState
from common.contracts import ObjectKey, ObjectRef

HOUR = timedelta(hours=1)
OTHER = ObjectKey("Deployment", "billing", "invoices")


def a_run(name: str = "checkout-1", minutes: float = 0, state: RunState = RunState.HEALED, **changes: Any) -> Run:
    at = NOON + timedelta(minutes=minutes)
    return a_stored_run(state, plan=a_plan(name), at=at, started_at=at, **changes)


def a_past(*runs: Run) -> Past:
    past = Past()
    past.load(runs)
    return past


def ids(runs: Iterable[PastRun]) -> list[UUID]:
    return [run.id for run in runs]


def test_runs_come_newest_first_by_whatever_they_are_asked_for() -> None:
    old, new, middle = a_run(minutes=-30), a_run(minutes=0), a_run(minutes=-10)
    past = a_past(old, new, middle)
    expected = [new.id, middle.id, old.id]
    assert ids(past.of_target(ObjectKey("Pod", "shop", "checkout-1"))) == expected
    assert ids(past.of_owner(OWNER)) == expected
    assert ids(past.in_namespace("shop")) == expected
    assert ids(past.since(NOON - timedelta(minutes=10))) == [new.id, middle.id]


def test_other_targets_owners_and_namespaces_are_not_mixed_up() -> None:
    past = a_past(a_run(), a_run("checkout-2", place=Place(owner=OTHER)))
    assert len(past.of_target(ObjectKey("Pod", "shop", "checkout-2"))) == 1
    assert len(past.of_owner(OTHER)) == 1
    assert len(past.of_owner(OWNER)) == 1
    assert list(past.of_owner(ObjectKey("Deployment", "no", "where"))) == []
    assert list(past.in_namespace("nowhere")) == []


@pytest.mark.parametrize(
    ("state", "counts", "active", "holds"),
    [
        pytest.param(RunState.PROPOSED, False, False, False, id="proposed"),
        pytest.param(RunState.AWAITING_APPROVAL, False, False, True, id="waiting for a person holds its target"),
        pytest.param(RunState.APPROVED, True, True, True, id="approved counts before it begins"),
        pytest.param(RunState.RUNNING, True, True, True, id="running"),
        pytest.param(RunState.VERIFYING, True, True, True, id="verifying"),
        pytest.param(RunState.HEALED, True, False, False, id="healed"),
        pytest.param(RunState.FAILED, True, False, False, id="failed"),
        pytest.param(RunState.UNDONE, True, False, False, id="undone"),
        pytest.param(RunState.EXPIRED, False, False, False, id="expired"),
        pytest.param(RunState.OBSERVED, False, False, False, id="observed"),
    ],
)
def test_what_counts_for_guards(state: RunState, counts: bool, active: bool, holds: bool) -> None:
    run = a_run(state=state)
    past = a_past(run)
    assert bool(past.of_owner(OWNER)) is counts
    assert bool(past.active()) is active
    assert (past.holder_of(run.plan.target.key) is not None) is holds
    assert (past.unfinished() == [run]) is holds


@pytest.mark.parametrize(("started", "counts"), [(None, False), (NOON, True)], ids=["before its start", "after it"])
def test_a_declined_run_counts_when_it_had_begun(started: Any, counts: bool) -> None:
    assert (past_of(a_stored_run(RunState.DECLINED, started_at=started)) is not None) is counts


def test_a_run_that_moves_on_is_counted_once_and_as_it_is() -> None:
    run = a_run(state=RunState.APPROVED)
    past = a_past(run)
    past.put(a_run(state=RunState.HEALED, id=run.id, minutes=5))
    assert [each.state for each in past.of_owner(OWNER)] == [RunState.HEALED]
    assert not past.active()
    assert past.holder_of(run.plan.target.key) is None


def test_what_was_read_before_a_newer_change_changes_nothing() -> None:
    run = a_run(state=RunState.VERIFYING, minutes=5)
    past = a_past(run)
    past.put(a_run(state=RunState.APPROVED, id=run.id, minutes=0))
    assert [each.state for each in past.active()] == [RunState.VERIFYING]


def test_a_second_holder_of_a_target_is_not_forgotten_with_the_first() -> None:
    first, second = a_run(state=RunState.VERIFYING), a_run(state=RunState.APPROVED, minutes=1)
    past = a_past(first, second)
    past.put(a_run(state=RunState.HEALED, id=first.id, minutes=2))
    assert past.holder_of(second.plan.target.key) == second


def test_a_run_does_not_stand_in_its_own_way() -> None:
    own, other = a_run(state=RunState.APPROVED), a_run("checkout-2", state=RunState.RUNNING)
    past = a_past(own, other)
    others: History = past.without(own.id)
    for seen in (
        others.active(),
        others.of_owner(OWNER),
        others.in_namespace("shop"),
        others.since(NOON - HOUR),
    ):
        assert ids(seen) == [other.id]
    assert ids(others.of_target(own.plan.target.key)) == []


def test_of_two_that_wait_to_start_exactly_one_gives_way() -> None:
    """Each seeing the other as active, both would be refused for ever."""
    first, second = a_run(minutes=0, state=RunState.APPROVED), a_run("checkout-2", minutes=1, state=RunState.APPROVED)
    past = a_past(first, second)
    assert ids(past.without(first.id).active()) == []
    assert ids(past.without(second.id).active()) == [first.id]


def test_a_run_that_has_begun_does_not_give_way_to_one_that_waits() -> None:
    waiting, begun = a_run(minutes=0, state=RunState.APPROVED), a_run("checkout-2", minutes=1, state=RunState.RUNNING)
    past = a_past(waiting, begun)
    assert ids(past.without(begun.id).active()) == []
    assert ids(past.without(waiting.id).active()) == [begun.id]


def test_after_a_day_a_run_is_forgotten_unless_it_is_still_active() -> None:
    old, active, new = a_run(minutes=-1500), a_run(minutes=-1500, state=RunState.VERIFYING), a_run()
    past = a_past(old, active, new)
    past.prune(NOON)
    assert set(ids(past.of_owner(OWNER))) == {active.id, new.id}


def test_what_a_past_run_says() -> None:
    plan = a_plan(steps=(a_step(harm=Harm.RESTORING), a_step("cordon", A_NODE)))
    place = Place(owner=OWNER, node="node-1", zone="a", pool="spot")
    past = past_of(a_stored_run(RunState.APPROVED, plan=plan, place=place))
    assert past is not None
    assert (past.action, past.harm, past.code) == ("delete-pod", Harm.HARMFUL, "pod-crash-loop")
    assert (past.owner, past.node, past.zone, past.pool, past.namespace) == (OWNER, "node-1", "a", "spot", "shop")


runs_anyhow = st.lists(st.tuples(st.integers(0, 5), st.integers(-600, 600), st.sampled_from(RunState)), max_size=30)


@given(runs_anyhow)
def test_however_runs_come_and_go_the_past_is_what_came_last(changes: list[tuple[int, int, RunState]]) -> None:
    past, last = Past(), dict[int, Run]()
    known = {number: uuid4() for number in range(6)}
    for number, minutes, state in changes:
        at = NOON + timedelta(minutes=minutes)
        run = a_stored_run(state, plan=a_plan(f"checkout-{number}"), id=known[number], at=at, started_at=at)
        if number not in last or last[number].updated_at <= run.updated_at:
            last[number] = run
        past.put(run)
    counted = [each for each in map(past_of, last.values()) if each is not None]
    newest = sorted(counted, key=lambda run: (run.started_at, run.id), reverse=True)
    assert list(past.in_namespace("shop")) == newest
    assert past.since(NOON - timedelta(days=1)) == newest


def test_a_pod_is_placed_by_its_owner_and_its_node() -> None:
    deployment = a_deployment("checkout")
    replica_set = a_replica_set("checkout-7d4b9c", owner=owned_by(deployment))
    pod = a_pod("checkout-1", owner=owned_by(replica_set), node="node-1")
    node = a_node("node-1", labels={"topology.kubernetes.io/zone": "a", "karpenter.sh/nodepool": "spot"})
    place = place_of(a_plan(), a_snapshot(deployment, replica_set, pod, node))
    assert place == Place(owner=deployment.key, node="node-1", zone="a", pool="spot")


def test_a_node_is_its_own_place() -> None:
    plan = a_plan(target=ObjectRef(kind="Node", name="node-1"), steps=(a_step("cordon", A_NODE),))
    assert place_of(plan, a_snapshot(NODE_ROW)).node == "node-1"


def test_of_what_is_gone_only_its_name_is_known() -> None:
    assert place_of(a_plan(), a_snapshot()) == Place(owner=ObjectKey("Pod", "shop", "checkout-1"))


def test_a_node_without_a_known_label_is_in_no_pool() -> None:
    assert pool_of(a_node("node-1", labels={})) == ""

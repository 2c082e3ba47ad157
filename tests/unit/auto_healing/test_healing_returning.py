"""When a leased change is over, and what is done about it then."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_lease, a_node, a_snapshot

from auto_healing.actions.action import Change
from auto_healing.actions.nodes.taints import OUT_OF_SERVICE, path_of
from auto_healing.leased import ChangeState, LeasedChange, RunBrief
from auto_healing.marks import CORDON_UNTIL, CORDONED_BY, CORDONED_FOR
from auto_healing.returning import Next, judge, lift_orphan, orphans, over
from auto_healing.run import RunState
from common.cluster.rows import NodeRow
from common.contracts import ObjectRef

RUN = UUID("01234567-89ab-cdef-0123-456789abcdef")
PAUSED = ("spec", "paused")
CORDON = ("spec", "unschedulable")
LATER, EARLIER = NOON + timedelta(hours=1), NOON - timedelta(hours=1)
ENDED = RunBrief(state=RunState.HEALED, by_hand=False)
BY_HAND = RunBrief(state=RunState.HEALED, by_hand=True)
RUNNING = RunBrief(state=RunState.RUNNING, by_hand=False)


def a_change(path: tuple[str, ...] = PAUSED, *, until: datetime = EARLIER, **overrides: Any) -> LeasedChange:
    target = ObjectRef(kind="Deployment", namespace="shop", name="web", uid="uid-web")
    if path != PAUSED:
        target = a_node().key.ref(a_node().uid)
    after = dict(OUT_OF_SERVICE) if "taints" in path else True
    values = {"target": target, "what": "paused", "path": path, "before": None, "after": after, "until": until}
    change = Change(**(values | overrides))
    return LeasedChange(id=uuid4(), run_id=RUN, change=change, made_at=EARLIER, state=ChangeState.HELD)


def a_live_object(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "uid": "uid-web", "resourceVersion": "7"}, "spec": spec}


@pytest.mark.parametrize(
    ("live", "next_", "patch"),
    [
        pytest.param(
            a_live_object(paused=True), Next.RESTORE, {"spec": {"paused": None}}, id="it is as it was left: back"
        ),
        pytest.param(a_live_object(), Next.FORGET, None, id="it is back already"),
        pytest.param(a_live_object(paused="maybe"), Next.CONFLICT, None, id="somebody edited it: left"),
        pytest.param(None, Next.GONE, None, id="the object is gone"),
    ],
)
def test_what_is_done_when_a_change_is_over(live: Any, next_: Next, patch: Any) -> None:
    verdict = judge(a_change(), live, [], "its time is over")
    assert (verdict.next, verdict.patch) == (next_, patch)
    assert verdict.reason


def test_a_change_that_another_one_goes_on_with_is_not_taken_back() -> None:
    due = a_change()
    verdict = judge(due, a_live_object(paused=True), [a_change(until=LATER)], "its time is over")
    assert (verdict.next, verdict.patch) == (Next.FORGET, None)
    other_object = a_change(until=LATER, target=replace(due.change.target, name="cart"))
    assert judge(due, a_live_object(paused=True), [other_object], "its time is over").next is Next.RESTORE


def test_a_conflict_names_what_is_there_and_what_was_written() -> None:
    verdict = judge(a_change(before=2, after=5, path=("spec", "replicas")), a_live_object(replicas=9), [], "")
    assert verdict.reason == "spec.replicas was edited since: it is 9 and not 5; it is left so"


def a_cordoned_node(*, causes: str = "Ready", **overrides: Any) -> NodeRow:
    annotations = {CORDONED_BY: f"{RUN}/0", CORDONED_FOR: causes, CORDON_UNTIL: LATER.isoformat()}
    return a_node(**({"unschedulable": True, "annotations": annotations} | overrides))


DARK = (a_condition("Ready", "Unknown"),)
JUST_WELL = (a_condition("Ready", changed_at=NOON - timedelta(minutes=1)),)


@pytest.mark.parametrize(
    ("held", "node", "runs", "why"),
    [
        pytest.param(a_change(until=NOON), a_node(), {}, "its time is over", id="its time has come"),
        pytest.param(a_change(until=LATER), a_node(), {}, "", id="its time has not come"),
        pytest.param(
            a_change(path_of(OUT_OF_SERVICE), until=LATER), a_node(), {}, "node-1 is back", id="the node is back"
        ),
        pytest.param(
            a_change(path_of(OUT_OF_SERVICE), until=LATER), a_node(conditions=DARK), {}, "", id="it is dark still"
        ),
        pytest.param(
            a_change(CORDON, until=LATER), a_node(), {RUN: ENDED}, "node-1 was uncordoned", id="it was uncordoned"
        ),
        pytest.param(a_change(CORDON, until=LATER), a_node(), {RUN: RUNNING}, "", id="its run is about to cordon it"),
        pytest.param(
            a_change(CORDON, until=LATER),
            a_cordoned_node(unschedulable=False),
            {RUN: ENDED},
            "",
            id="a person uncordoned it, and the marks keep us away",
        ),
        pytest.param(
            a_change(CORDON, until=LATER),
            a_cordoned_node(conditions=(a_condition("Ready"),)),
            {RUN: ENDED},
            "its cause is gone: Ready of node-1 has been good for 60 minutes",
            id="the cause is gone",
        ),
        pytest.param(
            a_change(CORDON, until=LATER), a_cordoned_node(conditions=JUST_WELL), {RUN: ENDED}, "", id="not for long"
        ),
        pytest.param(
            a_change(CORDON, until=LATER), a_cordoned_node(conditions=DARK), {RUN: ENDED}, "", id="the cause is there"
        ),
        pytest.param(
            a_change(CORDON, until=LATER), a_cordoned_node(causes=""), {RUN: ENDED}, "", id="nobody can see the cause"
        ),
        pytest.param(
            a_change(CORDON, until=LATER), a_cordoned_node(), {RUN: BY_HAND}, "", id="a person wanted it for its time"
        ),
        pytest.param(
            a_change(CORDON, until=LATER), a_cordoned_node(), {RUN: RUNNING}, "", id="its run is still at work"
        ),
        pytest.param(
            a_change(CORDON, until=LATER), a_node(uid="another"), {RUN: ENDED}, "", id="another life of the node"
        ),
    ],
)
def test_when_a_change_is_over(held: LeasedChange, node: NodeRow, runs: Mapping[UUID, RunBrief], why: str) -> None:
    assert over(held, a_snapshot(node), runs, NOON) == why


@pytest.mark.parametrize(
    ("age", "lifted"),
    [
        pytest.param(10, True, id="its kubelet is heard of"),
        pytest.param(60, False, id="its Lease is not renewed, whatever its conditions say"),
    ],
)
def test_a_cordon_is_lifted_from_a_node_whose_lease_is_renewed(age: int, lifted: bool) -> None:
    node = a_cordoned_node(conditions=(a_condition("Ready"),))
    seen = a_snapshot(node, a_lease(node.name, renewed_at=NOON - timedelta(seconds=age)))
    assert bool(over(a_change(CORDON, until=LATER), seen, {RUN: ENDED}, NOON)) is lifted
    assert bool(lift_orphan(node, seen, NOON)) is lifted
    assert over(a_change(CORDON, until=NOON), seen, {RUN: ENDED}, NOON) == "its time is over"


@pytest.mark.parametrize(
    ("node", "held", "runs", "found"),
    [
        pytest.param(a_cordoned_node(), [], {}, True, id="its run has vanished"),
        pytest.param(a_cordoned_node(), [], {RUN: ENDED}, True, id="its run has ended without a lease"),
        pytest.param(a_cordoned_node(), [], {RUN: RUNNING}, False, id="its run is at work"),
        pytest.param(a_cordoned_node(), [a_change(CORDON)], {RUN: ENDED}, False, id="its lease will lift it"),
        pytest.param(a_cordoned_node(annotations={}), [], {}, False, id="a human's is none"),
        pytest.param(a_node(), [], {}, False, id="a node that is not cordoned"),
    ],
)
def test_which_cordons_are_orphaned(
    node: NodeRow, held: list[LeasedChange], runs: Mapping[UUID, RunBrief], found: bool
) -> None:
    assert bool(orphans([node], held, runs)) is found


@pytest.mark.parametrize(
    ("node", "why"),
    [
        pytest.param(a_cordoned_node(), "its cause is gone", id="well for long enough"),
        pytest.param(a_cordoned_node(conditions=DARK), "", id="still sick: only reported"),
        pytest.param(
            a_cordoned_node(annotations={CORDONED_BY: "x", CORDON_UNTIL: EARLIER.isoformat()}),
            "its time is over",
            id="past what it says itself",
        ),
        pytest.param(a_cordoned_node(annotations={CORDONED_BY: "x"}), "", id="somebody took its end off: left to them"),
    ],
)
def test_when_an_orphan_is_lifted(node: NodeRow, why: str) -> None:
    lifted = lift_orphan(node, a_snapshot(node), NOON)
    assert why in lifted if why else lifted == ""

"""What actions on nodes would do, and why they refuse; found without any write."""

from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import (
    APP,
    a_condition,
    a_daemon_set,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_snapshot,
    a_stateful_set,
    owned_by,
)

from auto_healing.actions.action import Action, Preview
from auto_healing.actions.nodes import NODE_ACTIONS
from auto_healing.marks import CORDON_UNTIL, CORDONED_BY, DRAIN_WAIT, FENCED
from common.cluster.rows import NodeRow, PodRow, Row

ACTIONS = {action.code: action for action in NODE_ACTIONS}
OURS = {CORDONED_BY: "01234567-89ab-cdef-0123-456789abcdef/0", CORDON_UNTIL: "2026-03-01T16:00:00+00:00"}
DARK = (a_condition("Ready", "Unknown", reason="NodeStatusUnknown"),)


def seen(code: str, target: Row, *others: Row, **parameters: Any) -> Preview:
    action: Action = ACTIONS[code]
    return action.preview(target, a_snapshot(target, *others), parameters, NOON)


def a_served_pod(name: str = "web", **overrides: Any) -> PodRow:
    return a_pod(name, owner=owned_by(a_replica_set()), **overrides)


@pytest.mark.parametrize(
    ("code", "node", "refusal"),
    [
        pytest.param("cordon", a_node(), "", id="a node is cordoned"),
        pytest.param("cordon", a_node(unschedulable=True, annotations=OURS), "", id="one of ours may stay so"),
        pytest.param("cordon", a_node(unschedulable=True), "what another one cordoned", id="a human's is left alone"),
        pytest.param("drain", a_node(unschedulable=True), "what another one cordoned", id="and is not drained"),
        pytest.param("uncordon", a_node(), "is not cordoned", id="nothing to uncordon"),
        pytest.param("uncordon", a_node(unschedulable=True, annotations=OURS), "", id="ours is lifted"),
        pytest.param("uncordon", a_node(unschedulable=True), "take_over", id="a human's takes a person"),
        pytest.param("reschedule-from-node", a_node(), "drain the node instead", id="a node that answers is drained"),
        pytest.param(
            "reschedule-from-node", a_node(conditions=DARK), "has no pod", id="a silent one without pods is not"
        ),
    ],
)
def test_whose_node_an_action_may_touch(code: str, node: NodeRow, refusal: str) -> None:
    found = seen(code, node)
    assert (refusal in found.refusal) if refusal else not found.refusal
    assert bool(found.changes) is not bool(refusal)


def test_a_human_may_lift_a_humans_cordon() -> None:
    assert not seen("uncordon", a_node(unschedulable=True), take_over=True).refusal


@pytest.mark.parametrize(
    ("others", "parameters", "refusal"),
    [
        pytest.param([a_served_pod()], {}, "", id="pods that are made anew"),
        pytest.param([a_pod("bare")], {}, "no controller would make shop/bare anew", id="a pod that is not"),
        pytest.param([a_pod("bare")], {"bare_pods": "evict"}, "", id="unless it may be lost"),
        pytest.param([a_pod("bare", phase="Succeeded")], {}, "", id="a bare one that has finished is no matter"),
        pytest.param(
            [a_served_pod(), a_pdb("one"), a_pdb("two")],
            {},
            "shop/web can never be evicted, since several PDBs select it: one, two",
            id="a pod that no eviction takes away",
        ),
        pytest.param([a_served_pod(), a_pdb("one", disruptions_allowed=0)], {}, "", id="one that has to wait"),
        pytest.param(
            [a_served_pod(labels=APP | {DRAIN_WAIT: "wait"}), a_pdb("one"), a_pdb("two")],
            {},
            "",
            id="one that ends by itself needs no eviction",
        ),
        pytest.param([], {"while_conditions": "DiskPressure"}, "has recovered already", id="the cause is gone"),
        pytest.param([], {"while_conditions": "DiskPressure", "go_on_when_well": True}, "", id="which may not matter"),
    ],
)
def test_what_a_drain_refuses(others: list[Row], parameters: dict[str, Any], refusal: str) -> None:
    found = seen("drain", a_node(), *others, **parameters)
    assert (refusal in found.refusal) if refusal else not found.refusal


def test_a_drain_tells_who_leaves_and_what_it_waits_for() -> None:
    pods = [
        a_served_pod("web"),
        a_served_pod("db", claims=("data",)),
        a_served_pod("batch", labels={DRAIN_WAIT: "wait"}),
        a_pod("agent", owner=owned_by(a_daemon_set()), labels={}),
        a_served_pod("elsewhere", node="node-2"),
    ]
    found = seen("drain", a_node(), *pods, a_pdb("budget", disruptions_allowed=0))
    assert [pod.name for pod in found.displaced] == ["batch", "web", "db"]
    assert found.changes == (
        "node-1 is cordoned",
        "3 pods leave in 2 waves",
        "waits for shop/batch to end",
        "waits for PDBs that allow nothing now: shop/budget",
        "1 pods stay: of DaemonSets, static, finished, or skipped by their label",
    )
    assert found.expected_seconds == pytest.approx(72)


OTHER = a_node("node-2")


@pytest.mark.parametrize(
    ("pod", "others", "refusal"),
    [
        pytest.param(a_served_pod(), [OTHER], "", id="a pod that is made anew"),
        pytest.param(a_served_pod(node=""), [OTHER], "runs on no node", id="one that is not placed"),
        pytest.param(a_served_pod(deleted_at=NOON), [OTHER], "being deleted already", id="one that is going"),
        pytest.param(a_served_pod(phase="Failed"), [OTHER], "has finished", id="one that has failed"),
        pytest.param(a_pod(), [OTHER], "no controller", id="one that nobody makes anew"),
        pytest.param(a_pod(mirror=True), [OTHER], "static", id="a static one"),
        pytest.param(a_pod(owner=owned_by(a_daemon_set())), [OTHER], "DaemonSet", id="one of every node"),
        pytest.param(a_served_pod(), [], "no other node", id="one with nowhere to go"),
        pytest.param(
            a_served_pod(), [a_node("node-2", unschedulable=True)], "no other node", id="a cordoned node is no place"
        ),
    ],
)
def test_which_pod_can_be_moved(pod: PodRow, others: list[Row], refusal: str) -> None:
    found = seen("move-pod", pod, a_node(), *others)
    assert (refusal in found.refusal) if refusal else [each.name for each in found.displaced] == [pod.name]


def test_pods_with_an_identity_wait_for_proof() -> None:
    node = a_node(conditions=DARK)
    pods = [a_served_pod("web"), a_pod("db-0", owner=owned_by(a_stateful_set()))]
    found = seen("reschedule-from-node", node, *pods)
    assert sorted(pod.name for pod in found.displaced) == ["db-0", "web"]
    assert found.changes[1] == "only when a person approves, as nothing proves that node-1 is off: shop/db-0"
    fenced = seen("reschedule-from-node", a_node(conditions=DARK, annotations={FENCED: "Kim"}), *pods)
    assert "gets the out-of-service taint, since an operator says so: Kim" in fenced.changes[1]


@pytest.mark.parametrize(
    ("code", "parameters", "mistake"),
    [
        pytest.param(
            "cordon", {"lease_minute": 5}, "there is no parameter lease_minute; there is: lease_minutes", id="a slip"
        ),
        pytest.param("cordon", {"lease_minutes": 0}, "from 1 to 10080, not 0", id="no time at all"),
        pytest.param("cordon", {"lease_minutes": True}, "whole number", id="not a number"),
        pytest.param("drain", {"parallel": 101}, "from 1 to 100", id="too many at a time"),
        pytest.param("drain", {"bare_pods": "keep"}, "one of refuse, evict, not 'keep'", id="not a choice"),
        pytest.param("drain", {"while_conditions": 7}, "words with commas", id="not words"),
        pytest.param("uncordon", {"take_over": "yes"}, "true or false", id="not yes or no"),
    ],
)
def test_a_wrong_parameter_says_what_is_right(code: str, parameters: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ValueError, match=mistake):
        seen(code, a_node(), **parameters)


@pytest.mark.parametrize("action", NODE_ACTIONS, ids=lambda action: action.code)
def test_an_action_is_for_its_kinds_only(action: Action) -> None:
    wrong = a_node() if "Pod" in action.kinds else a_pod()
    with pytest.raises(ValueError, match="this is for a"):
        action.preview(wrong, a_snapshot(wrong), {}, NOON)

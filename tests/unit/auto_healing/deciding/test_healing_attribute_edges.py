"""Whose fault it is where there is little to compare with, or what there was is gone, and what had changed before."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_faults import LONG_AGO, a_finding, a_revision, a_workload, crash_loops, crashing, nodes
from tests.support.rows import a_condition, a_daemon_set, a_node, a_pod, a_snapshot, a_stateful_set, owned_by

from auto_healing.attribute import attribute
from auto_healing.fault import Fault, FaultLevel
from auto_healing.policy.settings import Attribution
from common.cluster.rows import OwnerRef, Row
from common.contracts import Finding

Blamed = list[tuple[FaultLevel, str]]
SOON = timedelta(minutes=5)


def blamed(findings: Sequence[Finding], rows: Sequence[Row], **settings: Any) -> Blamed:
    faults = attribute(findings, a_snapshot(*rows), Attribution(**settings))
    return [(fault.level, fault.subject.name) for fault in faults]


def only(findings: Sequence[Finding], rows: Sequence[Row]) -> Fault:
    (fault,) = attribute(findings, a_snapshot(*rows))
    return fault


def workloads(names: str, on: Sequence[str], failing: Sequence[str]) -> list[Row]:
    return [row for name in names for row in a_workload(name, on, failing=failing)]


def agents(names: str, on: Sequence[str], failing: Sequence[str]) -> list[Row]:
    """DaemonSets, and their pods."""
    made = [a_daemon_set(name) for name in names]
    pods = [
        a_pod(f"{agent.name}-{node}", node=node, owner=owned_by(agent), **(crashing() if node in failing else {}))
        for agent in made
        for node in on
    ]
    return [*made, *pods]


def orphans(owner: OwnerRef | None) -> list[Row]:
    return [a_pod(f"{name}-n1", owner=owner, mirror=owner is not None, **crashing(node="n1")) for name in "abc"]


CONTROL = a_node("c1", labels={"node-role.kubernetes.io/control-plane": ""})
PODS = [(FaultLevel.POD, f"{name}-7d4b9c-n1") for name in "abc"]
EDGES: dict[str, tuple[list[Row], Blamed]] = {
    "the only node of a cluster is not to blame: there is nothing to compare it with": (
        [*nodes("n1"), *workloads("abc", ["n1"], ["n1"])],
        PODS,
    ),
    "nor is the only one that takes workloads, beside a control plane": (
        [CONTROL, *nodes("n1"), *workloads("abc", ["n1"], ["n1"])],
        PODS,
    ),
    "nor are both of two nodes": (
        [*nodes("n1", "n2"), *workloads("abc", ["n1"], ["n1"]), *workloads("def", ["n2"], ["n2"])],
        [*PODS, *((FaultLevel.POD, f"{name}-7d4b9c-n2") for name in "def")],
    ),
    "one of two nodes is": (
        [*nodes("n1", "n2"), *workloads("abc", ["n1", "n2"], ["n1"])],
        [(FaultLevel.NODE, "n1")],
    ),
    "as many do well as fail: still the node's, where all that fail are on it": (
        [*nodes("n1", "n2", "n3"), *workloads("abc", ["n1", "n2"], ["n1"]), *workloads("def", ["n1", "n3"], [])],
        [(FaultLevel.NODE, "n1")],
    ),
    "a workload fails on two nodes and does well on two: a tie is the workload's": (
        [*nodes("n1", "n2", "n3", "n4"), *workloads("a", ["n1", "n2", "n3", "n4"], ["n1", "n2"])],
        [(FaultLevel.WORKLOAD, "a")],
    ),
    "agents that fail on every node are each to blame, and no node": (
        [*nodes("n1", "n2", "n3"), *agents("abc", ["n1", "n2", "n3"], ["n1", "n2", "n3"])],
        [(FaultLevel.WORKLOAD, name) for name in "abc"],
    ),
    "agents that fail on one node and do well on the others: the node's": (
        [*nodes("n1", "n2", "n3"), *agents("abc", ["n1", "n2", "n3"], ["n1"])],
        [(FaultLevel.NODE, "n1")],
    ),
    "all pods of one workload are on one node, and fail: the workload's": (
        [
            *nodes("n1", "n2"),
            *(crowded := workloads("a", ["n1"], ["n1"])),
            *(a_pod(f"a-7d4b9c-{each}", owner=owned_by(crowded[1]), **crashing(node="n1")) for each in "xy"),
        ],
        [(FaultLevel.WORKLOAD, "a")],
    ),
    "static pods tell of themselves": (
        [*nodes("n1", "n2"), *orphans(OwnerRef(kind="Node", name="n1", uid="n1"))],
        [(FaultLevel.POD, f"{name}-n1") for name in "abc"],
    ),
    "pods without an owner tell of themselves": (
        [*nodes("n1", "n2"), *orphans(None)],
        [(FaultLevel.POD, f"{name}-n1") for name in "abc"],
    ),
    "but what the node does to workloads it does to them too": (
        [*nodes("n1", "n2"), *workloads("def", ["n1", "n2"], ["n1"]), *orphans(None)],
        [(FaultLevel.NODE, "n1")],
    ),
    "a node that is gone is not to blame for the pods that are left of it": (
        [*nodes("n2", "n3"), *workloads("abc", ["n1", "n2"], ["n1"])],
        PODS,
    ),
}


@pytest.mark.parametrize(("rows", "expected"), EDGES.values(), ids=EDGES)
def test_little_to_compare_with(rows: list[Row], expected: Blamed) -> None:
    assert blamed(crash_loops(rows), rows) == expected


def test_more_nodes_asked_for_than_there_are() -> None:
    rows = [*nodes("n1", "n2", "n3"), *workloads("abc", ["n1", "n2", "n3"], ["n1", "n2", "n3"])]
    expected = [(FaultLevel.WORKLOAD, name) for name in "abc"]
    assert blamed(crash_loops(rows), rows, workload_nodes=1000) == expected


def test_what_a_node_that_is_gone_had_said_of_itself_is_still_its_own() -> None:
    rows = workloads("a", ["n1", "n2"], ["n1"])
    gone = a_finding(a_node("n1"), "node-unknown")
    assert blamed([gone, *crash_loops(rows)], [*nodes("n2"), *rows]) == [(FaultLevel.NODE, "n1")]


ZONES: dict[str, tuple[list[Row], Blamed]] = {
    "nodes without a zone are no zone": (
        nodes("n1", "n2", "n3", zone=""),
        [(FaultLevel.NODE, name) for name in ("n1", "n2", "n3")],
    ),
    "all of a small zone": (nodes("n1", "n2"), [(FaultLevel.ZONE, "zone-a")]),
    "the one node of a zone": (nodes("n1"), [(FaultLevel.NODE, "n1")]),
}


@pytest.mark.parametrize(("down", "expected"), ZONES.values(), ids=ZONES)
def test_all_of_these_are_down_and_another_zone_is_up(down: list[Row], expected: Blamed) -> None:
    rows = [*down, *nodes("m1", "m2", zone="zone-m")]
    assert blamed([a_finding(node, "node-unknown") for node in down], rows) == expected


def test_both_nodes_of_a_cluster_of_one_zone_are_nodes() -> None:
    both = nodes("n1", "n2")
    expected = [(FaultLevel.NODE, "n1"), (FaultLevel.NODE, "n2")]
    assert blamed([a_finding(node, "node-not-ready") for node in both], both) == expected


# --- what its pods name is not there


def missing(pod: Row, what: str = 'configmap "settings" not found') -> Finding:
    reason = "CreateContainerConfigError"
    message = f"container app cannot be started ({reason}): {what}"
    return a_finding(pod, "pod-config-error", message=message, evidence={"container": "app", "reason": reason})


def test_what_is_missed_is_told_once_and_blames_no_node() -> None:
    rows = [*nodes("n1", "n2"), *workloads("abc", ["n1"], ["n1"])]
    findings = [missing(row) for row in rows if row.kind == "Pod"]
    assert blamed(findings, rows) == [(FaultLevel.CONFIGURATION, name) for name in "abc"]


def test_a_workload_that_names_what_is_not_there() -> None:
    rows = [*nodes("n1", "n2", "n3"), *workloads("a", ["n1", "n2", "n3"], ["n1", "n2"])]
    pods = [row for row in rows if row.kind == "Pod"]
    fault = only([missing(pods[0]), missing(pods[1]), a_finding(rows[3], "deployment-unavailable")], rows)
    assert (fault.level, fault.subject.name) == (FaultLevel.CONFIGURATION, "a")
    assert 'configmap "settings" not found' in fault.evidence[1]
    assert fault.evidence[2].startswith("1 of its pods do well")


def test_a_new_revision_that_names_what_is_not_there_is_to_blame_itself() -> None:
    rows = [*nodes("n1", "n2", "n4"), *workloads("a", ["n1", "n2"], [])]
    rows += a_revision(rows[3], ["n4"], failing=["n4"], revision="bad", number=2, since=LONG_AGO)
    fault = only([missing(rows[-1])], rows)
    assert (fault.level, fault.revision) == (FaultLevel.REVISION, "bad")


def test_a_command_that_cannot_be_started_is_no_missing_configuration() -> None:
    rows = [*nodes("n1", "n2"), *workloads("a", ["n1", "n2"], ["n1"])]
    finding = a_finding(rows[4], "pod-config-error", evidence={"reason": "RunContainerError"})
    assert blamed([finding], rows) == [(FaultLevel.POD, "a-7d4b9c-n1")]


# --- what had changed


def a_database(**overrides: Any) -> list[Row]:
    owner = a_stateful_set("db", **({"revision": "db-new", "current_revision": "db-old"} | overrides))
    labels = {"controller-revision-hash": "db-new"}
    return [*nodes("n1", "n2"), owner, a_pod("db-0", owner=owned_by(owner), labels=labels, **crashing(node="n1"))]


@pytest.mark.parametrize(
    ("overrides", "level"),
    [
        pytest.param({}, FaultLevel.REVISION, id="it was never ready everywhere"),
        pytest.param({"current_revision": "db-new"}, FaultLevel.POD, id="it was, once"),
        pytest.param({"partition": 1}, FaultLevel.POD, id="two revisions stand side by side on purpose"),
        pytest.param({"strategy": "OnDelete"}, FaultLevel.POD, id="nobody counts what is ready"),
    ],
)
def test_the_only_pod_of_a_stateful_set_fails_at_its_newest_revision(
    overrides: dict[str, Any], level: FaultLevel
) -> None:
    rows = a_database(**overrides)
    assert only(crash_loops(rows), rows).level is level


@pytest.mark.parametrize(
    ("made_before", "says"),
    [
        pytest.param(timedelta(days=3), "no rollout came before: its revision was made 3 days earlier", id="long ago"),
        pytest.param(SOON, "it began 5 minutes after that revision was made", id="just before"),
    ],
)
def test_what_a_workload_is_told_of_its_rollout(made_before: timedelta, says: str) -> None:
    made = a_workload("a", ["n1", "n2"], failing=["n1", "n2"], number=2, since=LONG_AGO - made_before)
    rows = [*nodes("n1", "n2"), *made]
    assert any(sentence.startswith(says) for sentence in only(crash_loops(rows), rows).evidence)


CAME_BACK = (a_condition("Ready", changed_at=LONG_AGO - SOON),)


@pytest.mark.parametrize(
    ("changed", "says", "confidence"),
    [
        pytest.param({}, "", 0.6, id="nothing"),
        pytest.param({"created_at": LONG_AGO - SOON}, "n1 joined the cluster 5 minutes before that", 0.75, id="joined"),
        pytest.param({"conditions": CAME_BACK}, "n1 became ready 5 minutes before that", 0.75, id="came back"),
        pytest.param({"created_at": LONG_AGO + SOON}, "", 0.6, id="joined since: it cannot be why"),
    ],
)
def test_what_had_changed_about_a_node(changed: dict[str, Any], says: str, confidence: float) -> None:
    node = a_node("n1", **({"created_at": NOON - timedelta(days=9)} | changed))
    rows = [node, *nodes("n2", "n3"), *workloads("abc", ["n1"], ["n1"])]
    fault = only(crash_loops(rows), rows)
    assert (fault.level, fault.confidence) == (FaultLevel.NODE, confidence)
    assert (says in fault.evidence) is bool(says)

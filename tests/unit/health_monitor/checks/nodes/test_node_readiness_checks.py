"""Is the node there: not ready, unknown, its heartbeat, flapping."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_lease, a_node, a_snapshot

from common.cluster.rows import NodeRow, Taint
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store
from common.contracts import Severity
from health_monitor.checks.check import Symptom
from health_monitor.checks.nodes import node_flapping, node_lease_stale, node_not_ready, node_unknown

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def ready(status: str, *, changed_at: datetime = NOON - 5 * MINUTE, **fields: Any) -> NodeRow:
    return a_node(conditions=(a_condition("Ready", status, changed_at=changed_at, **fields),))


def run(module: Any, node: NodeRow, snapshot: Store | None = None) -> list[Symptom]:
    return list(module.CHECK.run(node, snapshot or a_snapshot(node), module.CHECK.thresholds, NOON))


def test_a_healthy_node_has_none_of_these() -> None:
    node = a_node()
    snapshot = a_snapshot(node)
    for module in (node_not_ready, node_unknown, node_lease_stale, node_flapping):
        assert run(module, node, snapshot) == []


def test_a_kubelet_that_says_not_ready_is_quoted() -> None:
    (symptom,) = run(node_not_ready, ready("False", reason="KubeletNotReady", message="container runtime is down"))
    assert symptom.message == "The kubelet reports the node as not ready (KubeletNotReady): container runtime is down"
    assert symptom.since == NOON - 5 * MINUTE
    assert symptom.after == 10 * SECOND
    assert symptom.evidence["reason"] == "KubeletNotReady"


@pytest.mark.parametrize(
    ("created_at", "after"),
    [
        pytest.param(NOON - 5 * MINUTE - SECOND, 10 * MINUTE, id="never ready since it registered: it may be starting"),
        pytest.param(NOON - 6 * MINUTE, 10 * SECOND, id="was ready for a minute before"),
        pytest.param(None, 10 * SECOND, id="age unknown"),
    ],
)
def test_a_new_node_is_given_time_to_become_ready(created_at: datetime | None, after: timedelta) -> None:
    node = a_node(created_at=created_at, conditions=(a_condition("Ready", "False", changed_at=NOON - 5 * MINUTE),))
    (symptom,) = run(node_not_ready, node)
    assert symptom.after == after


@pytest.mark.parametrize(
    ("status", "not_ready", "unknown"),
    [
        pytest.param("True", 0, 0, id="ready"),
        pytest.param("False", 1, 0, id="the kubelet says no"),
        pytest.param("Unknown", 0, 1, id="the kubelet says nothing"),
    ],
)
def test_not_ready_and_unknown_are_told_apart(status: str, not_ready: int, unknown: int) -> None:
    assert len(run(node_not_ready, ready(status))) == not_ready
    assert len(run(node_unknown, ready(status))) == unknown


def test_a_silent_node_is_told_at_once() -> None:
    (symptom,) = run(node_unknown, ready("Unknown", reason="NodeStatusUnknown"))
    assert "stopped reporting (NodeStatusUnknown)" in symptom.message
    assert (symptom.since, symptom.after) == (NOON - 5 * MINUTE, timedelta(0))


def test_a_node_whose_kubelet_never_came_is_told_after_its_start_up_time() -> None:
    node = a_node(conditions=(), created_at=NOON - MINUTE)
    (symptom,) = run(node_unknown, node)
    assert "never reported" in symptom.message
    assert (symptom.since, symptom.after) == (NOON - MINUTE, 10 * MINUTE)


TO_BE_DELETED = Taint(key="ToBeDeletedByClusterAutoscaler", effect="NoSchedule")


@pytest.mark.parametrize(
    "going",
    [
        pytest.param({"deleted_at": NOON}, id="being deleted"),
        pytest.param({"taints": (TO_BE_DELETED,)}, id="removed by the cluster autoscaler"),
        pytest.param({"taints": (Taint(key="karpenter.sh/disrupted", effect="NoSchedule"),)}, id="by Karpenter"),
    ],
)
def test_a_node_on_its_way_out_is_given_time_to_go(going: dict[str, Any]) -> None:
    for module, status in ((node_not_ready, "False"), (node_unknown, "Unknown")):
        (symptom,) = run(module, a_node(conditions=(a_condition("Ready", status),), **going))
        assert symptom.after == 15 * MINUTE
    node = a_node(**going)
    assert run(node_lease_stale, node, a_snapshot(node, a_lease())) == []


# --- the heartbeat


def test_a_lease_becomes_stale_40_s_after_its_last_renewal() -> None:
    node = a_node()
    (symptom,) = run(node_lease_stale, node, a_snapshot(node, a_lease(renewed_at=NOON - 30 * SECOND)))
    assert (symptom.since, symptom.after) == (NOON - 30 * SECOND, 40 * SECOND)
    assert "not renewed any more" in symptom.message


@pytest.mark.parametrize(
    ("node", "lease", "lease_source"),
    [
        pytest.param(ready("Unknown"), a_lease(), SourceState.SYNCED, id="the node says itself that it is not there"),
        pytest.param(a_node(), a_lease(renewed_at=None), SourceState.SYNCED, id="a lease that was never renewed"),
        pytest.param(a_node(), a_lease("node-2"), SourceState.SYNCED, id="no lease of its own"),
        pytest.param(a_node(), a_lease(), SourceState.STALE, id="we do not hear of leases any more"),
        pytest.param(a_node(), a_lease(), SourceState.UNSEEN, id="we may not see leases"),
    ],
)
def test_a_lease_says_nothing_when(node: NodeRow, lease: Any, lease_source: SourceState) -> None:
    assert run(node_lease_stale, node, a_snapshot(node, lease, sources={"Lease": lease_source})) == []


def test_a_clock_that_is_wrong_does_not_make_a_lease_stale() -> None:
    node = a_node()
    snapshot = a_store_at(NOON, node, a_lease(renewed_at=NOON - 70 * SECOND))
    snapshot.apply(a_lease(renewed_at=NOON - 60 * SECOND, resource_version="2"))
    (symptom,) = run(node_lease_stale, node, snapshot)
    assert symptom.since == NOON, "it arrived just now, whatever the node's clock says"


def a_store_at(now: datetime, *rows: Any) -> Store:
    """A store whose clock stands still, with every source synced."""
    store = Store(now=lambda: now)
    for kind in list(store.sources):
        store.set_source(Source(kind=kind, state=SourceState.SYNCED, heard_at=now))
    for row in rows:
        store.apply(row)
    return store


# --- flapping


def flapped(*minutes_ago: int) -> tuple[NodeRow, Store]:
    """A node whose readiness changed at these times, oldest first."""
    node = ready("True", changed_at=NOON - timedelta(hours=1))
    snapshot = a_snapshot(node)
    for version, minutes in enumerate(minutes_ago, start=2):
        condition = a_condition("Ready", "False" if version % 2 == 0 else "True", changed_at=NOON - minutes * MINUTE)
        node = a_node(conditions=(condition,), resource_version=str(version))
        snapshot.apply(node)
    return node, snapshot


@pytest.mark.parametrize(
    ("minutes_ago", "count"),
    [
        pytest.param((), 0, id="it never changed"),
        pytest.param((10, 5), 0, id="down and up again is no flapping"),
        pytest.param((14, 10, 5), 3, id="three changes within the window"),
        pytest.param((15, 10, 5), 0, id="the first of three is too old"),
        pytest.param((90, 80, 9, 8, 7, 6), 4, id="old changes do not count"),
        pytest.param(tuple(range(40, 0, -1)), 14, id="many changes"),
    ],
)
def test_flapping_counts_changes_within_the_window(minutes_ago: tuple[int, ...], count: int) -> None:
    symptoms = run(node_flapping, *flapped(*minutes_ago))
    assert [symptom.evidence["changes"] for symptom in symptoms] == ([count] if count else [])


def test_flapping_is_looked_at_again_since_time_alone_ends_it() -> None:
    assert node_flapping.CHECK.look_again is not None


def test_severities_follow_what_users_lose() -> None:
    assert node_not_ready.CHECK.severity is Severity.CRITICAL
    assert node_unknown.CHECK.severity is Severity.CRITICAL
    assert node_lease_stale.CHECK.severity is Severity.WARNING

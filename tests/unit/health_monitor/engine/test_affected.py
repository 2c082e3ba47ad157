"""What a change touches, through the checks that there are."""

from typing import Any

import pytest
from tests.support.rows import (
    APP,
    a_claim,
    a_condition,
    a_daemon_set,
    a_deployment,
    a_lease,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_snapshot,
    a_warning,
    an_endpoint_slice,
    owned_by,
)

from common.cluster.changes import RowChange
from common.cluster.rows import Row
from common.contracts import ObjectKey
from common.contracts.objects import CLUSTER, ZONE
from health_monitor.checks import CHECKS
from health_monitor.engine.affected import affected, readers_of

READERS = readers_of(CHECKS)
DEPLOYMENT = a_deployment()
REPLICA_SET = a_replica_set(owner=owned_by(DEPLOYMENT))
POD = a_pod("one", owner=owned_by(REPLICA_SET), claims=("data",))
FIRST = a_pdb("first", selector={"app": "cart"})
CART = a_pod("cart", labels={"app": "cart"}, node="node-3")
SNAPSHOT = a_snapshot(FIRST, CART, DEPLOYMENT, REPLICA_SET, POD, a_node("node-1"), a_node("node-2"), a_daemon_set())

NODE_1, NODE_2 = ObjectKey("Node", "", "node-1"), ObjectKey("Node", "", "node-2")
CLUSTER_KEY, ZONE_A, ZONE_B = ObjectKey(CLUSTER, "", ""), ObjectKey(ZONE, "", "zone-a"), ObjectKey(ZONE, "", "zone-b")
DATA = ObjectKey("PersistentVolumeClaim", "shop", "data")
NOT_READY = (a_condition("Ready", "False", reason="KubeletNotReady"),)
HEARTBEAT = tuple(a_condition(c.type, c.status, reason=c.reason, changed_at=c.changed_at) for c in a_node().conditions)


def a_change(before: Row | None, after: Row | None) -> RowChange:
    row = after or before
    assert row is not None
    return RowChange(kind=row.kind, key=row.key, before=before, after=after)


def a_usage_change(kind: str, key: ObjectKey) -> RowChange:
    return RowChange(kind=kind, key=key)


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        pytest.param(a_change(a_lease("node-1"), a_lease("node-1")), {NODE_1}, id="a Lease touches its node"),
        pytest.param(a_usage_change("NodeUsage", NODE_1), {NODE_1}, id="usage of a node touches the node"),
        pytest.param(a_usage_change("PodUsage", POD.key), {POD.key}, id="usage of a pod touches the pod"),
        pytest.param(a_change(None, a_warning(POD)), {POD.key}, id="a warning touches what it is about"),
        pytest.param(
            a_change(None, a_warning(a_claim("data"))),
            {DATA},
            id="a warning touches a claim that waits",
        ),
        pytest.param(a_change(None, a_warning(DEPLOYMENT)), set(), id="no check reads warnings about Deployments"),
        pytest.param(
            a_change(None, an_endpoint_slice("checkout")),
            {ObjectKey("Service", "shop", "checkout")},
            id="endpoints touch their Service",
        ),
        pytest.param(a_change(POD, POD), {NODE_1, DATA}, id="a pod touches its node and its claims"),
        pytest.param(
            a_change(a_pod("one"), a_pod("one", node="node-2")),
            {NODE_1, NODE_2},
            id="a pod that moved: both nodes",
        ),
        pytest.param(
            a_change(a_pod("one", node=""), a_pod("one")),
            {NODE_1, CLUSTER_KEY},
            id="a pod that waited: the cluster",
        ),
        pytest.param(
            a_change(a_node("node-1"), a_node("node-1", conditions=NOT_READY)),
            {POD.key, ZONE_A, CLUSTER_KEY, a_daemon_set().key},
            id="readiness of a node touches its pods, its zone, the cluster and what runs on every node",
        ),
        pytest.param(
            a_change(a_node("node-1"), a_node("node-1", conditions=HEARTBEAT)),
            set(),
            id="a heartbeat: nothing",
        ),
        pytest.param(
            a_change(a_node("node-1"), a_node("node-1", zone="zone-b")),
            {POD.key, ZONE_A, ZONE_B, CLUSTER_KEY},
            id="a node that changed its zone touches both zones",
        ),
        pytest.param(
            a_change(a_node("node-1"), None),
            {POD.key, ZONE_A, CLUSTER_KEY, a_daemon_set().key},
            id="so does one that went",
        ),
        pytest.param(
            a_change(None, a_pdb()), {DEPLOYMENT.key}, id="a budget touches the owners of the pods that it selects"
        ),
        pytest.param(
            a_change(a_pdb(), a_pdb(selector={"app": "other"})), {DEPLOYMENT.key}, id="and of those that it selected"
        ),
        pytest.param(
            a_change(None, a_pdb("second", selector={"app": "cart"})), {FIRST.key}, id="and other budgets of those pods"
        ),
        pytest.param(a_change(a_pdb(), a_pdb(current_healthy=1)), set(), id="the status of a budget touches nothing"),
        pytest.param(a_change(a_deployment(), a_deployment(labels=APP)), set(), id="a Deployment touches only itself"),
    ],
)
def test_a_change_touches(change: RowChange, touched: set[ObjectKey]) -> None:
    assert set(affected(change, SNAPSHOT, READERS)) == touched


def test_kinds_that_no_check_reads_touch_nothing() -> None:
    readers: Any = {}
    assert list(affected(a_change(POD, POD), SNAPSHOT, readers)) == []

"""Where objects count: which workload a pod belongs to, and what lies in which family."""

import pytest
from tests.support.rows import (
    a_claim,
    a_cron_job,
    a_deployment,
    a_job,
    a_lease,
    a_namespace,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_service,
    a_snapshot,
    a_volume,
    an_hpa,
    owned_by,
)

from common.cluster.rows import OwnerRef, Row
from common.contracts import ObjectKey
from health_monitor.engine.placement import CLUSTER_KEY, NOWHERE, namespace_key, placement, workload_of, zone_key

OPERATOR = OwnerRef(kind="Kafka", name="events", uid="k")
DEPLOYMENT = a_deployment()
OF_OPERATOR = a_deployment("operated", owner=OPERATOR)
REPLICA_SET = a_replica_set(owner=owned_by(DEPLOYMENT))
OPERATED_SET = a_replica_set("operated-1", owner=owned_by(OF_OPERATOR))
ROLLOUT_SET = a_replica_set("rollout-1", owner=OwnerRef(kind="Rollout", name="canary", uid="r"))
LONE_SET = a_replica_set("lone")
CRON_JOB = a_cron_job()
CRON_RUN = a_job("nightly-1", owner=owned_by(CRON_JOB))
JOB = a_job()
NODE = a_node()
SNAPSHOT = a_snapshot(
    DEPLOYMENT, OF_OPERATOR, REPLICA_SET, OPERATED_SET, ROLLOUT_SET, LONE_SET, CRON_JOB, CRON_RUN, JOB, NODE
)


def in_shop(kind: str, name: str) -> ObjectKey:
    return ObjectKey(kind, "shop", name)


@pytest.mark.parametrize(
    ("row", "workload"),
    [
        pytest.param(a_pod(owner=owned_by(REPLICA_SET)), DEPLOYMENT.key, id="a pod belongs to its Deployment"),
        pytest.param(a_pod(owner=owned_by(CRON_RUN)), CRON_JOB.key, id="a pod of a run belongs to the CronJob"),
        pytest.param(a_pod(owner=owned_by(JOB)), JOB.key, id="a pod of a Job belongs to the Job"),
        pytest.param(a_pod(owner=owned_by(OPERATED_SET)), OF_OPERATOR.key, id="what an operator made is the workload"),
        pytest.param(
            a_pod(owner=owned_by(ROLLOUT_SET)),
            in_shop("Rollout", "canary"),
            id="an owner that is not watched, above ReplicaSets",
        ),
        pytest.param(a_pod(owner=OPERATOR), in_shop("Kafka", "events"), id="an operator's own pod"),
        pytest.param(a_pod("bare"), in_shop("Pod", "bare"), id="a pod without an owner is a workload"),
        pytest.param(a_pod("static", owner=owned_by(NODE)), in_shop("Pod", "static"), id="so is a static pod"),
        pytest.param(
            a_pod(owner=OwnerRef(kind="ReplicaSet", name="gone", uid="g")),
            in_shop("ReplicaSet", "gone"),
            id="an owner that is gone is still named",
        ),
        pytest.param(CRON_RUN, CRON_JOB.key, id="a run belongs to its CronJob"),
        pytest.param(OF_OPERATOR, OF_OPERATOR.key, id="a Deployment is a workload, whoever made it"),
    ],
)
def test_the_workload_of(row: Row, workload: ObjectKey) -> None:
    assert workload_of(row, SNAPSHOT) == workload


@pytest.mark.parametrize(
    ("row", "where"),
    [
        pytest.param(a_node(zone="east"), [(zone_key("east"), "nodes"), (CLUSTER_KEY, "nodes")], id="a node"),
        pytest.param(a_node(zone=""), [(CLUSTER_KEY, "nodes")], id="a node without a zone"),
        pytest.param(a_pod(owner=owned_by(REPLICA_SET)), [(DEPLOYMENT.key, "pods")], id="a pod counts in its workload"),
        pytest.param(a_pod(owner=owned_by(JOB), phase="Succeeded"), [], id="a finished pod of a Job counts nowhere"),
        pytest.param(a_pod(owner=owned_by(REPLICA_SET), phase="Failed"), [], id="nor an evicted one that was replaced"),
        pytest.param(a_pod(phase="Succeeded"), [], id="nor a bare one that did its work"),
        pytest.param(a_pod(phase="Failed"), None, id="a bare one that failed is a failed workload"),
        pytest.param(a_pod(), None, id="a bare one is a workload"),
        pytest.param(CRON_RUN, [(CRON_JOB.key, "jobs")], id="a run counts in its CronJob"),
        pytest.param(JOB, None, id="a Job is a workload"),
        pytest.param(DEPLOYMENT, None, id="a Deployment is a workload"),
        pytest.param(REPLICA_SET, [], id="a Deployment's ReplicaSet counts nowhere"),
        pytest.param(LONE_SET, None, id="a lone ReplicaSet is a workload"),
        pytest.param(a_namespace(), None, id="a namespace sums up"),
        pytest.param(a_volume(), [(CLUSTER_KEY, "resources")], id="a volume counts in the cluster"),
        *[
            pytest.param(
                row, [(namespace_key("shop"), "resources"), (CLUSTER_KEY, "resources")], id=f"{row.kind} is a resource"
            )
            for row in (a_service(), a_claim(), an_hpa(), a_pdb())
        ],
        pytest.param(a_lease(), [], id="a Lease counts nowhere"),
    ],
)
def test_where_it_counts(row: Row, where: list[object] | None) -> None:
    assert placement(row, SNAPSHOT) == (None if where is None else tuple(where) or NOWHERE)

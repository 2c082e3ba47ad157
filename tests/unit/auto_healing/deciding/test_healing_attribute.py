"""Whose fault it is: tables of what fails where, and who is blamed."""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.healing_faults import (
    LONG_AGO,
    a_finding,
    a_revision,
    a_workload,
    crash_loops,
    crashing,
    nodes,
)
from tests.support.rows import (
    a_claim,
    a_daemon_set,
    a_deployment,
    a_job,
    a_node,
    a_pod,
    a_service,
    a_snapshot,
    a_stateful_set,
    owned_by,
)

from auto_healing.attribute import attribute
from auto_healing.fault import Fault, FaultLevel
from auto_healing.policy.settings import Attribution
from common.cluster.rows import Row
from common.contracts import Finding, ObjectKey
from common.contracts.objects import CLUSTER, ZONE

N = ("n1", "n2", "n3", "n4", "n5")


def blamed(findings: Sequence[Finding], rows: Sequence[Row]) -> list[tuple[FaultLevel, str]]:
    return [(fault.level, fault.subject.name) for fault in attribute(findings, a_snapshot(*rows))]


def only(findings: Sequence[Finding], rows: Sequence[Row]) -> Fault:
    (fault,) = attribute(findings, a_snapshot(*rows))
    return fault


SHOP = a_workload("shop", N[:3])
DEPLOYMENT = SHOP[0]
CROWDED = a_workload("shop", ["n1"], failing=["n1"])

FAILING = {
    "one pod of three fails: its own fault": (
        a_workload("shop", N[:3], failing=["n1"]),
        [(FaultLevel.POD, "shop-7d4b9c-n1")],
    ),
    "two pods of five fail on two nodes: the workload's fault": (
        a_workload("shop", N, failing=["n1", "n2"]),
        [(FaultLevel.WORKLOAD, "shop")],
    ),
    "both pods of a workload fail on the one node that they share: the workload's fault": (
        [*CROWDED, a_pod("shop-7d4b9c-b", owner=owned_by(CROWDED[1]), **crashing(node="n1"))],
        [(FaultLevel.WORKLOAD, "shop")],
    ),
    "a new revision fails on one node while the old one does well: the revision's fault": (
        [
            *a_workload("shop", N[:3], number=1),
            *a_revision(DEPLOYMENT, ["n4"], failing=["n4"], revision="bad", number=2, since=LONG_AGO),
        ],
        [(FaultLevel.REVISION, "shop")],
    ),
    "pods of the old revision fail during a rollout: not the new revision's fault": (
        [
            *a_workload("shop", N[:3], failing=["n1", "n2", "n3"], number=1),
            *a_revision(DEPLOYMENT, ["n4"], revision="good", number=2, since=LONG_AGO),
        ],
        [(FaultLevel.WORKLOAD, "shop")],
    ),
    "some pods of the new revision do well: not the revision's fault": (
        [
            *a_workload("shop", N[:3], number=1),
            *a_revision(DEPLOYMENT, ["n4", "n5"], failing=["n4"], revision="new", number=2, since=LONG_AGO),
        ],
        [(FaultLevel.POD, "shop-new-n4")],
    ),
    "all pods are of a new revision and fail since it was made: the revision's fault": (
        a_workload("shop", N[:3], failing=N[:3], number=2, since=LONG_AGO - timedelta(minutes=5)),
        [(FaultLevel.REVISION, "shop")],
    ),
    "all pods fail long after their revision was made: the workload's fault": (
        a_workload("shop", N[:3], failing=N[:3], number=2),
        [(FaultLevel.WORKLOAD, "shop")],
    ),
    "all pods of the very first revision fail: there is nothing to go back to, so the workload's fault": (
        a_workload("shop", N[:3], failing=N[:3], number=1, since=LONG_AGO - timedelta(minutes=5)),
        [(FaultLevel.WORKLOAD, "shop")],
    ),
    "three workloads fail on one node and do well on others: the node's fault": (
        [row for name in ("a", "b", "c") for row in a_workload(name, ["n1", "n2"], failing=["n1"])],
        [(FaultLevel.NODE, "n1")],
    ),
    "two workloads fail on one node: their pods' own faults": (
        [row for name in ("a", "b") for row in a_workload(name, ["n1", "n2"], failing=["n1"])],
        [(FaultLevel.POD, "a-7d4b9c-n1"), (FaultLevel.POD, "b-7d4b9c-n1")],
    ),
    "three of a dozen workloads on a node fail: too few for the node": (
        [
            *(row for name in "abc" for row in a_workload(name, ["n1", "n2"], failing=["n1"])),
            *(row for name in "defghijkl" for row in a_workload(name, ["n1", "n2"])),
        ],
        [(FaultLevel.POD, f"{name}-7d4b9c-n1") for name in "abc"],
    ),
    "three workloads fail wherever they are: each workload's fault, not the nodes'": (
        [row for name in ("a", "b", "c") for row in a_workload(name, ["n1", "n2"], failing=["n1", "n2"])],
        [(FaultLevel.WORKLOAD, name) for name in "abc"],
    ),
    "three single replicas on one node begin to fail together: the node's fault, with less confidence": (
        [row for name in ("a", "b", "c") for row in a_workload(name, ["n1"], failing=["n1"])],
        [(FaultLevel.NODE, "n1")],
    ),
    "single replicas fail on many nodes at once: not the nodes' fault": (
        [row for node in N for name in "abc" for row in a_workload(f"{name}-{node}", [node], failing=[node])],
        [(FaultLevel.POD, f"{name}-{node}-7d4b9c-{node}") for name in "abc" for node in N],
    ),
    "a pod that belongs to nothing fails: its own fault": (
        [a_pod("bare", **crashing(node="n1"))],
        [(FaultLevel.POD, "bare")],
    ),
}


@pytest.mark.parametrize(("rows", "expected"), FAILING.values(), ids=FAILING)
def test_pods_that_fail(rows: list[Row], expected: list[tuple[FaultLevel, str]]) -> None:
    assert blamed(crash_loops(rows), [*nodes(*N), *rows]) == expected


def test_pods_of_a_stateful_set_that_fail_at_its_update_revision() -> None:
    workload = a_stateful_set("db", revision="db-new", current_revision="db-old")

    def pod(number: int, revision: str, **fields: object) -> Row:
        return a_pod(
            f"db-{number}",
            owner=owned_by(workload),
            labels={"controller-revision-hash": revision},
            **({"node": f"n{number}"} | fields),
        )

    bad = pod(3, "db-new", **crashing())
    fault = only([a_finding(bad)], [*nodes(*N), workload, pod(1, "db-old"), pod(2, "db-old"), bad])
    assert (fault.level, fault.subject.name, fault.revision) == (FaultLevel.REVISION, "db", "db-new")


def test_pods_of_a_daemon_set_that_fail_at_its_newest_revision() -> None:
    workload = a_daemon_set("agent")

    def pod(node: str, revision: str, **fields: object) -> Row:
        return a_pod(
            f"agent-{node}",
            owner=owned_by(workload),
            node=node,
            labels={"controller-revision-hash": revision},
            **fields,
        )

    bad = pod("n3", "new", **crashing(created_at=LONG_AGO))
    fault = only([a_finding(bad)], [*nodes(*N), workload, pod("n1", "old"), pod("n2", "old"), bad])
    assert (fault.level, fault.revision) == (FaultLevel.REVISION, "new")


DARK = a_node("n1")
ON_DARK = a_workload("shop", ["n1", "n2"])
POD_ON_DARK = ON_DARK[2]


@pytest.mark.parametrize(
    ("node_code", "finding", "level"),
    [
        pytest.param("node-unknown", a_finding(POD_ON_DARK, "pod-not-ready"), "node", id="it is silent since then"),
        pytest.param(
            "node-unknown",
            a_finding(POD_ON_DARK, since=LONG_AGO - timedelta(hours=1)),
            "pod",
            id="the pod failed long before the node did",
        ),
        pytest.param(
            "node-unknown",
            a_finding(POD_ON_DARK, "pod-stuck-terminating", since=LONG_AGO - timedelta(hours=1)),
            "node",
            id="the pod cannot end because of it, whenever that began",
        ),
        pytest.param(
            "node-memory-pressure", a_finding(POD_ON_DARK, "pod-oom-killed"), "node", id="out of memory under pressure"
        ),
        pytest.param("node-disk-pressure", a_finding(POD_ON_DARK), "pod", id="a full disk explains no crash loop"),
        pytest.param("node-pods-high", a_finding(POD_ON_DARK), "pod", id="many pods explain nothing"),
        pytest.param(
            "node-unknown", a_finding(POD_ON_DARK, "pod-no-requests"), "pod", id="what was always so is not explained"
        ),
    ],
)
def test_what_a_nodes_own_trouble_explains(node_code: str, finding: Finding, level: str) -> None:
    faults = attribute([finding, a_finding(DARK, node_code)], a_snapshot(DARK, a_node("n2"), *ON_DARK))
    (fault,) = (fault for fault in faults if finding in fault.findings)
    assert fault.level == level


def test_a_workload_that_misses_replicas_follows_its_pods() -> None:
    unavailable = a_finding(ON_DARK[0], "deployment-unavailable")
    service = a_finding(a_service("shop", selector={"app": "shop"}), "service-no-endpoints")
    rows = [DARK, a_node("n2"), *ON_DARK, a_service("shop", selector={"app": "shop"})]
    fault = only([a_finding(DARK, "node-unknown"), a_finding(POD_ON_DARK, "pod-not-ready"), unavailable, service], rows)
    assert (fault.level, fault.subject.name) == (FaultLevel.NODE, "n1")
    assert "it explains findings on 3 other objects" in fault.evidence


def test_a_stuck_rollout_and_the_pods_that_hold_it_up_are_one_fault() -> None:
    rows = [*SHOP, *a_revision(DEPLOYMENT, ["n4"], failing=["n4"], revision="bad", number=2, since=LONG_AGO)]
    stuck = a_finding(DEPLOYMENT, "deployment-rollout-stuck")
    fault = only([stuck, *crash_loops(rows)], [*nodes(*N), *rows])
    assert (fault.level, fault.revision, len(fault.findings)) == (FaultLevel.REVISION, "bad", 2)
    assert fault.evidence[1] == "3 pods of an older revision do well"


def test_a_stuck_rollout_without_failing_pods_is_the_workloads() -> None:
    assert blamed([a_finding(DEPLOYMENT, "deployment-rollout-stuck")], SHOP) == [(FaultLevel.WORKLOAD, "shop")]


def test_most_nodes_of_a_zone() -> None:
    zone_a = nodes("a1", "a2", "a3", "a4", zone="zone-a")
    rows = [*zone_a, *nodes("b1", "b2", zone="zone-b"), *a_workload("shop", ["a1", "b1"])]
    down = [a_finding(node, "node-unknown") for node in zone_a[:3]]
    pod = a_finding(rows[-2], "pod-on-not-ready-node")
    told = a_finding(ObjectKey(ZONE, "", "zone-a"), "zone-nodes-not-ready")
    fault = only([*down, pod, told], rows)
    assert (fault.level, fault.subject.name, len(fault.findings)) == (FaultLevel.ZONE, "zone-a", 5)
    assert fault.evidence[0].startswith("3 of the 4 nodes of zone-a are at fault")


def test_two_nodes_of_a_zone_are_still_two_nodes() -> None:
    zone_a = nodes("a1", "a2", "a3", "a4", zone="zone-a")
    assert blamed([a_finding(node, "node-unknown") for node in zone_a[:2]], zone_a) == [
        (FaultLevel.NODE, "a1"),
        (FaultLevel.NODE, "a2"),
    ]


def test_a_pile_of_evicted_pods_is_one_fault_of_their_workload() -> None:
    rows = a_workload("shop", N)
    gone = [a_finding(pod, "pod-evicted") for pod in rows[2:]]
    assert blamed(gone, rows) == [(FaultLevel.WORKLOAD, "shop")]


def test_a_failed_job_and_its_pods_are_one_fault() -> None:
    job = a_job("import")
    pods = [a_pod(f"import-{n}", owner=owned_by(job), phase="Failed") for n in range(3)]
    findings = [a_finding(job, "job-failed"), *(a_finding(pod, "pod-failed") for pod in pods)]
    assert blamed(findings, [job, *pods]) == [(FaultLevel.WORKLOAD, "import")]


def test_what_belongs_to_nothing_narrower_is_the_clusters() -> None:
    api = a_finding(ObjectKey(CLUSTER, "", ""), "cluster-api-slow")
    claim = a_finding(a_claim("data"), "pvc-pending")
    assert blamed([api, claim], [a_claim("data")]) == [(FaultLevel.CLUSTER, ""), (FaultLevel.CLUSTER, "data")]


def test_a_pod_that_is_gone_is_its_own_fault() -> None:
    assert blamed([a_finding(a_pod("gone"))], []) == [(FaultLevel.POD, "gone")]


def test_thresholds_are_the_policys() -> None:
    rows = [*nodes(*N), *a_workload("shop", N, failing=["n1", "n2"])]
    (fault,) = attribute(crash_loops(rows), a_snapshot(*rows), Attribution(workload_nodes=2))
    assert fault.level is FaultLevel.WORKLOAD
    faults = attribute(crash_loops(rows), a_snapshot(*rows), Attribution(workload_nodes=3))
    assert [fault.level for fault in faults] == [FaultLevel.POD, FaultLevel.POD]


CODES = ("pod-crash-loop", "pod-not-ready", "pod-evicted", "pod-unschedulable", "pod-no-requests")
PLACES = st.dictionaries(st.sampled_from(N), st.sampled_from(["well", *CODES]), min_size=1)


def a_cluster(workloads: dict[str, dict[str, str]], dark: set[str]) -> tuple[list[Row], list[Finding]]:
    rows: list[Row] = list(nodes(*N))
    findings = [a_finding(ObjectKey("Node", "", name), "node-unknown") for name in sorted(dark)]
    for name, places in workloads.items():
        made = a_workload(name, list(places), failing=[node for node, code in places.items() if code != "well"])
        rows += made
        for pod, code in zip(made[2:], places.values(), strict=True):
            if code != "well":
                findings.append(a_finding(pod, code))
        if len(places) > 2:
            findings.append(a_finding(a_deployment(name), "deployment-unavailable"))
    return rows, findings


CLUSTERS = st.builds(
    a_cluster, st.dictionaries(st.sampled_from("abcdef"), PLACES, max_size=6), st.sets(st.sampled_from(N), max_size=4)
)


@settings(max_examples=60, deadline=None)
@given(cluster=CLUSTERS, seed=st.integers(0, 1000))
def test_every_finding_is_in_one_fault_and_their_order_changes_nothing(
    cluster: tuple[list[Row], list[Finding]], seed: int
) -> None:
    rows, findings = cluster
    snapshot = a_snapshot(*rows)
    faults = attribute(findings, snapshot)
    explained = [finding.key for fault in faults for finding in fault.findings]
    assert sorted(explained) == sorted(finding.key for finding in findings)
    assert len({fault.key for fault in faults}) == len(faults)
    shuffled = [*findings, *findings[:2]]  # some told twice
    random.Random(seed).shuffle(shuffled)
    assert attribute(shuffled, snapshot) == faults


@settings(max_examples=40, deadline=None)
@given(cluster=CLUSTERS)
def test_healthy_things_elsewhere_change_nothing(cluster: tuple[list[Row], list[Finding]]) -> None:
    rows, findings = cluster
    more = [*nodes("m1", "m2", zone="zone-m"), *a_workload("fine", ["m1", "m2"])]
    assert attribute(findings, a_snapshot(*rows, *more)) == attribute(findings, a_snapshot(*rows))

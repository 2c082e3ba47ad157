"""The cluster and its zones: nodes lost at once, room, the API server, and our own sight."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_node, a_pod, a_snapshot

from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ApiHealth, Source, SourceState
from common.cluster.store import Store
from common.contracts import ObjectKey, Severity
from common.contracts.objects import CLUSTER, ZONE
from health_monitor.checks.check import Symptom
from health_monitor.checks.cluster import (
    CLUSTER_CHECKS,
    cluster_api_errors,
    cluster_api_slow,
    cluster_api_unreachable,
    cluster_metrics_absent,
    cluster_nodes_not_ready,
    cluster_pods_unschedulable,
    cluster_view_stale,
    zone_nodes_not_ready,
)

THE_CLUSTER = ObjectKey(CLUSTER, "", "")
ZONE_A = ObjectKey(ZONE, "", "zone-a")


def run(module: Any, snapshot: Store, key: ObjectKey = THE_CLUSTER) -> list[Symptom]:
    return list(module.CHECK.run(key, snapshot, module.CHECK.thresholds, NOON))


def test_a_healthy_cluster_has_none_of_these() -> None:
    snapshot = a_snapshot(*nodes(10), a_pod())
    for check in CLUSTER_CHECKS:
        key = ZONE_A if check.kind == ZONE else THE_CLUSTER
        assert list(check.run(key, snapshot, check.thresholds, NOON)) == [], check.code


# --- nodes


def nodes(total: int, *, unready: int = 0, zone: str = "zone-a", status: str = "Unknown") -> list[NodeRow]:
    down = (a_condition("Ready", status),)
    return [a_node(f"{zone}-{n}", zone=zone, **({"conditions": down} if n < unready else {})) for n in range(total)]


@pytest.mark.parametrize(
    ("unready", "total", "severity"),
    [
        pytest.param(0, 10, None, id="all are ready"),
        pytest.param(1, 3, None, id="a single node has its own finding"),
        pytest.param(1, 10, None, id="below a fifth"),
        pytest.param(2, 11, None, id="just below a fifth"),
        pytest.param(2, 10, Severity.WARNING, id="a fifth"),
        pytest.param(5, 10, Severity.WARNING, id="half"),
        pytest.param(11, 20, Severity.CRITICAL, id="55 %, as the control plane counts"),
        pytest.param(3, 3, Severity.CRITICAL, id="all of a small zone"),
    ],
)
def test_share_of_unready_nodes(unready: int, total: int, severity: Severity | None) -> None:
    for module, key, where in (
        (zone_nodes_not_ready, ZONE_A, "in zone zone-a"),
        (cluster_nodes_not_ready, THE_CLUSTER, "in the cluster"),
    ):
        symptoms = run(module, a_snapshot(*nodes(total, unready=unready)), key)
        assert [symptom.severity for symptom in symptoms] == ([severity] if severity else [])
        assert all(symptom.message == f"{unready} of {total} nodes {where} are not ready" for symptom in symptoms)


def test_not_ready_and_unknown_count_alike() -> None:
    assert run(zone_nodes_not_ready, a_snapshot(*nodes(4, unready=2, status="False")), ZONE_A)


def test_another_zone_does_not_count() -> None:
    snapshot = a_snapshot(*nodes(10), *nodes(10, unready=10, zone="zone-b"))
    assert run(zone_nodes_not_ready, snapshot, ZONE_A) == []
    assert len(run(zone_nodes_not_ready, snapshot, ObjectKey(ZONE, "", "zone-b"))) == 1
    assert run(cluster_nodes_not_ready, snapshot)[0].evidence == {"unready_nodes": 10, "nodes": 20}


# --- room

NO_CPU = "0/3 nodes are available: 2 Insufficient cpu, 1 node(s) had untolerated taint {gpu: }."
NO_MEMORY_NOR_SLOT = "0/3 nodes are available: 1 Too many pods, 3 Insufficient memory."
NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available."
NO_NODE_MATCHES = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."


def waiting(message: str = NO_CPU, *, minutes: int = 6, name: str = "waiting", **overrides: Any) -> PodRow:
    condition = a_condition(
        "PodScheduled", "False", reason="Unschedulable", message=message, changed_at=NOON - timedelta(minutes=minutes)
    )
    return a_pod(name, **({"node": "", "phase": "Pending", "ready": False, "conditions": (condition,)} | overrides))


@pytest.mark.parametrize(
    ("pods", "short_of"),
    [
        pytest.param([waiting(NO_CPU)], "cpu", id="no CPU"),
        pytest.param([waiting(NO_MEMORY_NOR_SLOT)], "memory, pods", id="no memory, and one node is full of pods"),
        pytest.param([waiting(NO_GPU)], "nvidia.com/gpu", id="no device"),
        pytest.param([waiting(NO_CPU), waiting(NO_GPU, name="other")], "cpu, nvidia.com/gpu", id="several pods"),
        pytest.param([waiting(NO_NODE_MATCHES)], None, id="a selector that nothing matches is no lack of room"),
        pytest.param([waiting(deleted_at=NOON)], None, id="a pod that is going"),
        pytest.param([waiting(conditions=())], None, id="a pod that the scheduler has not looked at"),
        pytest.param([waiting(node="node-1")], None, id="a pod that has a place"),
        pytest.param([], None, id="no pod waits"),
    ],
)
def test_pods_that_wait_for_room(pods: list[PodRow], short_of: str | None) -> None:
    symptoms = run(cluster_pods_unschedulable, a_snapshot(*pods))
    assert [symptom.evidence for symptom in symptoms] == (
        [{"pods": len(pods), "short_of": short_of}] if short_of else []
    )


def test_waiting_counts_from_the_pod_that_waits_longest() -> None:
    snapshot = a_snapshot(waiting(minutes=2), waiting(minutes=9, name="older"))
    (symptom,) = run(cluster_pods_unschedulable, snapshot)
    assert symptom.message == "2 pods cannot be placed: no node has room (cpu)"
    assert (symptom.since, symptom.after) == (NOON - timedelta(minutes=9), timedelta(minutes=5))
    assert symptom.severity is Severity.WARNING


def test_many_waiting_pods_are_critical() -> None:
    (symptom,) = run(cluster_pods_unschedulable, a_snapshot(*(waiting(name=f"p{n}") for n in range(50))))
    assert symptom.severity is Severity.CRITICAL


# --- the API server


@pytest.mark.parametrize(
    ("api", "severity"),
    [
        pytest.param(ApiHealth(requests=100, p99_seconds=1.0), None, id="as quick as it should be"),
        pytest.param(ApiHealth(requests=100, p99_seconds=1.2), Severity.WARNING, id="slow"),
        pytest.param(ApiHealth(requests=100, p99_seconds=4.5), Severity.CRITICAL, id="very slow"),
        pytest.param(ApiHealth(requests=19, p99_seconds=9), None, id="too few requests to judge"),
    ],
)
def test_api_latency(api: ApiHealth, severity: Severity | None) -> None:
    symptoms = run(cluster_api_slow, a_snapshot(api=api))
    assert [symptom.severity for symptom in symptoms] == ([severity] if severity else [])
    assert all(f"takes {api.p99_seconds:.1f} s or longer" in symptom.message for symptom in symptoms)


@pytest.mark.parametrize(
    ("api", "severity"),
    [
        pytest.param(ApiHealth(requests=100), None, id="no error"),
        pytest.param(ApiHealth(requests=100, errors=5), None, id="as many as retries hide"),
        pytest.param(ApiHealth(requests=100, errors=6), Severity.WARNING, id="more"),
        pytest.param(ApiHealth(requests=100, errors=21), Severity.CRITICAL, id="more than a fifth"),
        pytest.param(ApiHealth(requests=19, errors=19), None, id="too few requests to judge"),
        pytest.param(
            ApiHealth(requests=100, errors=90, unreachable_since=NOON - timedelta(seconds=14)),
            Severity.CRITICAL,
            id="silent for a moment, as among many errors",
        ),
        pytest.param(
            ApiHealth(requests=100, errors=90, unreachable_since=NOON - timedelta(seconds=15)),
            None,
            id="an outage, which is told as one",
        ),
    ],
)
def test_api_errors(api: ApiHealth, severity: Severity | None) -> None:
    symptoms = run(cluster_api_errors, a_snapshot(api=api))
    assert [symptom.severity for symptom in symptoms] == ([severity] if severity else [])
    assert all(f"{api.errors} of 100 requests" in symptom.message for symptom in symptoms)


def test_an_api_server_that_does_not_answer() -> None:
    (symptom,) = run(cluster_api_unreachable, a_snapshot(api=ApiHealth(unreachable_since=NOON)))
    assert (symptom.since, symptom.after) == (NOON, timedelta(seconds=15))
    assert not symptom.restarts_timer, "the outage itself must not put its own finding off"


# --- our own sight


@pytest.mark.parametrize(
    ("kind", "state", "severity", "after_seconds"),
    [
        pytest.param("Pod", SourceState.STALE, Severity.CRITICAL, 30, id="the watch of pods is broken"),
        pytest.param("Job", SourceState.STALE, Severity.WARNING, 30, id="the watch of jobs is broken"),
        pytest.param("Node", SourceState.STARTING, Severity.CRITICAL, 120, id="nodes were never listed"),
        pytest.param("Lease", SourceState.UNSEEN, Severity.WARNING, 0, id="leases are forbidden"),
    ],
)
def test_blindness(kind: str, state: SourceState, severity: Severity, after_seconds: int) -> None:
    (symptom,) = run(cluster_view_stale, a_snapshot(sources={kind: state}))
    assert (symptom.part, symptom.severity) == (kind if state is SourceState.UNSEEN else state.value, severity)
    assert kind in symptom.message
    assert symptom.after == timedelta(seconds=after_seconds)
    assert symptom.since == (NOON if state is SourceState.STALE else None)
    assert not symptom.restarts_timer


def test_blindness_says_what_to_do_about_it() -> None:
    snapshot = a_snapshot()
    snapshot.set_source(
        Source(kind="Lease", state=SourceState.UNSEEN, reason="forbidden: allow list and watch of leases")
    )
    (symptom,) = run(cluster_view_stale, snapshot)
    assert symptom.message.endswith("nothing is known of it: forbidden: allow list and watch of leases")


def test_watches_that_break_together_are_one_trouble() -> None:
    (symptom,) = run(cluster_view_stale, a_snapshot(sources=dict.fromkeys(("Pod", "Job", "Node"), SourceState.STALE)))
    assert symptom.message.startswith("Job, Node, Pod are no longer followed")
    assert (symptom.severity, symptom.evidence["kinds"]) == (Severity.CRITICAL, 3)


def test_each_kind_that_is_forbidden_is_a_trouble_of_its_own() -> None:
    forbidden = a_snapshot(sources=dict.fromkeys(("Job", "Lease"), SourceState.UNSEEN))
    assert {symptom.part for symptom in run(cluster_view_stale, forbidden)} == {"Job", "Lease"}


def test_missing_figures_are_not_blindness() -> None:
    snapshot = a_snapshot(sources={"NodeUsage": SourceState.UNSEEN, "PodUsage": SourceState.UNSEEN})
    assert run(cluster_view_stale, snapshot) == []
    (symptom,) = run(cluster_metrics_absent, snapshot)
    assert symptom.evidence == {"missing": "NodeUsage, PodUsage"}
    assert cluster_metrics_absent.CHECK.severity is Severity.INFO


def test_figures_of_one_kind_may_be_missing_alone() -> None:
    (symptom,) = run(cluster_metrics_absent, a_snapshot(sources={"PodUsage": SourceState.STALE}))
    assert symptom.evidence == {"missing": "PodUsage"}

"""What is neglected: cordons, clocks, versions, taints."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_lease, a_node, a_pod, a_snapshot

from common.cluster.rows import NodeRow, Taint, Toleration
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import Store
from common.contracts import Severity
from health_monitor.checks.check import Symptom
from health_monitor.checks.nodes import node_clock_skew, node_cordoned, node_taint_not_tolerated, node_version_skew

HOUR = timedelta(hours=1)


def run(module: Any, node: NodeRow, snapshot: Store | None = None) -> list[Symptom]:
    return list(module.CHECK.run(node, snapshot or a_snapshot(node), module.CHECK.thresholds, NOON))


# --- cordoned


def test_a_cordon_is_as_old_as_its_taint() -> None:
    taint = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule", added_at=NOON - 30 * HOUR)
    (symptom,) = run(node_cordoned, a_node(unschedulable=True, taints=(taint,)))
    assert (symptom.since, symptom.after) == (NOON - 30 * HOUR, 24 * HOUR)
    assert not symptom.restarts_timer, "we need not have watched it to know"


def test_a_cordon_without_a_date_counts_from_when_it_was_seen() -> None:
    (symptom,) = run(node_cordoned, a_node(unschedulable=True))
    assert symptom.since is None


def test_a_schedulable_node_is_not_cordoned() -> None:
    assert run(node_cordoned, a_node()) == []


# --- version skew


@pytest.mark.parametrize(
    ("kubelet", "server", "severity", "words"),
    [
        pytest.param("v1.36.3", "v1.36.3", None, "", id="the same"),
        pytest.param("v1.36.9", "v1.36.3", None, "", id="a newer patch release is no newer version"),
        pytest.param("v1.33.1", "v1.36.3", None, "", id="three minor versions older is supported"),
        pytest.param("v1.32.1", "v1.36.3", Severity.WARNING, "4 minor versions older", id="four are not"),
        pytest.param("v1.37.0", "v1.36.3", Severity.CRITICAL, "newer than the API server", id="newer never is"),
        pytest.param("v1.32.1-gke.1729000", "v1.36.3-gke.100", Severity.WARNING, "4 minor", id="a vendor's build"),
        pytest.param("v1.32.1", "", None, "", id="the server's version is not known yet"),
        pytest.param("", "v1.36.3", None, "", id="the kubelet has not reported"),
        pytest.param("fake", "v1.36.3", None, "", id="a version that is none"),
    ],
)
def test_version_skew(kubelet: str, server: str, severity: Severity | None, words: str) -> None:
    node = a_node(kubelet_version=kubelet)
    symptoms = run(node_version_skew, node, a_snapshot(node, server_version=server))
    assert [symptom.severity or node_version_skew.CHECK.severity for symptom in symptoms] == (
        [severity] if severity else []
    )
    assert all(words in symptom.message for symptom in symptoms)


# --- clock


def a_renewal(*, off_by: timedelta) -> Store:
    """A snapshot in which the node's lease was renewed, by its clock, that long before it arrived."""
    store = Store(now=lambda: NOON)
    store.set_source(Source(kind="Lease", state=SourceState.SYNCED))
    store.apply(a_lease(renewed_at=NOON - off_by - timedelta(seconds=10)))
    store.apply(a_lease(renewed_at=NOON - off_by, resource_version="2"))
    return store


@pytest.mark.parametrize(
    ("off_by_seconds", "words"),
    [
        pytest.param(0.2, None, id="clocks agree"),
        pytest.param(5, None, id="as far off as is allowed"),
        pytest.param(-5, None, id="as far ahead as is allowed"),
        pytest.param(37, "37 s away from ours: its clock is behind ours, or they are slow to arrive", id="behind"),
        pytest.param(-90, "90 s away from ours: its clock runs ahead of ours", id="ahead"),
    ],
)
def test_clock_skew(off_by_seconds: float, words: str | None) -> None:
    symptoms = run(node_clock_skew, a_node(), a_renewal(off_by=timedelta(seconds=off_by_seconds)))
    assert len(symptoms) == (words is not None)
    assert all(words in symptom.message for symptom in symptoms if words)
    assert all(symptom.evidence["offset_seconds"] == off_by_seconds for symptom in symptoms)


def test_a_lease_that_was_only_listed_says_nothing_of_the_clock() -> None:
    node = a_node()
    assert run(node_clock_skew, node, a_snapshot(node, a_lease(renewed_at=NOON - HOUR))) == []


# --- taints

GPU = Taint(key="example.com/gpu", value="a100", effect="NoSchedule", added_at=NOON - HOUR)


def tolerating(*tolerations: Toleration, **overrides: Any) -> Any:
    return a_pod(tolerations=tolerations, **overrides)


@pytest.mark.parametrize(
    ("taint", "pod", "found"),
    [
        pytest.param(GPU, a_pod(), True, id="nobody tolerates anything"),
        pytest.param(GPU, tolerating(Toleration(key="example.com/gpu", value="a100")), False, id="tolerated by value"),
        pytest.param(GPU, tolerating(Toleration(key="example.com/gpu", operator="Exists")), False, id="by key"),
        pytest.param(GPU, tolerating(Toleration(key="example.com/gpu", value="h100")), True, id="another value"),
        pytest.param(
            GPU,
            tolerating(Toleration(key="example.com/gpu", operator="Exists", effect="NoExecute")),
            True,
            id="another effect",
        ),
        pytest.param(GPU, tolerating(Toleration(operator="Exists")), True, id="an agent that tolerates everything"),
        pytest.param(
            GPU,
            tolerating(Toleration(key="example.com/gpu", operator="Exists"), node="node-9"),
            False,
            id="a pod elsewhere, which could come",
        ),
        pytest.param(
            GPU,
            tolerating(Toleration(key="example.com/gpu", operator="Exists"), phase="Succeeded"),
            True,
            id="a pod that has finished",
        ),
        pytest.param(Taint(key="x", effect="PreferNoSchedule"), a_pod(), False, id="a mere preference"),
        pytest.param(
            Taint(key="node-role.kubernetes.io/control-plane", effect="NoSchedule"), a_pod(), False, id="control plane"
        ),
        pytest.param(
            Taint(key="node.kubernetes.io/unreachable", effect="NoExecute"), a_pod(), False, id="set by Kubernetes"
        ),
    ],
)
def test_taints_that_nobody_tolerates(taint: Taint, pod: Any, found: bool) -> None:
    node = a_node(taints=(taint,))
    assert len(run(node_taint_not_tolerated, node, a_snapshot(node, pod))) == found


def test_a_node_without_taints_is_open_to_all() -> None:
    assert run(node_taint_not_tolerated, a_node()) == []


def test_a_taint_is_told_as_it_is_written() -> None:
    (symptom,) = run(node_taint_not_tolerated, a_node(taints=(GPU,)))
    assert "the taint example.com/gpu=a100:NoSchedule" in symptom.message
    assert symptom.part == "example.com/gpu:NoSchedule"
    assert (symptom.since, symptom.after) == (NOON - HOUR, HOUR)


def test_each_taint_is_a_finding_of_its_own() -> None:
    node = a_node(taints=(GPU, Taint(key="spare", effect="NoExecute")))
    assert [symptom.part for symptom in run(node_taint_not_tolerated, node)] == [
        "example.com/gpu:NoSchedule",
        "spare:NoExecute",
    ]

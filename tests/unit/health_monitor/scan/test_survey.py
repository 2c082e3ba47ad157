"""From a listed cluster to a report."""

import pytest
from tests.support.clock import NOON
from tests.support.rows import (
    a_condition,
    a_deployment,
    a_namespace,
    a_node,
    a_pod,
    a_replica_set,
    a_snapshot,
    owned_by,
)

from common.cluster.rows import Usage
from common.cluster.snapshot import SourceState
from common.contracts import Severity
from health_monitor.policy.parse import parse_policy
from health_monitor.scan.report import Report
from health_monitor.scan.survey import NamespaceUnknown, Options, survey

NOT_READY = (a_condition("Ready", "False", reason="KubeletNotReady"),)
EVICTED = {"phase": "Failed", "reason": "Evicted"}


def surveyed(*rows: object, sources: dict[str, SourceState] | None = None, **options: object) -> Report:
    snapshot = a_snapshot(*rows, sources=sources)  # type: ignore[arg-type]
    return survey(snapshot, Options(cluster="dev", **options), NOON, 0.5)  # type: ignore[arg-type]


def test_a_healthy_cluster_has_all_its_points_and_counts() -> None:
    report = surveyed(a_namespace(), a_node())

    assert report.score.value == 100
    assert report.findings == ()
    assert report.objects == {"nodes": 1, "pods": 0, "workloads": 0, "namespaces": 1}
    assert report.not_seen == ()
    assert (report.cluster, report.server_version, report.seconds) == ("dev", "v1.36.3", 0.5)


def test_places_come_worst_first_with_their_findings_counted() -> None:
    report = surveyed(
        a_namespace("shop"),
        a_namespace("web"),
        a_node("n1", zone="zone-b", conditions=NOT_READY),
        a_node("n2", zone="zone-a"),
        a_pod("p", namespace="web", **EVICTED),
    )

    assert [zone.object.name for zone in report.zones] == ["zone-b", "zone-a"]
    assert report.zones[0].findings >= 1
    assert report.zones[1].findings == 0
    assert [each.object.name for each in report.namespaces] == ["web", "shop"]
    assert report.namespaces[0].findings >= 1


def test_a_pod_is_reported_under_its_top_controller() -> None:
    deployment = a_deployment()
    replica_set = a_replica_set(owner=owned_by(deployment))
    report = surveyed(a_node(), deployment, replica_set, a_pod("p", owner=owned_by(replica_set), **EVICTED))

    evicted = next(each for each in report.findings if each.finding.code == "pod-evicted")
    assert evicted.owner.key == deployment.key
    assert evicted.runbook == "docs/runbooks/pod-evicted.md"


def test_one_namespace_alone_is_scored_and_shown() -> None:
    report = surveyed(
        a_namespace("shop"),
        a_namespace("web"),
        a_node("n1", conditions=NOT_READY),
        a_pod("p", namespace="web", **EVICTED),
        a_pod("q", namespace="shop", **EVICTED),
        namespace="web",
    )

    assert {each.finding.object.namespace for each in report.findings} == {"web"}
    assert report.zones == report.namespaces == ()
    assert report.objects == {"pods": 1, "workloads": 1}


def test_a_symptom_whose_start_nobody_knows_counts_at_once_because_no_second_look_comes() -> None:
    node = a_node()
    full = Usage(cpu_millicores=0, memory_bytes=node.allocatable.memory_bytes, measured_at=NOON)
    snapshot = a_snapshot(node, usage={node.key: full})

    report = survey(snapshot, Options(cluster="dev"), NOON, 0.5)

    assert [reported.finding.code for reported in report.findings] == ["node-memory-high"]


def test_a_namespace_that_does_not_exist_is_named() -> None:
    with pytest.raises(NamespaceUnknown, match="no namespace 'nope' in dev"):
        surveyed(a_namespace("shop"), namespace="nope")


def test_less_severe_findings_are_left_out_but_still_take_points() -> None:
    everything = surveyed(a_node("n1", unschedulable=True), a_pod("p", **EVICTED))
    severe = surveyed(a_node("n1", unschedulable=True), a_pod("p", **EVICTED), severity=Severity.CRITICAL)

    assert len(severe.findings) < len(everything.findings)
    assert severe.score == everything.score


def test_muted_findings_are_not_reported() -> None:
    report = surveyed(a_pod("p", annotations={"k8s-health-checker/mute": "*"}, **EVICTED))

    assert report.findings == ()


def test_the_policy_decides_what_is_looked_for() -> None:
    policy = parse_policy("{version: 1, checks: {node-not-ready: {enabled: false}}}")
    report = surveyed(a_node("n1", conditions=NOT_READY), policy=policy)

    assert "node-not-ready" not in {each.finding.code for each in report.findings}


def test_kinds_that_were_not_seen_are_named_and_lower_the_confidence() -> None:
    report = surveyed(a_node(), a_pod(), sources={"PodUsage": SourceState.UNSEEN})

    assert [source.kind for source in report.not_seen] == ["PodUsage"]
    assert report.score.confidence < 1


def test_what_may_not_be_seen_is_told_and_takes_no_points() -> None:
    forbidden = dict.fromkeys(("Deployment", "Job", "Lease", "NodeUsage", "PodUsage"), SourceState.UNSEEN)
    report = surveyed(a_node(), sources=forbidden)

    assert {each.finding.code for each in report.findings} >= {"cluster-view-stale", "cluster-metrics-absent"}
    assert report.score.value == 100
    assert report.score.deductions == ()

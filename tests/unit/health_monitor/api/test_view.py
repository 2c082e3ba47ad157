"""Lists and descriptions over a real engine and store."""

from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import (
    a_condition,
    a_container,
    a_deployment,
    a_job,
    a_namespace,
    a_node,
    a_pod,
    a_replica_set,
    a_snapshot,
    owned_by,
)

from common.cluster.rows import Resources, Row
from common.contracts import ObjectKey, Severity
from health_monitor.api.selectors import parse_selector
from health_monitor.api.shapes import NodeSummary, PodSummary, Summary, WorkloadSummary
from health_monitor.engine.engine import Engine
from health_monitor.view.listing import Orders, Position
from health_monitor.view.view import Filter, View
from health_monitor.view.walks import Collection, Sort

NOT_READY = (a_condition("Ready", "False", reason="KubeletNotReady"),)


def a_view(*rows: Row) -> View:
    snapshot = a_snapshot(*rows)
    engine = Engine(snapshot)
    engine.start()
    engine.work(NOON)
    return View(engine, snapshot, runbook="https://runbooks/{code}", orders=Orders(fresh_seconds=0))


def names(view: View, collection: Collection, *, sort: Sort = Sort.SCORE, limit: int = 2, **wanted: Any) -> list[str]:
    """Of all pages, read one by one."""
    found: list[str] = []
    position: Position | None = None
    while True:
        page = view.objects(collection, Filter(**wanted), sort=sort, limit=limit, position=position)
        assert len(page.items) <= limit
        found += [item.object.name for item in page.items]
        position = page.next
        if position is None:
            return found


def first(view: View, collection: Collection) -> Summary:
    return view.objects(collection, Filter(), sort=Sort.SCORE, limit=1, position=None).items[0]


def some_nodes() -> View:
    return a_view(
        a_node("n1", labels={"pool": "web"}),
        a_node("n2", conditions=NOT_READY),
        a_node("n3", labels={"pool": "db"}),
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, ["n2", "n1", "n3"], id="the worst first, then by name"),
        pytest.param({"sort": Sort.NAME}, ["n1", "n2", "n3"], id="by name"),
        pytest.param({"max_score": 99}, ["n2"], id="with at most a score"),
        pytest.param({"min_score": 100}, ["n1", "n3"], id="with at least a score"),
        pytest.param({"severity": Severity.CRITICAL}, ["n2"], id="with a finding at least this severe"),
        pytest.param({"code": "node-not-ready"}, ["n2"], id="with a finding of a check"),
        pytest.param({"code": "node-unknown"}, [], id="none with a finding of a check"),
        pytest.param({"labels": parse_selector("pool=db")}, ["n3"], id="by label"),
        pytest.param({"labels": parse_selector("!pool")}, ["n2"], id="by the absence of a label"),
    ],
)
def test_nodes_are_filtered_and_sorted(wanted: dict[str, Any], expected: list[str]) -> None:
    assert names(some_nodes(), Collection.NODES, **wanted) == expected


def some_pods() -> View:
    bare = (a_container(requests=Resources()),)
    return a_view(
        a_node(),
        a_pod("a1", namespace="a"),
        a_pod("a2", namespace="a", phase="Failed", reason="Evicted", ready=False),
        a_pod("b1", namespace="b", labels={"app": "web"}),
        a_pod("b2", namespace="b", containers=bare),
        a_pod("c1", namespace="c", annotations={"k8s-health-checker/mute": "*"}, phase="Failed", reason="Evicted"),
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, {"a2", "b2"}, id="the worst first, then by name"),
        pytest.param({"namespace": "b"}, {"b2"}, id="in one namespace"),
    ],
)
def test_pods_that_lost_points_come_before_the_others_by_name(wanted: dict[str, Any], expected: set[str]) -> None:
    found = names(some_pods(), Collection.PODS, **wanted)
    hurt = [name for name in found if name in expected]

    assert found[: len(hurt)] == hurt
    assert found[len(hurt) :] == sorted(found[len(hurt) :])
    assert len(found) == len(set(found)) == (5 if not wanted else 2)


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_pages_of_pods_have_each_pod_once_whatever_their_size(limit: int) -> None:
    everything = names(some_pods(), Collection.PODS, sort=Sort.NAME, limit=limit)

    assert everything == ["a1", "a2", "b1", "b2", "c1"]


def test_a_muted_finding_selects_its_pod_though_it_takes_no_points() -> None:
    view = some_pods()

    assert "c1" in names(view, Collection.PODS, code="pod-evicted")
    assert "c1" in names(view, Collection.PODS, code="pod-evicted", sort=Sort.NAME)
    assert "c1" not in names(view, Collection.PODS, max_score=99)


def test_each_collection_tells_what_its_reader_looks_for() -> None:
    deployment = a_deployment()
    replica_set = a_replica_set(owner=owned_by(deployment))
    view = a_view(
        a_namespace(), a_node(), deployment, replica_set, a_pod(owner=owned_by(replica_set)), a_job("lonely", labels={})
    )

    node = first(view, Collection.NODES)
    assert isinstance(node, NodeSummary)
    assert (node.zone, node.ready, node.schedulable, node.pods) == ("zone-a", True, True, 1)
    pod = first(view, Collection.PODS)
    assert isinstance(pod, PodSummary)
    assert pod.owner is not None
    assert pod.owner.key == deployment.key
    workloads = view.objects(Collection.WORKLOADS, Filter(), sort=Sort.NAME, limit=10, position=None).items
    replicas = {each.object.kind: each.replicas for each in workloads if isinstance(each, WorkloadSummary)}
    assert replicas == {"Deployment": 3, "Job": None}
    assert first(view, Collection.ZONES).object == ObjectKey("Zone", "", "zone-a").ref()
    assert first(view, Collection.NAMESPACES).object.name == "shop"


def test_findings_come_worst_first_with_where_to_read_on() -> None:
    view = a_view(a_node("n1", conditions=NOT_READY), a_node("n2", unschedulable=True), a_node("n3"))
    found = []
    position: Position | None = None
    while True:
        page = view.findings(Filter(), limit=1, position=position)
        found += page.items
        position = page.next
        if position is None:
            break

    ranks = [each.severity.rank for each in found]
    assert ranks == sorted(ranks, reverse=True)
    own = next(each for each in found if each.code == "node-not-ready")
    assert own.runbook == "https://runbooks/node-not-ready"
    assert own.title != own.code
    assert {each.code for each in view.findings(Filter(name="n1", kind="Node"), limit=9, position=None).items} == {
        "node-not-ready"
    }
    assert not view.findings(Filter(namespace="shop"), limit=9, position=None).items


def test_one_object_is_described_with_breakdown_and_owners() -> None:
    deployment = a_deployment()
    replica_set = a_replica_set(owner=owned_by(deployment))
    pod = a_pod("p", owner=owned_by(replica_set), phase="Failed", reason="Evicted")
    detail = a_view(a_node(), deployment, replica_set, pod).describe.detail(pod.key)

    assert detail is not None
    assert [owner.key for owner in detail.owners] == [replica_set.key, deployment.key]
    assert detail.score.value == 100 - sum(each.points for each in detail.score.deductions)
    assert detail.object.uid == pod.uid
    assert detail.findings


def test_what_does_not_exist_has_no_description() -> None:
    assert a_view(a_node()).describe.detail(ObjectKey("Node", "", "gone")) is None


def test_the_cluster_counts_objects_and_findings() -> None:
    view = some_nodes()
    cluster = view.describe.cluster("prod", NOON)

    assert cluster.name == "prod"
    assert cluster.objects["nodes"] == 3
    assert list(cluster.findings) == [Severity.CRITICAL, Severity.WARNING, Severity.INFO]
    assert cluster.findings[Severity.CRITICAL] >= 1
    assert cluster.score.value < 100

"""The store: what it says after changes, and that its indexes always agree with its rows."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.clock import NOON, SteppedClock
from tests.support.rows import (
    a_condition,
    a_deployment,
    a_lease,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_service,
    a_snapshot,
    a_usage,
    a_warning,
    an_endpoint_slice,
    owned_by,
)

from common.cluster.rows import (
    ANYWHERE,
    DeploymentRow,
    EventRow,
    LeaseRow,
    NodeRow,
    OwnerRef,
    PodDisruptionBudgetRow,
    PodRow,
    PodTerm,
    ReplicaSetRow,
    Resources,
    Row,
    Scheduling,
    Selector,
    Toleration,
)
from common.cluster.snapshot import Source, SourceState
from common.cluster.store import INDEXES, Store
from common.contracts.objects import ObjectKey


def test_a_new_row_is_told_with_nothing_before() -> None:
    pod = a_pod()
    change = Store().apply(pod, 5.0)
    assert change is not None
    assert (change.kind, change.key, change.before, change.after, change.received_at) == ("Pod", pod.key, None, pod, 5)


def test_the_same_version_again_is_no_change() -> None:
    store = a_snapshot(a_pod())
    assert store.apply(a_pod(phase="Failed")) is None
    assert store.rows(PodRow)[a_pod().key].phase == "Running"


def test_the_same_version_of_another_life_is_a_change() -> None:
    store = a_snapshot(a_pod())
    change = store.apply(a_pod(uid="another"))
    assert change is not None
    assert change.before is not None
    assert change.before.uid != "another"


def test_a_removal_tells_what_was_there() -> None:
    store = a_snapshot(a_pod())
    change = store.remove(PodRow, a_pod().key)
    assert change is not None
    assert change.before == a_pod()
    assert change.after is None
    assert store.remove(PodRow, a_pod().key) is None
    assert not store.pods_on("node-1")


def test_a_relist_finds_additions_changes_and_missed_deletes() -> None:
    kept, changed, gone, new = (a_pod(name) for name in ("kept", "changed", "gone", "new"))
    store = a_snapshot(kept, changed, gone)
    changes = store.replace(PodRow, [kept, replace(changed, resource_version="2", phase="Failed"), new])
    assert {(change.key.name, change.after is not None) for change in changes} == {
        ("changed", True),
        ("new", True),
        ("gone", False),
    }


def test_zones_hold_their_nodes_and_a_node_without_a_zone_is_in_none() -> None:
    store = a_snapshot(a_node("a1"), a_node("a2"), a_node("b1", zone="zone-b"), a_node("stray", zone=""))
    assert {zone: sorted(nodes) for zone, nodes in store.zones().items()} == {"zone-a": ["a1", "a2"], "zone-b": ["b1"]}


def test_unready_nodes_are_found_by_zone_and_over_all() -> None:
    down = (a_condition("Ready", "Unknown"),)
    store = a_snapshot(
        a_node("up"),
        a_node("a", conditions=down),
        a_node("b", conditions=down, zone="zone-b"),
        a_node("c", conditions=down, zone=""),
    )
    assert store.unready_nodes("zone-a") == ["a"]
    assert sorted(store.unready_nodes()) == ["a", "b", "c"]


def test_readiness_changes_are_remembered_in_order_and_forgotten_with_the_node() -> None:
    store = a_snapshot(a_node())
    times = [NOON + timedelta(minutes=minute) for minute in range(3)]
    for version, (status, at) in enumerate(zip(("False", "True", "Unknown"), times, strict=True), 2):
        store.apply(a_node(conditions=(a_condition("Ready", status, changed_at=at),), resource_version=str(version)))
    assert list(store.readiness_changes("node-1")) == times
    store.remove(NodeRow, a_node().key)
    assert list(store.readiness_changes("node-1")) == []


@pytest.mark.parametrize(
    ("state", "offset"),
    [
        pytest.param(SourceState.SYNCED, timedelta(seconds=3), id="a watched renewal tells the node's clock"),
        pytest.param(SourceState.STALE, None, id="a renewal that a relist brings says nothing of the clock"),
    ],
)
def test_clock_offset(state: SourceState, offset: timedelta | None) -> None:
    store = Store(now=SteppedClock().now)
    store.apply(a_lease(renewed_at=NOON - timedelta(seconds=60)))
    store.set_source(Source(kind="Lease", state=state))
    assert store.clock_offset("node-1") is None
    store.apply(a_lease(renewed_at=NOON - timedelta(seconds=3), resource_version="2"))
    assert store.clock_offset("node-1") == offset
    store.remove(LeaseRow, a_lease().key)
    assert store.clock_offset("node-1") is None


def test_pods_of_a_deployment_are_found_through_its_replica_sets() -> None:
    deployment = a_deployment()
    old = a_replica_set("old", owner=owned_by(deployment), replicas=0)
    new = a_replica_set("new", owner=owned_by(deployment))
    pods = [a_pod(name, owner=owned_by(new)) for name in ("a", "b")]
    store = a_snapshot(deployment, old, new, *pods)
    assert sorted(pod.name for pod in store.pods_of(deployment.key)) == ["a", "b"]
    assert len(store.pods_of(new.key)) == 2
    assert len(store.pods_of(old.key)) == 0
    store.apply(a_pod("late", owner=owned_by(old)))
    assert sorted(pod.name for pod in store.pods_of(deployment.key)) == ["a", "b", "late"]


def test_owners_go_up_to_the_top_and_name_those_that_are_not_watched() -> None:
    operator = OwnerRef(kind="Prometheus", name="main", uid="u")
    deployment = a_deployment(owner=operator)
    replicas = a_replica_set(owner=owned_by(deployment))
    pod = a_pod(owner=owned_by(replicas))
    store = a_snapshot(deployment, replicas, pod)
    top = ObjectKey("Prometheus", "shop", "main")
    assert store.owners(pod) == [replicas.key, deployment.key, top]
    assert store.top_owner(pod) == top
    assert store.top_owner(a_pod("stray")) == ObjectKey("Pod", "shop", "stray")
    assert len(store.pods_of(top)) == 1


def test_the_owner_of_a_static_pod_is_a_node_without_a_namespace() -> None:
    pod = a_pod(owner=owned_by(a_node()), mirror=True)
    assert a_snapshot(pod).top_owner(pod) == ObjectKey("Node", "", "node-1")


def test_a_loop_of_owners_ends() -> None:
    a = a_replica_set("a", owner=OwnerRef(kind="ReplicaSet", name="b", uid="b"))
    b = a_replica_set("b", owner=OwnerRef(kind="ReplicaSet", name="a", uid="a"))
    store = a_snapshot(a, b, a_pod(owner=owned_by(a)))
    assert len(store.owners(a)) == 10
    assert len(store.pods_of(b.key)) == 1


def test_finished_and_unbound_pods_request_nothing() -> None:
    amount = Resources(cpu_millicores=250, memory_bytes=1000, pods=1)
    pods = [
        a_pod("running", requests=amount),
        a_pod("waiting", requests=amount, node="", phase="Pending"),
        a_pod("done", requests=amount, phase="Succeeded"),
    ]
    store = a_snapshot(*pods)
    assert store.requested_on("node-1") == amount
    assert len(store.pods_on("node-1")) == 2
    assert [pod.name for pod in store.pods_on("")] == ["waiting"]
    store.apply(a_pod("running", requests=amount, phase="Succeeded", resource_version="2"))
    assert store.requested_on("node-1") == Resources()
    assert store.limits_on("elsewhere") == Resources()


PLAIN = Resources(pods=1)


def test_the_devices_of_a_node_are_summed_up() -> None:
    gpu = Resources(pods=1, extended=(("nvidia.com/gpu", 1),))
    pods = [a_pod(name, node="node-1", requests=requests) for name, requests in (("a", gpu), ("b", gpu), ("c", PLAIN))]
    store = a_snapshot(*pods)
    assert store.requested_on("node-1").extended == (("nvidia.com/gpu", 2),)
    for pod in pods[:2]:
        store.remove(PodRow, pod.key)
    assert store.copy().requested_on("node-1") == PLAIN


def test_distinct_tolerations_of_unfinished_pods() -> None:
    everything = (Toleration(operator="Exists"),)
    store = a_snapshot(a_pod("a"), a_pod("b", tolerations=everything), a_pod("c", tolerations=everything))
    assert set(store.tolerations()) == {(), everything}
    store.apply(a_pod("b", tolerations=everything, phase="Failed", resource_version="2"))
    store.remove(PodRow, a_pod("c").key)
    assert set(store.tolerations()) == {()}


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        pytest.param(Selector(labels={"app": "a"}), ["a1", "a2"], id="labels select the pods that have them"),
        pytest.param(Selector(labels={"app": "a", "tier": "web"}), ["a1"], id="every label must match"),
        pytest.param(Selector(labels={}), [], id="no selector selects nothing"),
        pytest.param(Selector(labels={}, everything=True), ["a1", "a2", "b1"], id="an empty selector selects all"),
        pytest.param(Selector(labels={}, expressions=(("app", "In", ("b", "c")),)), ["b1"], id="In selects its values"),
        pytest.param(
            Selector(labels={}, expressions=(("tier", "DoesNotExist", ()),)), ["a2", "b1"], id="absence selects"
        ),
        pytest.param(
            Selector(labels={"app": "a"}, expressions=(("tier", "NotIn", ("web",)),)), ["a2"], id="both must hold"
        ),
    ],
)
def test_pdbs_select_pods_both_ways(selector: Selector, chosen: list[str]) -> None:
    pods = [
        a_pod("a1", labels={"app": "a", "tier": "web"}),
        a_pod("a2", labels={"app": "a"}),
        a_pod("b1", labels={"app": "b"}),
        a_pod("elsewhere", labels={"app": "a", "tier": "web"}, namespace="other"),
    ]
    pdb = a_pdb(selector=selector)
    before, after = a_snapshot(*pods, pdb), a_snapshot(pdb, *pods)
    for store in (before, after):
        assert sorted(pod.name for pod in store.pods_selected(pdb)) == chosen
        assert [pod.name for pod in pods if store.pdbs_of(pod)] == chosen


def test_services_are_found_by_pod_and_their_endpoints_summed() -> None:
    headless = a_service("no-selector", selector={})
    slices = [an_endpoint_slice(name="s1", ready=2, not_ready=1), an_endpoint_slice(name="s2", ready=1)]
    store = a_snapshot(a_service(), headless, *slices)
    assert [service.name for service in store.services_of(a_pod())] == ["checkout"]
    assert store.endpoints_of(a_service()) == (3, 1)
    assert store.endpoints_of(headless) == (0, 0)


def test_warnings_are_of_this_life_of_the_object() -> None:
    pod, node = a_pod(), a_node()
    store = a_snapshot(pod, node, a_warning(pod), a_warning(pod, "BackOff", about_uid="earlier"))
    store.apply(a_warning(node, "SystemOOM", about_uid="node-1"))
    assert [event.reason for event in store.warnings_about(pod.key)] == ["Unhealthy"]
    assert [event.reason for event in store.warnings_about(node.key)] == ["SystemOOM"]
    assert list(store.warnings_about(a_pod("unknown").key)) == []


def test_old_events_expire_after_an_hour() -> None:
    old = a_warning(a_pod(), "Old", last_at=NOON - timedelta(hours=1, seconds=1))
    store = a_snapshot(old, a_warning(a_pod(), "Young"))
    assert [change.key for change in store.expire_events(NOON)] == [old.key]
    assert [event.reason for event in store.rows(EventRow).values()] == ["Young"]


def test_too_many_events_drop_those_that_were_quiet_longest() -> None:
    store = Store(events_kept=2)
    for reason, version in (("A", "1"), ("B", "1"), ("A", "2"), ("C", "1")):
        store.apply(a_warning(a_pod(), reason, resource_version=version))
    dropped = store.trim_events()
    assert [change.before.reason for change in dropped if isinstance(change.before, EventRow)] == ["B"]
    assert sorted(event.reason for event in store.rows(EventRow).values()) == ["A", "C"]


def test_usage_tells_what_changed_and_forgets_what_is_gone() -> None:
    node, other = a_node().key, a_node("other").key
    store = a_snapshot(usage={node: a_usage(), other: a_usage()})
    later = a_usage(measured_at=NOON + timedelta(minutes=1))
    changes = store.set_usage("Node", {node: later}, 3.0)
    assert [(change.kind, change.key) for change in changes] == [("NodeUsage", other)]
    assert store.usage_of(node) == later
    assert store.usage_of(other) is None
    assert store.set_usage("Node", {node: a_usage(cpu_millicores=9)})[0].key == node


def test_every_kind_starts_unknown() -> None:
    sources = Store().sources
    assert {source.state for source in sources.values()} == {SourceState.STARTING}
    assert {"Node", "Pod", "PodDisruptionBudget", "NodeUsage", "PodUsage"} <= set(sources)


def test_rows_are_found_by_key_or_name() -> None:
    store = a_snapshot(a_deployment(), a_lease())
    assert store.find(a_deployment().key) == a_deployment()
    assert store.find(ObjectKey("Unknown", "", "x")) is None
    assert store.get(DeploymentRow, "checkout", "shop") == a_deployment()
    assert store.get(ReplicaSetRow, "checkout", "shop") is None
    assert store.lease("node-1") == a_lease()
    assert store.node("node-1") is None


def test_a_copy_stays_as_it_is_while_the_store_goes_on() -> None:
    pod, node = a_pod(scheduling=Scheduling(anti_affinity=(_SHY,))), a_node()
    store = a_snapshot(node, pod, a_lease(), a_deployment(), usage={node.key: a_usage()})
    store.server_version = "v1.36.3"
    copy = store.copy()
    store.remove(PodRow, pod.key)
    store.apply(replace(node, resource_version="2", conditions=(a_condition("Ready", "False"),)))
    store.set_usage("Node", {})
    assert (list(copy.pods_on(node.name)), list(copy.repelling("shop"))) == ([pod], [pod])
    assert (list(copy.unready_nodes()), list(store.unready_nodes())) == ([], [node.name])
    assert copy.requested_on(node.name).pods == 1
    assert copy.usage_of(node.key) == a_usage()
    assert (copy.lease(node.name), copy.server_version, copy.api) == (a_lease(), "v1.36.3", store.api)
    assert copy.sources == store.sources


def test_a_copy_leaves_no_index_out() -> None:
    indexes = {name for name, value in vars(Store()).items() if hasattr(value, "adopt")}
    assert indexes == set(INDEXES)


# --- whatever the order of changes, the store answers as one that was given only the outcome

_LABELS = ({"app": "a"}, {"app": "b"}, {"app": "a", "tier": "web"}, {})
_SELECTORS = (
    Selector(labels={"app": "a"}),
    Selector(labels={}, everything=True),
    Selector(labels={"tier": "web"}),
    Selector(labels={}, expressions=(("app", "Exists", ()),)),
)
_SHY = PodTerm(topology_key="zone", selector=_SELECTORS[0])
_SCHEDULING = (
    ANYWHERE,
    Scheduling(anti_affinity=(_SHY,)),
    Scheduling(anti_affinity=(replace(_SHY, namespaces=("elsewhere",)),)),
)


@st.composite
def _a_change(draw: st.DrawFn) -> Row | ObjectKey:
    name = draw(st.sampled_from("abc"))
    if draw(st.booleans()):
        row: Row = a_pod(
            name,
            node=draw(st.sampled_from(["", "n1", "n2"])),
            phase=draw(st.sampled_from(["Running", "Failed"])),
            labels=draw(st.sampled_from(_LABELS)),
            requests=Resources(cpu_millicores=draw(st.integers(0, 3)), pods=1),
            owner=OwnerRef(kind="ReplicaSet", name=draw(st.sampled_from("xy")), uid="u"),
            scheduling=draw(st.sampled_from(_SCHEDULING)),
        )
    else:
        row = a_pdb(name, selector=draw(st.sampled_from(_SELECTORS)))
    return row.key if draw(st.integers(0, 3)) == 0 else row


@settings(deadline=None, max_examples=100)
@given(st.lists(_a_change(), max_size=25))
def test_incremental_equals_from_scratch(changes: list[Row | ObjectKey]) -> None:
    store = Store()
    for version, change in enumerate(changes):
        if isinstance(change, ObjectKey):
            store.remove(PodRow if change.kind == "Pod" else PodDisruptionBudgetRow, change)
        else:
            store.apply(replace(change, resource_version=str(version)))
    fresh = Store()
    for kind in (PodDisruptionBudgetRow, PodRow):
        for row in store.rows(kind).values():
            fresh.apply(row)
    assert _answers(store) == _answers(fresh) == _answers(store.copy())


def _answers(store: Store) -> dict[str, object]:
    pods, pdbs = store.rows(PodRow).values(), store.rows(PodDisruptionBudgetRow).values()
    return {
        "on": {node: _names(store.pods_on(node)) for node in ("", "n1", "n2")},
        "of": {name: _names(store.pods_of(ObjectKey("ReplicaSet", "shop", name))) for name in "xy"},
        "repelling": {place: _names(store.repelling(place)) for place in ("shop", "elsewhere")},
        "requested": {node: store.requested_on(node) for node in ("n1", "n2")},
        "selected": {pdb.name: _names(store.pods_selected(pdb)) for pdb in pdbs},
        "pdbs": {pod.name: _names(store.pdbs_of(pod)) for pod in pods},
        "brute": {pdb.name: _names(p for p in pods if pdb.selector.matches(p.labels)) for pdb in pdbs},
        "agrees": all(
            _names(store.pods_selected(pdb)) == _names(p for p in pods if pdb.selector.matches(p.labels))
            for pdb in pdbs
        ),
    }


def _names(rows: object) -> list[str]:
    return sorted(row.name for row in rows)  # type: ignore[attr-defined]

"""What taking pods away means: the order, the budgets, the replicas, and which pods come back at all."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_placement import GONE, HOST, amount, displaced, node, pod, room, spread, taint, term
from tests.support.rows import (
    a_daemon_set,
    a_deployment,
    a_job,
    a_pdb,
    a_replica_set,
    a_snapshot,
    a_stateful_set,
    owned_by,
)

from auto_healing.placement import Placements
from common.cluster.rows import NodeTerm, OwnerRef, PodRow, Row, Scheduling


def test_capacity_is_subtracted_from_pod_to_pod() -> None:
    rows = [node("old"), node("a", allocatable=room(cpu=250)), node("b", allocatable=room(cpu=150))]
    places = displaced(a_snapshot(*rows, *(pod(f"p{number}") for number in range(10))))
    assert sorted(each.to_node for each in places) == [""] * 7 + ["a", "a", "b"]
    assert {each.reason for each in places if not each.to_node} == {
        "0/3 nodes are available: 2 Insufficient cpu, 1 node(s) were unschedulable."
    }


def test_capacity_is_subtracted_from_call_to_call_and_a_copy_goes_its_own_way() -> None:
    snapshot = a_snapshot(node("old"), node("new", allocatable=room(cpu=100)), pod("p"), pod("q"))
    first, second = snapshot.pods_on("old")
    placements = Placements(snapshot, NOON)
    placements.displace((), without_nodes=GONE)
    copied = placements.copy()
    assert placements.displace([first])[0].to_node == "new"
    assert placements.displace([second])[0].fits_nowhere
    assert placements.copy().displace([second]) == ()  # it has been displaced already
    assert copied.displace([second])[0].to_node == "new"


def test_a_pod_that_is_named_twice_goes_once() -> None:
    snapshot = a_snapshot(node("old"), node("new"), a_pdb(disruptions_allowed=1), pod("p"))
    (each,) = snapshot.pods_on("old")
    (only,) = Placements(snapshot, NOON).displace([each, each], without_nodes=GONE)
    assert (only.to_node, only.blocked_by, only.outage) == ("new", (), True)


def test_a_pod_that_is_only_evicted_may_come_back_to_where_it_was() -> None:
    snapshot = a_snapshot(node("old", allocatable=room(cpu=100)), pod("p"))
    (only,) = displaced(snapshot, without=frozenset())
    assert only.to_node == "old"


def test_what_leaves_makes_room_for_what_fitted_nowhere() -> None:
    snapshot = a_snapshot(node("a", allocatable=room(cpu=100)), pod("p", "a"), pod("q", "", phase="Pending"))
    placements = Placements(snapshot, NOON)
    waiting, running = (snapshot.get(PodRow, name, "shop") for name in ("q", "p"))
    assert waiting is not None
    assert running is not None
    assert placements.copy().displace([waiting])[0].fits_nowhere
    tried = placements.copy()
    tried.displace([running], without_nodes=frozenset())
    assert placements.displace([waiting, running])[0].to_node == "a"


def test_the_important_are_placed_first_and_told_in_the_order_asked() -> None:
    vip = Scheduling(priority=1000)
    rows = [node("old"), node("new", allocatable=room(cpu=100)), pod("p"), pod("q", scheduling=vip)]
    assert [(each.pod.name, each.to_node) for each in displaced(a_snapshot(*rows))] == [("p", ""), ("q", "new")]


def test_pods_of_one_controller_are_spread() -> None:
    rows = [node("old"), node("a"), node("b"), node("c"), pod("there", "a"), pod("p"), pod("q")]
    assert {each.to_node for each in displaced(a_snapshot(*rows))} == {"b", "c"}


def test_a_node_that_asks_to_be_left_alone_is_the_last_choice() -> None:
    avoided = node("a", taints=(taint(effect="PreferNoSchedule"),))
    rows = [node("old"), avoided, node("b", allocatable=room(cpu=200)), pod("p"), pod("q"), pod("r")]
    assert [each.to_node for each in displaced(a_snapshot(*rows))] == ["b", "b", "a"]


def test_a_preferred_node_is_the_first_choice() -> None:
    ssd = Scheduling(preferred_nodes=((100, NodeTerm(labels=(("disk", "In", ("ssd",)),))),))
    fast = node("b", labels={"disk": "ssd"})
    rows = [node("old"), node("a"), fast, pod("there", "b", owner=None), pod("p", scheduling=ssd)]
    (only,) = displaced(a_snapshot(*rows))
    assert only.to_node == "b"


def test_replacements_keep_apart_from_one_another() -> None:
    apart = Scheduling(anti_affinity=(term(),))
    rows = [node("old"), node("a"), node("b"), *(pod(f"p{number}", scheduling=apart) for number in range(3))]
    assert sorted(each.to_node for each in displaced(a_snapshot(*rows))) == ["", "a", "b"]


def test_whoever_comes_later_heeds_those_that_came_before() -> None:
    apart = Scheduling(anti_affinity=(term(app="web"),), priority=1)
    rows = [
        node("old"),
        node("a"),
        pod("shy", labels={"app": "db"}, scheduling=apart),
        pod("web", labels={"app": "web"}),
    ]
    shy, web = displaced(a_snapshot(*rows))
    assert (shy.to_node, web.to_node) == ("a", "")
    assert "existing pods anti-affinity" in web.reason


NOT_AGAIN: list[Any] = [
    pytest.param({"phase": "Succeeded"}, "ended", "", id="one that has ended"),
    pytest.param({"owner": None}, "no controller", "", id="one without a controller"),
    pytest.param({"deleted_at": NOON + timedelta(seconds=9)}, "being deleted already", "", id="one that is going"),
    pytest.param(
        {"deleted_at": NOON - timedelta(seconds=90)}, "should have been gone 90 s ago", "", id="one that cannot go"
    ),
    pytest.param({"owner": owned_by(a_daemon_set())}, "DaemonSet", "old", id="one of a DaemonSet"),
    pytest.param(
        {"mirror": True, "owner": OwnerRef(kind="Node", name="old", uid="n")}, "static pod", "old", id="a static pod"
    ),
]


@pytest.mark.parametrize(("overrides", "why", "stays_on"), NOT_AGAIN)
@pytest.mark.parametrize("lost", [True, False], ids=["its node goes", "its node stays"])
def test_pods_for_which_no_place_is_looked_for(overrides: dict[str, Any], why: str, stays_on: str, lost: bool) -> None:
    snapshot = a_snapshot(node("old"), node("new"), pod("p", **overrides))
    (only,) = displaced(snapshot, without=GONE if lost else frozenset())
    assert why in only.reason
    assert (only.to_node, only.fits_nowhere) == ("" if lost else stays_on, False)


@pytest.mark.parametrize(
    ("pdbs", "pods", "expected"),
    [
        pytest.param([a_pdb(disruptions_allowed=2)], [{}, {}], [(), ()], id="as many as it allows"),
        pytest.param([a_pdb(disruptions_allowed=1)], [{}, {}], [(), ("checkout",)], id="one more than it allows"),
        pytest.param([a_pdb(disruptions_allowed=0)], [{}], [("checkout",)], id="none"),
        pytest.param(
            [a_pdb(disruptions_allowed=5), a_pdb("other", disruptions_allowed=5)],
            [{}],
            [("checkout", "other")],
            id="two budgets, which forbid it for ever",
        ),
        pytest.param(
            [a_pdb(disruptions_allowed=1, generation=2)], [{}], [("checkout",)], id="a budget not worked out yet"
        ),
        pytest.param([a_pdb(disruptions_allowed=0)], [{"phase": "Pending"}], [()], id="a pod that never ran"),
        pytest.param([a_pdb(disruptions_allowed=0)], [{"ready": False}], [()], id="not ready, while enough others are"),
        pytest.param(
            [a_pdb(disruptions_allowed=0, current_healthy=1)],
            [{"ready": False}],
            [("checkout",)],
            id="not ready, while too few others are",
        ),
        pytest.param(
            [a_pdb(disruptions_allowed=0, current_healthy=1, unready_may_go=True)],
            [{"ready": False}],
            [()],
            id="not ready, of a budget that always lets such go",
        ),
        pytest.param(
            [a_pdb(disruptions_allowed=1)], [{"ready": False}, {}], [(), ()], id="not ready, which uses nothing up"
        ),
        pytest.param([a_pdb(selector={"app": "other"}, disruptions_allowed=0)], [{}], [()], id="a budget of others"),
    ],
)
def test_disruption_budgets_are_counted_down(
    pdbs: list[Row], pods: list[dict[str, Any]], expected: list[tuple[str, ...]]
) -> None:
    rows = [pod(f"p{number}", **overrides) for number, overrides in enumerate(pods)]
    snapshot = a_snapshot(node("old"), node("new"), *pdbs, *rows)
    assert [each.blocked_by for each in displaced(snapshot)] == expected
    assert all(each.blocked_by == () for each in displaced(snapshot, evicted=False))


def test_a_budget_has_headroom_again_when_replacements_are_ready() -> None:
    snapshot = a_snapshot(node("old"), node("new"), a_pdb(disruptions_allowed=1), pod("p"), pod("q"))
    first, second = snapshot.pods_on("old")
    placements = Placements(snapshot, NOON)
    placements.displace([first], without_nodes=GONE)
    impatient, patient = placements.copy(), placements
    patient.settle()
    assert impatient.displace([second])[0].blocked_by == ("checkout",)
    assert patient.displace([second])[0].blocked_by == ()


DEPLOYMENT = a_deployment()
SET = a_replica_set(owner=owned_by(DEPLOYMENT))
OLDER = a_replica_set("checkout-older", owner=owned_by(DEPLOYMENT))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([pod("p")], [True], id="the only one"),
        pytest.param([pod("p"), pod("q")], [False, True], id="both of two: the second"),
        pytest.param([pod("p"), pod("there", "new")], [False], id="another one is ready elsewhere"),
        pytest.param([pod("p"), pod("there", "new", ready=False)], [True], id="the other one is not ready"),
        pytest.param([pod("p"), pod("there", "new", deleted_at=NOON)], [True], id="the other one is going"),
        pytest.param([pod("p", ready=False)], [False], id="one that serves nobody anyhow"),
        pytest.param(
            [DEPLOYMENT, SET, OLDER, pod("p"), pod("there", "new", owner=owned_by(OLDER))],
            [False],
            id="an older revision serves",
        ),
        pytest.param([pod("p", owner=owned_by(a_job()))], [False], id="of a Job, which serves nobody"),
        pytest.param([pod("p", owner=None)], [True], id="one without a controller"),
        pytest.param([pod("p", owner=owned_by(a_stateful_set()))], [True], id="the only one of a StatefulSet"),
    ],
)
def test_an_outage_is_told_when_the_last_ready_pod_goes(rows: list[Row], expected: list[bool]) -> None:
    assert [each.outage for each in displaced(a_snapshot(node("old"), node("new"), *rows))] == expected


def test_replacements_that_are_ready_spare_a_workload_the_outage() -> None:
    snapshot = a_snapshot(node("old"), node("other"), node("new"), pod("p"), pod("q", "other"))
    placements = Placements(snapshot, NOON)
    placements.displace(snapshot.pods_on("old"), without_nodes=frozenset({"old", "other"}))
    hasty, patient = placements.copy(), placements
    patient.settle()
    assert [each.outage for each in hasty.displace(snapshot.pods_on("other"))] == [True]
    assert [each.outage for each in patient.displace(snapshot.pods_on("other"))] == [False]


def test_a_place_that_counts_no_more_makes_a_spread_easier() -> None:
    """The emptiest zone has no room; when its node is taken away, too, it is no longer the measure."""
    even = Scheduling(spread=(spread(heeds_taints=True),))
    waiting = [pod(name, "", phase="Pending", scheduling=even) for name in ("p", "q")]
    rows = [node("b", zone="zone-b"), node("c", zone="zone-c", allocatable=room(cpu=0)), pod("there", "b"), *waiting]
    placements = Placements(a_snapshot(*rows), NOON)
    assert placements.displace(waiting[:1])[0].fits_nowhere
    assert placements.displace(waiting[1:], without_nodes=frozenset({"c"}))[0].to_node == "b"


def test_more_nodes_than_one_search_looks_at() -> None:
    """The only node with room is the last of many."""
    full = [node(f"full-{number:03d}", allocatable=room(cpu=0)) for number in range(250)]
    moving = [pod("p"), pod("q", scheduling=Scheduling(node_selector={HOST: "last"}), requests=amount(1))]
    snapshot = a_snapshot(node("old"), *full, node("last", allocatable=room(cpu=101)), *moving)
    assert [each.to_node for each in displaced(snapshot)] == ["last", "last"]

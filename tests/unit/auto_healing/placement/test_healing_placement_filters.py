"""What keeps a pod off a node, each with the words that kube-scheduler has for it."""

from typing import Any

import pytest
from tests.support.healing_placement import (
    HOST,
    ZONE,
    amount,
    displaced,
    node,
    pod,
    room,
    spread,
    taint,
    term,
)
from tests.support.rows import a_claim, a_pod, a_snapshot, a_volume

from common.cluster.rows import NodeTerm, OwnerRef, Row, Scheduling, Toleration
from common.cluster.snapshot import SourceState

TOLERANT = (Toleration(key="dedicated", operator="Exists"),)
ONLY_SSD = Scheduling(node_selector={"disk": "ssd"})
SSD = {"labels": {"disk": "ssd"}}


def affinity(*terms: tuple[str, str, tuple[str, ...]], **fields: Any) -> Scheduling:
    return Scheduling(node_terms=(NodeTerm(labels=terms, **fields),))


FITS: list[Any] = [
    pytest.param(node("new"), pod("p"), id="an empty node"),
    pytest.param(node("new", allocatable=room(cpu=100)), pod("p"), id="a node with just enough CPU"),
    pytest.param(node("new", taints=(taint(),)), pod("p", tolerations=TOLERANT), id="a taint that it tolerates"),
    pytest.param(node("new", taints=(taint(effect="PreferNoSchedule"),)), pod("p"), id="a taint that only asks"),
    pytest.param(node("new", **SSD), pod("p", scheduling=ONLY_SSD), id="a node that its selector names"),
    pytest.param(
        node("new", **SSD), pod("p", scheduling=affinity(("disk", "In", ("ssd", "nvme")))), id="a node of its affinity"
    ),
    pytest.param(
        node("new", labels={"cores": "16"}), pod("p", scheduling=affinity(("cores", "Gt", ("8",)))), id="more than 8"
    ),
    pytest.param(
        node("new"),
        pod("p", scheduling=affinity(fields=(("metadata.name", "In", ("new",)),))),
        id="the very node that it asks for",
    ),
    pytest.param(
        node("new", unschedulable=True),
        pod("p", tolerations=(Toleration(operator="Exists"),)),
        id="a cordon that it tolerates",
    ),
    pytest.param(
        node("new", allocatable=room(cpu=0)), pod("p", requests=amount()), id="no CPU for a pod that asks for none"
    ),
]


@pytest.mark.parametrize(("place", "moving"), FITS)
def test_a_pod_goes_to_the_only_node_that_it_fits_on(place: Row, moving: Row) -> None:
    (only,) = displaced(a_snapshot(node("old"), place, moving))
    assert (only.from_node, only.to_node, only.reason, only.fits_nowhere) == ("old", "new", "", False)


GPU = (("nvidia.com/gpu", 1),)
REFUSED: list[Any] = [
    pytest.param(node("new", allocatable=room(cpu=99)), pod("p"), "Insufficient cpu", id="too little CPU"),
    pytest.param(node("new", allocatable=room(memory=99)), pod("p"), "Insufficient memory", id="too little memory"),
    pytest.param(
        node("new"),
        pod("p", requests=amount(ephemeral_bytes=1)),
        "Insufficient ephemeral-storage",
        id="too little ephemeral storage",
    ),
    pytest.param(node("new"), pod("p", requests=amount(extended=GPU)), "Insufficient nvidia.com/gpu", id="no GPU"),
    pytest.param(node("new", allocatable=room(pods=0)), pod("p"), "Too many pods", id="no place for another pod"),
    pytest.param(node("new", unschedulable=True), pod("p"), "node(s) were unschedulable", id="a cordon"),
    pytest.param(
        node("new", taints=(taint(),)), pod("p"), "node(s) had untolerated taint {dedicated: gpu}", id="a taint"
    ),
    pytest.param(
        node("new"), pod("p", scheduling=ONLY_SSD), "node(s) didn't match Pod's node affinity/selector", id="a selector"
    ),
    pytest.param(
        node("new", **SSD),
        pod("p", scheduling=affinity(("disk", "NotIn", ("ssd",)))),
        "node(s) didn't match Pod's node affinity/selector",
        id="an affinity",
    ),
    pytest.param(
        node("new", labels={"cores": "many"}),
        pod("p", scheduling=affinity(("cores", "Gt", ("8",)))),
        "node(s) didn't match Pod's node affinity/selector",
        id="more than what is no number",
    ),
]


@pytest.mark.parametrize(("place", "moving", "why"), REFUSED)
def test_a_pod_that_fits_nowhere_says_why(place: Row, moving: Row, why: str) -> None:
    (only,) = displaced(a_snapshot(node("old"), place, moving))
    parts = sorted([f"1 {why}", "1 node(s) were unschedulable"])
    if why == "node(s) were unschedulable":
        parts = ["2 node(s) were unschedulable"]
    assert (only.to_node, only.fits_nowhere) == ("", True)
    assert only.reason == f"0/2 nodes are available: {', '.join(parts)}."


APART = Scheduling(anti_affinity=(term(),))
TOGETHER = Scheduling(affinity=(term(ZONE, app="cache"),))
AWAY_FROM_SHOP = Scheduling(anti_affinity=(term(namespaces=("shop",)),))
CACHE = {"labels": {"app": "cache"}}
PORT = Scheduling(host_ports=(("TCP", "", 9100),))


def ports(*taken: tuple[str, str, int]) -> Scheduling:
    return Scheduling(host_ports=taken)


@pytest.mark.parametrize(
    ("others", "moving", "why"),
    [
        pytest.param([], pod("p", scheduling=APART), "", id="nobody to stay away from"),
        pytest.param(
            [pod("q", "new")],
            pod("p", scheduling=APART),
            "node(s) didn't match pod anti-affinity rules",
            id="a pod that it stays away from",
        ),
        pytest.param(
            [pod("q", "new", namespace="elsewhere")], pod("p", scheduling=APART), "", id="the like in other namespaces"
        ),
        pytest.param(
            [pod("q", "new", namespace="elsewhere")],
            pod("p", scheduling=Scheduling(anti_affinity=(term(namespaces=("elsewhere",)),))),
            "node(s) didn't match pod anti-affinity rules",
            id="the like in a namespace that it names",
        ),
        pytest.param([pod("q", "new", phase="Succeeded")], pod("p", scheduling=APART), "", id="one that has ended"),
        pytest.param(
            [pod("q", "new", labels={"app": "db"}, scheduling=APART)],
            pod("p"),
            "node(s) didn't satisfy existing pods anti-affinity rules",
            id="a pod that stays away from it",
        ),
        pytest.param(
            [
                pod(
                    "q",
                    "new",
                    namespace="elsewhere",
                    scheduling=Scheduling(anti_affinity=(term(namespaces=("shop",)),)),
                )
            ],
            pod("p"),
            "node(s) didn't satisfy existing pods anti-affinity rules",
            id="a pod of another namespace that stays away from it",
        ),
        pytest.param([pod("q", "new", **CACHE)], pod("p", scheduling=TOGETHER), "", id="company that it asks for"),
        pytest.param(
            [], pod("p", scheduling=TOGETHER), "node(s) didn't match pod affinity rules", id="company that is not there"
        ),
        pytest.param(
            [],
            pod("p", scheduling=Scheduling(affinity=(term(ZONE),))),
            "",
            id="the first of those that want to be together",
        ),
        pytest.param(
            [pod("q", "new", scheduling=PORT)],
            pod("p", scheduling=PORT),
            "node(s) didn't have free ports for the requested pod ports",
            id="a port of the host that is taken",
        ),
        pytest.param(
            [pod("q", "new", scheduling=ports(("UDP", "", 9100)))], pod("p", scheduling=PORT), "", id="another protocol"
        ),
        pytest.param(
            [pod("q", "new", scheduling=ports(("TCP", "10.0.0.1", 9100)))],
            pod("p", scheduling=ports(("TCP", "10.0.0.2", 9100))),
            "",
            id="the port of another address",
        ),
        pytest.param(
            [pod("q", "new", scheduling=ports(("TCP", "10.0.0.1", 9100)))],
            pod("p", scheduling=PORT),
            "node(s) didn't have free ports for the requested pod ports",
            id="the port of any address",
        ),
    ],
)
def test_what_other_pods_have_to_do_with_it(others: list[Row], moving: Row, why: str) -> None:
    (only,) = displaced(a_snapshot(node("old"), node("new"), moving, *others))
    assert only.to_node == ("" if why else "new")
    assert why in only.reason


@pytest.mark.parametrize(
    ("constraint", "on", "expected"),
    [
        pytest.param(spread(), ["b", "b"], "", id="the emptier zone is gone for the pod, and counts for the spread"),
        pytest.param(spread(heeds_taints=True), ["b", "b"], "b", id="unless taints are heeded"),
        pytest.param(spread(max_skew=3), ["b", "b"], "b", id="a wider spread"),
        pytest.param(spread(), [], "b", id="the first one"),
        pytest.param(spread(min_domains=3, heeds_taints=True), ["b"], "", id="fewer zones than it asks for"),
        pytest.param(spread("rack"), [], "", id="nodes without the label"),
    ],
)
def test_topology_spread(constraint: Any, on: list[str], expected: str) -> None:
    others = [pod(f"q{number}", name) for number, name in enumerate(on)]
    moving = pod("p", scheduling=Scheduling(spread=(constraint,)))
    (only,) = displaced(a_snapshot(node("old"), node("b", zone="zone-b"), moving, *others))
    assert only.to_node == expected
    assert ("topology spread" in only.reason) == (not expected)


def test_pods_of_another_revision_do_not_count_for_a_spread_that_says_so() -> None:
    others = [pod(f"q{number}", "b", labels={"app": "checkout", "hash": "old"}) for number in range(2)]
    rule = spread(heeds_taints=True, same_labels=("hash",))
    moving = pod("p", labels={"app": "checkout", "hash": "new"}, scheduling=Scheduling(spread=(rule,)))
    nodes = [node("old"), node("b", zone="zone-b"), node("c", zone="zone-c", allocatable=room(cpu=0))]
    (only,) = displaced(a_snapshot(*nodes, moving, *others))
    assert only.to_node == "b"


IN_ZONE_B = (NodeTerm(labels=((ZONE, "In", ("zone-b",)),)),)
CLAIM = "data"


def mounting(name: str, on: str = "old", **overrides: Any) -> Row:
    return pod(name, on, claims=(CLAIM,), **overrides)


@pytest.mark.parametrize(
    ("others", "expected", "why"),
    [
        pytest.param([a_claim(CLAIM), a_volume("pv-data", node_terms=IN_ZONE_B)], "b", "", id="a volume of one zone"),
        pytest.param(
            [a_claim(CLAIM), a_volume("pv-data", node_terms=(NodeTerm(labels=((HOST, "In", ("old",)),)),))],
            "",
            "2 node(s) didn't match PersistentVolume's node affinity",
            id="a volume of the node itself",
        ),
        pytest.param([], "", '0/3 nodes are available: persistentvolumeclaim "data" not found.', id="no claim"),
        pytest.param([a_claim(CLAIM)], "", "bound to a volume that does not exist", id="no volume"),
        pytest.param([a_claim(CLAIM, phase="Pending", volume="")], "any", "", id="a claim that is not bound yet"),
        pytest.param(
            [a_claim(CLAIM, access_modes=("ReadWriteOnce",)), a_volume("pv-data"), mounting("q", "b")],
            "b",
            "",
            id="a volume for one node that another pod uses there",
        ),
        pytest.param(
            [a_claim(CLAIM, access_modes=("ReadWriteOncePod",)), a_volume("pv-data"), mounting("q", "b")],
            "",
            "2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod",
            id="a volume for one pod that another uses",
        ),
        pytest.param(
            [a_claim(CLAIM, owner=OwnerRef(kind="Pod", name="p", uid="p")), a_volume("pv-data", node_terms=IN_ZONE_B)],
            "any",
            "",
            id="an ephemeral volume, which its replacement gets anew",
        ),
    ],
)
def test_volumes(others: list[Row], expected: str, why: str) -> None:
    nodes = [node("old"), node("b", zone="zone-b"), node("c", zone="zone-c")]
    (only,) = displaced(a_snapshot(*nodes, mounting("p"), *others), "p")
    assert only.to_node in ({"b", "c"} if expected == "any" else {expected})
    assert why in only.reason


def test_claims_that_cannot_be_seen_hold_nothing_against_a_node() -> None:
    sources = {"PersistentVolumeClaim": SourceState.UNSEEN}
    (only,) = displaced(a_snapshot(node("old"), node("new"), mounting("p"), sources=sources))
    assert only.to_node == "new"


def test_pods_that_share_a_volume_for_one_node_stay_together() -> None:
    rows = [node("old"), node("b"), node("c"), a_claim(CLAIM, access_modes=("ReadWriteOnce",)), a_volume("pv-data")]
    places = {each.to_node for each in displaced(a_snapshot(*rows, mounting("p"), mounting("q"), mounting("r")))}
    assert places in ({"b"}, {"c"})


def test_scheduling_gates_hold_a_pod_back() -> None:
    (only,) = displaced(a_snapshot(node("old"), node("new"), pod("p", scheduling=Scheduling(gates=("quota",)))))
    assert (only.to_node, only.fits_nowhere) == ("", True)
    assert "scheduling gates" in only.reason


def test_reasons_are_counted_over_all_nodes() -> None:
    nodes = [
        node("old"),
        *(node(f"full-{i}", allocatable=room(memory=50)) for i in range(3)),
        node("x", taints=(taint(),)),
    ]
    (only,) = displaced(a_snapshot(*nodes, pod("p")))
    assert only.reason == (
        "0/5 nodes are available: 3 Insufficient memory, 1 node(s) had untolerated taint {dedicated: gpu}, "
        "1 node(s) were unschedulable."
    )


def test_without_nodes_there_is_no_node() -> None:
    snapshot = a_snapshot(a_pod("p", node="", owner=pod("q").owner, phase="Pending"))
    (only,) = displaced(snapshot, "p")
    assert only.reason == "no nodes available to schedule pods"


def test_gpus_are_given_away_one_by_one() -> None:
    gpu = {"requests": amount(extended=GPU)}
    spare = amount(1000, 1024, pods=10, extended=(("nvidia.com/gpu", 2),))
    rows = [node("old"), node("new", allocatable=spare), pod("there", "new", **gpu)]
    first, second = displaced(a_snapshot(*rows, pod("a", **gpu), pod("b", **gpu)))
    assert first.to_node == "new"
    assert second.reason == "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) were unschedulable."

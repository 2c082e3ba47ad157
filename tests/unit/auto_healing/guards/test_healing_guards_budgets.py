"""Guards that count what is out of service: budgets, ratios, the control plane's majority, room elsewhere."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.healing_facts import (
    Case,
    a_dark_node,
    a_finding,
    a_looping_pod,
    a_past_run,
    a_settings,
    an_active_run,
    assert_says,
    moves,
)
from tests.support.rows import (
    APP,
    a_condition,
    a_daemon_set,
    a_deployment,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    owned_by,
)

from auto_healing.guards.capacity import Capacity
from auto_healing.guards.disruption_budget import DisruptionBudget, share_of
from auto_healing.guards.quorum import Quorum
from auto_healing.guards.unhealthy_ratio import UnhealthyRatio
from auto_healing.plan import Harm, Mode
from common.cluster.rows import NodeRow, Row, Taint
from common.contracts import ObjectKey

MINUTE = timedelta(minutes=1)
PRESSED = (a_condition("Ready"), a_condition("DiskPressure"))


def a_sick_node(name: str = "node-1", **overrides: Any) -> NodeRow:
    """Ready, but short of disk: acting on it takes a working node away."""
    return a_node(name, **({"conditions": PRESSED} | overrides))


def pool(count: int, *, dark: int = 0, zones: int = 3, name: str = "blue", **overrides: Any) -> list[Row]:
    """Nodes of one pool, spread over zones; the first ones are dark."""
    return [
        (a_dark_node if n < dark else a_node)(
            f"{name}-{n}",
            labels={"karpenter.sh/nodepool": name, "topology.kubernetes.io/zone": f"z{n % zones}"},
            **overrides,
        )
        for n in range(count)
    ]


def about_disk(node: NodeRow) -> tuple[Any, ...]:
    return (a_finding(node, "node-disk-pressure"),)


SICK = a_sick_node()
DARK = a_dark_node()
DRAIN: dict[str, Any] = {"action": "drain"}
BLUE = {"karpenter.sh/nodepool": "blue"}
# Ten nodes, of which two may be out: one is short of disk, one is dark, and the cluster has room for more.
TEN = [
    a_sick_node("blue-0", labels=BLUE),
    a_dark_node("blue-1", labels=BLUE),
    *pool(10, zones=9)[2:],
    *pool(30, name="red"),
]


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(target=SICK), "", id="nothing else is out of service"),
        pytest.param(
            Case(rows=[SICK, a_dark_node("node-2", zone="zone-b")]),
            "1 of 3 nodes of pool (none) are out of service, and at most 1 may be at once",
            id="a node that is not ready counts, whoever broke it",
        ),
        pytest.param(
            Case(rows=[SICK, a_node("node-2", unschedulable=True)]), "of pool (none)", id="so does one that is cordoned"
        ),
        pytest.param(
            Case(rows=[DARK, a_dark_node("node-2", zone="zone-b")]),
            "",
            id="a dark node takes nothing away, though another is dark",
        ),
        pytest.param(
            Case(rows=[DARK, a_node("node-2", unschedulable=True)]), "", id="nor though somebody keeps one cordoned"
        ),
        pytest.param(
            Case(rows=[DARK, a_dark_node("node-2", zone="zone-b")], history=(an_active_run(a_dark_node("node-2")),)),
            "1 of 3 nodes of pool (none)",
            id="but one at a time is worked on",
        ),
        pytest.param(
            Case(rows=[DARK, a_node("node-2", zone="zone-b", deleted_at=NOON)]),
            "of pool (none)",
            id="also by others: a deletion",
        ),
        pytest.param(
            Case(
                rows=[
                    DARK,
                    a_node("node-2", zone="zone-b", taints=(Taint(key="karpenter.sh/disrupted", effect="NoSchedule"),)),
                    *pool(20),
                ]
            ),
            "of pool (none)",
            id="also by Karpenter",
        ),
        pytest.param(
            Case(rows=[DARK, *pool(20, zones=1)], history=(an_active_run(a_node("blue-3")),)),
            "",
            id="work in another pool and zone, of which the cluster has room for two",
        ),
        pytest.param(
            Case(rows=[a_dark_node(zone="z0"), *pool(40)], history=(an_active_run(a_node("blue-3")),)),
            "1 node of zone z0 being worked on (blue-3), and at most 1 may be at once",
            id="one node of a zone at a time",
        ),
        pytest.param(
            Case(
                rows=[a_dark_node(zone="z0"), *pool(40)],
                history=(an_active_run(a_node("blue-3")),),
                settings={"disruption_budget": {"nodes_per_zone": 2}},
            ),
            "",
            id="two where the policy says so",
        ),
        pytest.param(
            Case(rows=pool(9, dark=1), history=(an_active_run(a_node("blue-1")),), facts={}),
            "1 of 9 nodes of pool blue",
            id="of nine nodes one is a fifth",
        ),
        pytest.param(
            Case(
                rows=[*pool(10, dark=1, zones=5), *pool(30, name="red")],
                history=(an_active_run(a_node("blue-1")),),
            ),
            "",
            id="of ten nodes two are",
        ),
        pytest.param(
            Case(
                rows=[*pool(10, dark=1, zones=5), *pool(30, name="red")],
                facts={"planned": (an_active_run(a_node("blue-1")), an_active_run(a_node("blue-2")))},
            ),
            "2 of 10 nodes of pool blue",
            id="what was allowed a moment ago counts",
        ),
        pytest.param(
            Case(rows=[DARK], settings={"disruption_budget": {"pool_ratio": 0.0}}),
            "at most 0 may be at once",
            id="a ratio of zero allows none",
        ),
        pytest.param(
            Case(rows=[DARK], settings={"disruption_budget": {"cluster_ratio": 0.0}}),
            "nodes of the cluster are out of service, and at most 0",
            id="nor of the cluster",
        ),
        pytest.param(
            Case(rows=[DARK], settings={"disruption_budget": {"nodes_per_zone": 0}}), "at most 0", id="nor of a zone"
        ),
        pytest.param(
            Case(rows=[DARK], history=(an_active_run(a_node("node-2"), harm=Harm.RESTORING),)),
            "",
            id="a restoring run takes nothing away",
        ),
        pytest.param(Case(rows=TEN), "", id="of ten nodes one is dark"),
        pytest.param(
            Case(rows=TEN, history=(an_active_run(a_node("blue-2")),)),
            "2 of 10 nodes of pool blue are out of service, and at most 2",
            id="of ten nodes one is dark, and a well one is worked on",
        ),
        pytest.param(
            Case(rows=TEN, history=(an_active_run(a_node("blue-2"), node=""),)),
            "2 of 10 nodes of pool blue",
            id="a run that knows no place is where its target is",
        ),
        pytest.param(
            Case(
                rows=TEN,
                history=(an_active_run(a_node("blue-1")),),
                settings={"disruption_budget": {"nodes_per_zone": 9}},
            ),
            "",
            id="a dark node that is worked on counts once",
        ),
        pytest.param(Case(rows=[DARK], history=(an_active_run(DARK),)), "", id="the node itself does not count"),
        pytest.param(
            Case(rows=[DARK], history=(a_past_run(a_node("node-2")),)), "", id="nor does a run that has ended"
        ),
    ],
)
def test_the_budget_of_nodes(case: Case, refusal: str) -> None:
    decline = DisruptionBudget().check(*case.build())
    assert_says(decline, refusal)
    assert decline is None or {"used", "budget"} <= set(decline.numbers)


READY = a_pod("checkout-a", owner=owned_by(a_replica_set()))
CRASHING = a_looping_pod("checkout-a")
PULLING = a_pod("checkout-a", owner=owned_by(a_replica_set()), phase="Pending", ready=False)
NO_ROOM = a_pdb(disruptions_allowed=0, current_healthy=2)
ENOUGH = a_pdb(disruptions_allowed=0, current_healthy=2, desired_healthy=2)


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(rows=[READY, a_pdb()], action="evict-pod"), "", id="its PDB has room"),
        pytest.param(
            Case(rows=[READY, NO_ROOM], action="evict-pod"),
            "PDB shop/checkout forbids to disrupt pod checkout-a: 2 of its pods are healthy, and it wants 2",
            id="its PDB has none",
        ),
        pytest.param(
            Case(rows=[READY, NO_ROOM], action="delete-pod"), "PDB shop/checkout forbids", id="for a deletion too"
        ),
        pytest.param(Case(rows=[CRASHING, NO_ROOM], action="delete-pod"), "", id="a crashing pod may be deleted"),
        pytest.param(
            Case(rows=[CRASHING, ENOUGH], action="evict-pod"), "", id="or evicted, while enough others are healthy"
        ),
        pytest.param(
            Case(rows=[CRASHING, a_pdb(disruptions_allowed=0, current_healthy=1)], action="evict-pod"),
            "1 of its pods are healthy, and it wants 2",
            id="but not evicted while too few are",
        ),
        pytest.param(
            Case(
                rows=[CRASHING, a_pdb(disruptions_allowed=0, current_healthy=1, unready_may_go=True)],
                action="evict-pod",
            ),
            "",
            id="unless its PDB always lets go what is not ready",
        ),
        pytest.param(
            Case(rows=[CRASHING, a_pdb(generation=2, unready_may_go=True)], action="evict-pod"),
            "",
            id="then not even its controller is waited for",
        ),
        pytest.param(
            Case(rows=[PULLING, a_pdb(disruptions_allowed=0, current_healthy=1)], action="evict-pod"),
            "",
            id="a pod that never started asks no PDB",
        ),
        pytest.param(Case(rows=[PULLING, a_pdb(), a_pdb("second")], action="evict-pod"), "", id="nor two of them"),
        pytest.param(
            Case(rows=[READY, a_pdb(generation=2)], action="evict-pod"),
            "its controller has not looked yet",
            id="a new PDB",
        ),
        pytest.param(
            Case(rows=[READY, a_pdb(), a_pdb("second")], action="evict-pod"),
            "can never be evicted: more than one PDB selects it (checkout, second)",
            id="two PDBs are one too many",
        ),
        pytest.param(
            Case(rows=[READY, NO_ROOM], action="restart-surge-first"),
            "",
            id="a surge brings the new pod before the old goes",
        ),
        pytest.param(
            Case(rows=[a_pod("x", phase="Failed"), NO_ROOM], action="evict-pod"), "", id="a pod that has ended"
        ),
        pytest.param(
            Case(rows=[a_pod("x", deleted_at=NOON, labels=APP), NO_ROOM], action="evict-pod"),
            "",
            id="a pod that is leaving",
        ),
        pytest.param(
            Case(rows=[DARK, READY, NO_ROOM], step={"displaces": (moves(READY),)}, **DRAIN),
            "PDB shop/checkout forbids",
            id="a drain is held by the PDB of one of its pods",
        ),
        pytest.param(Case(rows=[READY], action="evict-pod"), "", id="all replicas are ready"),
        pytest.param(
            Case(rows=[READY, a_deployment(ready_replicas=2)], action="evict-pod"),
            "1 of 3 replicas of Deployment shop/checkout are missing already, and at most 1 may",
            id="one is missing already",
        ),
        pytest.param(
            Case(rows=[READY, a_deployment(replicas=8, ready_replicas=7)], action="evict-pod"),
            "",
            id="one of eight may be",
        ),
        pytest.param(
            Case(rows=[CRASHING, a_deployment(ready_replicas=2)]), "", id="what crashes is the one that is missing"
        ),
        pytest.param(
            Case(rows=[READY, a_deployment(replicas=1)], action="evict-pod"),
            "",
            id="a single replica is another question",
        ),
        pytest.param(
            Case(
                rows=[READY],
                action="evict-pod",
                settings={"disruption_budget": {"workload_ratio": 0.0}},
            ),
            "0 of 3 replicas of Deployment shop/checkout are missing already, and at most 0 may",
            id="a ratio of zero",
        ),
    ],
)
def test_the_budget_of_pods(case: Case, refusal: str) -> None:
    assert_says(DisruptionBudget().check(*case.build()), refusal)


# --- unhealthy ratio


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(target=DARK), "", id="one dark node"),
        pytest.param(
            Case(rows=pool(6, dark=3, zones=1), settings={"unhealthy_ratio": {"pool_ratio": 1.0}}), "", id="half a zone"
        ),
        pytest.param(
            Case(rows=pool(5, dark=3, zones=1)),
            "3 of 5 nodes of zone z0 have trouble with Ready, 60%",
            id="three of five are 60 % of a zone",
        ),
        pytest.param(Case(rows=pool(2, dark=2, zones=1)), "", id="two nodes are no zone"),
        pytest.param(
            Case(rows=[a_looping_pod(node="blue-4"), *pool(5, dark=3, zones=1)]),
            "of zone z0",
            id="in a zone that fails pods are left alone too",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(node="node-1"), *pool(5, dark=3, zones=1)]), "", id="pods of another zone are not"
        ),
        pytest.param(
            Case(rows=[a_sick_node("blue-3", labels={"topology.kubernetes.io/zone": "z0"}), *pool(3, dark=3, zones=1)]),
            "have trouble with Ready",
            id="a zone whose nodes are dark holds for other trouble as well",
        ),
        pytest.param(
            Case(rows=pool(60, dark=24, zones=60)),
            "24 of 60 nodes of pool blue have trouble with Ready, 40%: from 40% on",
            id="40 % of a large pool",
        ),
        pytest.param(Case(rows=pool(60, dark=23, zones=60)), "", id="less than 40 % of a large pool"),
        pytest.param(
            Case(
                rows=[
                    a_sick_node("blue-99", labels={"karpenter.sh/nodepool": "blue"}),
                    *pool(60, dark=30, zones=60),
                ],
                findings=about_disk(a_sick_node("blue-99")),
            ),
            "",
            id="each condition is counted for itself",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(node="blue-50"), *pool(60, dark=30, zones=60)]),
            "",
            id="a pool holds nodes, not pods",
        ),
        pytest.param(Case(rows=pool(4, dark=2, zones=4)), "", id="two of four nodes: one is repaired"),
        pytest.param(
            Case(rows=pool(4, dark=2, zones=4), history=(an_active_run(a_node("blue-1")),)),
            "2 of 4 nodes of pool blue",
            id="but not both at once",
        ),
        pytest.param(
            Case(rows=pool(4, dark=2, zones=4), settings={"unhealthy_ratio": {"small_pool_repairs": 0}}),
            "2 of 4 nodes of pool blue",
            id="none, where the policy says so",
        ),
        pytest.param(
            Case(rows=pool(4, dark=3, zones=1), action="clean-failed-pods"), "", id="tidying up harms no zone"
        ),
    ],
)
def test_unhealthy_ratio(case: Case, refusal: str) -> None:
    assert_says(UnhealthyRatio().check(*case.build()), refusal)


@settings(max_examples=100, deadline=None)
@given(size=st.integers(1, 50), data=st.data())
def test_pools_of_up_to_fifty_nodes_always_allow_one_repair_unless_configured_zero(
    size: int, data: st.DataObject
) -> None:
    """20 % of four nodes was none: such pools were never repaired, or frozen for hours when two nodes were down."""
    dark = data.draw(st.integers(1, size), label="dark nodes")
    spread: dict[str, Any] = {"rows": pool(size, dark=dark, zones=size)}  # a whole zone that fails is another rule
    for guard in (DisruptionBudget(), UnhealthyRatio()):
        assert guard.check(*Case(**spread).build()) is None
    assert DisruptionBudget().check(*Case(**spread, settings={"disruption_budget": {"pool_ratio": 0.0}}).build()), (
        "a ratio of 0 allows none"
    )
    none_at_40 = Case(**spread, settings={"unhealthy_ratio": {"small_pool_repairs": 0}})
    assert (UnhealthyRatio().check(*none_at_40.build()) is not None) == (dark >= 0.4 * size)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 80), ratio=st.floats(0.01, 1), sick=st.integers(0, 40), cordoned=st.integers(0, 40))
def test_no_more_nodes_are_taken_away_than_the_budget_has(size: int, ratio: float, sick: int, cordoned: int) -> None:
    """One after the other, each seen by those that come after it, whatever others have taken out before."""
    rows = pool(size, zones=size)
    out = [a_node(row.name, labels=row.labels, unschedulable=True) for row in rows[:cordoned]]
    nodes = [*out, *rows[cordoned:]]
    taken: list[Any] = []
    for row in nodes[cordoned : cordoned + sick]:
        node = a_node(row.name, labels=row.labels, conditions=PRESSED)
        case = Case(
            rows=[node, *(each for each in nodes if each.name != node.name)],
            history=tuple(taken),
            settings={"disruption_budget": {"pool_ratio": ratio, "cluster_ratio": 1.0}},
        )
        if DisruptionBudget().check(*case.build()) is None:
            taken.append(an_active_run(node))
    assert len(taken) + min(cordoned, size) <= max(share_of(ratio, size), min(cordoned, size))


# --- quorum


def control_plane(*states: bool) -> list[Row]:
    """Its nodes, ready or not, each with etcd and an API server that are as ready."""
    rows: list[Row] = []
    for n, ready in enumerate(states):
        labels = {"node-role.kubernetes.io/control-plane": "", "topology.kubernetes.io/zone": f"z{n}"}
        rows.append((a_node if ready else a_dark_node)(f"master-{n}", labels=labels))
        rows += [
            a_pod(
                f"{component}-master-{n}",
                namespace="kube-system",
                node=f"master-{n}",
                ready=ready,
                labels={"component": component},
            )
            for component in ("etcd", "kube-apiserver")
        ]
    return rows


def of_etcd(*ready: bool) -> list[Row]:
    return [
        a_pod(f"etcd-{n}", namespace="kube-system", ready=each, labels={"component": "etcd"})
        for n, each in enumerate(ready)
    ]


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(target=DARK), "", id="a worker"),
        pytest.param(Case(rows=control_plane(False, True, True)), "", id="two of three stay"),
        pytest.param(
            Case(rows=control_plane(False, True)),
            "Without node master-0 1 of 2 control-plane nodes would be ready, and their majority is 2",
            id="one of two is no majority",
        ),
        pytest.param(Case(rows=control_plane(False)), "0 of 1 control-plane nodes", id="there is only one"),
        pytest.param(Case(rows=control_plane(True, False, True)), "majority is 2", id="another of three is not ready"),
        pytest.param(
            Case(rows=control_plane(False, False, True, True, True)),
            "Control-plane node master-1 is not ready: one at a time",
            id="another of five is not ready",
        ),
        pytest.param(
            Case(rows=control_plane(False, True, True), history=(an_active_run(a_node("master-2")),)),
            "Control-plane node master-2 is being worked on: one at a time",
            id="another is worked on",
        ),
        pytest.param(Case(rows=of_etcd(False, True, True)), "", id="etcd keeps two of three"),
        pytest.param(
            Case(rows=of_etcd(True, False, True)),
            "1 of 3 pods of etcd would stay ready, and 2 must",
            id="etcd would not",
        ),
        pytest.param(
            Case(
                rows=[DARK, *of_etcd(True, True)],
                step={"displaces": (moves(a_pod("etcd-0", namespace="kube-system")),)},
                **DRAIN,
            ),
            "1 of 2 pods of etcd",
            id="a drain would take etcd with it",
        ),
        pytest.param(
            Case(target=a_pod("api", namespace="kube-system", labels={"component": "kube-apiserver"})),
            "0 of 1 pods of kube-apiserver would stay ready, and 1 must",
            id="the only API server",
        ),
        pytest.param(Case(target=a_pod("api", labels={"component": "kube-apiserver"})), "", id="somebody's own etcd"),
    ],
)
def test_quorum(case: Case, refusal: str) -> None:
    assert_says(Quorum().check(*case.build()), refusal)


# --- capacity

ALONE = {"displaces": (moves(READY, outage=True),)}


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(rows=[READY]), "", id="it runs on elsewhere"),
        pytest.param(
            Case(rows=[READY], step={"displaces": (moves(READY, "", reason="no node has 8 free CPUs"),)}),
            "Pod shop/checkout-a would not run again: no node has 8 free CPUs",
            id="it fits nowhere",
        ),
        pytest.param(Case(rows=[READY], step={"displaces": ()}), "plan it anew", id="nobody has looked"),
        pytest.param(Case(rows=[DARK], step={"displaces": ()}, **DRAIN), "", id="an empty node has nothing to place"),
        pytest.param(
            Case(rows=[READY], step={"displaces": (moves(READY, "node-9"),)}),
            "on node node-9, which is gone",
            id="gone",
        ),
        pytest.param(
            Case(rows=[READY, a_node("node-2", unschedulable=True)]),
            "which is cordoned now",
            id="cordoned since the plan",
        ),
        pytest.param(Case(rows=[READY, a_dark_node("node-2")]), "which is not ready now", id="its destination fell"),
        pytest.param(
            Case(rows=[READY], step={"displaces": (moves(a_pod("checkout-a", uid="before"), ""),)}),
            "",
            id="what was to be displaced is gone already",
        ),
        pytest.param(
            Case(
                rows=[a_pod("agent", owner=owned_by(a_daemon_set()))], step={"displaces": (moves(a_pod("agent"), ""),)}
            ),
            "",
            id="a DaemonSet's pod belongs to its node",
        ),
        pytest.param(
            Case(rows=[a_pod("done", phase="Succeeded")], step={"displaces": (moves(a_pod("done"), ""),)}),
            "",
            id="a pod that has ended need not run again",
        ),
        pytest.param(Case(rows=[a_pod("bare")]), "has no owner that would make it again", id="a pod that nobody owns"),
        pytest.param(Case(rows=[a_pod("bare")], facts={"by_hand": True}), "", id="unless a person asks for it"),
        pytest.param(
            Case(rows=[READY], step=ALONE), "is the only ready replica of its workload: surge first", id="an outage"
        ),
        pytest.param(Case(rows=[READY], step=ALONE, mode=Mode.APPROVE), "", id="an outage that a person approves"),
        pytest.param(
            Case(rows=[READY], step=ALONE, facts={"by_hand": True}), "", id="an outage that a person asks for"
        ),
        pytest.param(
            Case(rows=[READY], step=ALONE, settings={"capacity": {"outages": "allow"}}),
            "",
            id="the policy allows outages",
        ),
        pytest.param(Case(rows=[READY], step=ALONE, action="restart-surge-first"), "", id="a surge makes no outage"),
        pytest.param(
            Case(rows=[CRASHING], step={"displaces": (moves(CRASHING, outage=True),)}),
            "",
            id="what crashes serves nobody",
        ),
    ],
)
def test_capacity(case: Case, refusal: str) -> None:
    assert_says(Capacity().check(*case.build()), refusal)


@pytest.mark.parametrize(
    ("ratio", "of", "share"), [(0.2, 4, 1), (0.2, 10, 2), (0.29, 100, 29), (0.07, 100, 7), (1.0, 3, 3), (0.0, 50, 0)]
)
def test_a_share_is_rounded_down_to_at_least_one(ratio: float, of: int, share: int) -> None:
    assert share_of(ratio, of) == share


def test_settings_of_a_share_are_shares() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        a_settings(disruption_budget={"pool_ratio": 20.0})


def test_a_key_that_is_no_setting_is_told() -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        a_settings(disruption_budget={"pool_rato": 0.2})


def test_a_node_is_a_disruption_of_its_own_pool_only() -> None:
    key = ObjectKey("Node", "", "red-1")
    case = Case(rows=[*pool(4, dark=1, zones=4), *pool(40, name="red", zones=40)], history=(an_active_run(key),))
    assert DisruptionBudget().check(*case.build()) is None

"""Every verdict, and what is observed for it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.healing_execution import A_NODE, A_POD, a_step
from tests.support.healing_store import a_plan, a_stored_run
from tests.support.rows import (
    a_condition,
    a_deployment,
    a_node,
    a_pdb,
    a_pod,
    a_replica_set,
    a_snapshot,
    a_stateful_set,
    owned_by,
)

from auto_healing.effect import Effect, effect_of
from auto_healing.fault import Fault, FaultLevel
from auto_healing.plan import Displacement, Plan
from auto_healing.run import Place, Run, RunState
from auto_healing.verify import Observation, Ruling, judge, observe, seconds_to_heal
from common.cluster.rows import PodRow
from common.cluster.snapshot import SourceState
from common.contracts import Finding, ObjectRef, Severity

WINDOW = timedelta(minutes=5)
DEPLOYMENT = a_deployment("checkout", replicas=2, ready_replicas=2)
REPLICA_SET = a_replica_set("checkout-7d4b9c", owner=owned_by(DEPLOYMENT), replicas=2, ready_replicas=2)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_run(**changes: Any) -> Run:
    """All its steps were done at NOON."""
    place = changes.pop("place", Place(owner=DEPLOYMENT.key, node="node-1"))
    return a_stored_run(RunState.VERIFYING, started_at=NOON, verifying_at=NOON, place=place, **changes)


def a_finding(about: ObjectRef = A_POD, code: str = "pod-crash-loop", since: float = -60, **changes: Any) -> Finding:
    values = {"severity": Severity.WARNING, "message": "it does not work"} | changes
    return Finding(code=code, object=about, since=at(since), **values)


def seen(healthy: bool = True, healthy_since: float | None = 0, **changes: Any) -> Observation:
    since = None if healthy_since is None else at(healthy_since)
    return Observation(effect=Effect(healthy=healthy, reason="its pods", healthy_since=since), **changes)


@pytest.mark.parametrize(
    ("observation", "seconds", "ruling"),
    [
        pytest.param(seen(), 60, Ruling.HEALED, id="well for a fifth of the window: healed"),
        pytest.param(seen(), 59, Ruling.WAITING, id="well, but not for long enough yet"),
        pytest.param(seen(healthy_since=None), 6, Ruling.HEALED, id="nothing that could have a time of its own"),
        pytest.param(seen(healthy_since=-9), 4, Ruling.WAITING, id="the view may be older than the last write"),
        pytest.param(seen(healthy_since=290), 300, Ruling.WAITING, id="well just before the end: waited for"),
        pytest.param(seen(healthy=False), 299, Ruling.WAITING, id="not ready within the window"),
        pytest.param(seen(healthy=False), 300, Ruling.FAILED, id="not ready at the end of the window"),
        pytest.param(seen(unresolved=(a_finding(),)), 299, Ruling.WAITING, id="its finding is open, with time left"),
        pytest.param(seen(unresolved=(a_finding(),)), 300, Ruling.FAILED, id="its finding is open at the end"),
        pytest.param(seen(new_around=(a_finding(),)), 299, Ruling.WAITING, id="a neighbour has a new warning"),
        pytest.param(seen(new_around=(a_finding(),)), 300, Ruling.FAILED, id="a neighbour has it still at the end"),
        pytest.param(
            seen(new_around=(a_finding(severity=Severity.CRITICAL),)),
            6,
            Ruling.FAILED,
            id="a neighbour begins to fail critically: not waited for",
        ),
        pytest.param(
            seen(healthy=False, new_on_target=(a_finding(since=200),)),
            300,
            Ruling.WAITING,
            id="its trouble took another name lately, as Unknown turns into False at a reboot: frozen",
        ),
        pytest.param(
            seen(healthy=False, new_on_target=(a_finding(since=0),)),
            300,
            Ruling.FAILED,
            id="the other name has had its own window",
        ),
        pytest.param(
            seen(healthy=False, new_on_target=(a_finding(since=590),)),
            600,
            Ruling.FAILED,
            id="one name after another is not waited for longer than two windows",
        ),
        pytest.param(seen(blind="no view"), 60, Ruling.WAITING, id="blind: no verdict, though all looks well"),
        pytest.param(seen(healthy=False, blind="no view"), 9999, Ruling.WAITING, id="blind: no failure either"),
    ],
)
def test_the_verdict(observation: Observation, seconds: float, ruling: Ruling) -> None:
    verdict = judge(a_run(), observation, at(seconds))
    assert verdict.ruling is ruling
    assert verdict.reason


def test_time_without_a_view_counts_towards_no_window() -> None:
    bad = seen(healthy=False)
    assert judge(a_run(), bad, at(350), timedelta(seconds=60)).ruling is Ruling.WAITING
    assert judge(a_run(), bad, at(360), timedelta(seconds=60)).ruling is Ruling.FAILED


def test_without_a_window_the_first_look_decides() -> None:
    run = a_run(plan=a_plan(verify_window=timedelta(0)))
    assert judge(run, seen(), NOON).ruling is Ruling.HEALED
    assert judge(run, seen(healthy=False), NOON).ruling is Ruling.FAILED


@given(st.booleans(), st.floats(0, 1e4), st.floats(0, 1e4))
def test_more_trouble_never_makes_a_better_verdict(healthy: bool, seconds: float, later: float) -> None:
    rank = [Ruling.FAILED, Ruling.WAITING, Ruling.HEALED]
    good = judge(a_run(), seen(healthy), at(seconds)).ruling
    worse = judge(a_run(), seen(healthy, unresolved=(a_finding(),)), at(seconds)).ruling
    assert rank.index(worse) <= rank.index(good)
    if good is Ruling.FAILED:
        assert judge(a_run(), seen(healthy), at(seconds + later)).ruling is Ruling.FAILED


def pod_after(name: str = "checkout-2", **changes: Any) -> PodRow:
    """Made by the deployment after the run began."""
    values = {"owner": owned_by(REPLICA_SET), "created_at": NOON, "ready_changed_at": at(20), "node": "node-2"}
    return a_pod(name, **(values | changes))


@pytest.mark.parametrize(
    ("rows", "healthy", "reason"),
    [
        pytest.param((pod_after(),), True, "checkout-2 is ready", id="its replacement is ready"),
        pytest.param((pod_after(ready=False),), False, "checkout-2 is not ready", id="its replacement is not ready"),
        pytest.param(
            (a_pod("checkout-1", uid=A_POD.uid, deleted_at=at(30)), pod_after()), False, "still there", id="it goes"
        ),
        pytest.param((a_pod("checkout-1", uid=A_POD.uid),), True, "checkout-1 is ready", id="it lives and is ready"),
        pytest.param((a_pod("checkout-1", uid=A_POD.uid, ready=False),), False, "not ready", id="it lives and is not"),
        pytest.param((), True, "all 2 pods", id="nothing was made, and the workload is complete"),
        pytest.param(
            (a_pod("checkout-1", uid="another", owner=owned_by(REPLICA_SET), created_at=NOON, ready=False),),
            False,
            "checkout-1 is not ready",
            id="another life of the same name, as in a StatefulSet",
        ),
    ],
)
def test_how_a_pod_fares(rows: tuple[Any, ...], healthy: bool, reason: str) -> None:
    effect = effect_of(a_run(), a_snapshot(DEPLOYMENT, REPLICA_SET, *rows))
    assert (effect.healthy, reason in effect.reason) == (healthy, True), effect


def test_a_workload_that_lacks_pods_is_not_well_without_a_replacement() -> None:
    short = a_deployment("checkout", replicas=2, ready_replicas=1)
    assert not effect_of(a_run(), a_snapshot(short)).healthy


def test_a_pod_that_belonged_to_nobody_has_no_replacement() -> None:
    run = a_run(place=Place(owner=A_POD.key))
    assert effect_of(run, a_snapshot()).healthy


@pytest.mark.parametrize(
    ("changes", "healthy"),
    [
        pytest.param({}, True, id="complete"),
        pytest.param({"ready_replicas": 1}, False, id="a pod is missing"),
        pytest.param({"updated_replicas": 1}, False, id="the rollout is under way"),
        pytest.param({"generation": 2}, False, id="the change has not been seen yet"),
        pytest.param({"updated_replicas": 1, "paused": True}, True, id="a paused rollout is not waited for"),
    ],
)
def test_how_a_deployment_fares(changes: dict[str, Any], healthy: bool) -> None:
    deployment = a_deployment("checkout", **({"replicas": 2, "ready_replicas": 2} | changes))
    ref = deployment.key.ref(deployment.uid)
    run = a_run(plan=a_plan(target=ref, steps=(a_step("restart-rollout", ref),)))
    assert effect_of(run, a_snapshot(deployment)).healthy is healthy


def test_a_partition_keeps_old_pods_on_purpose() -> None:
    row = a_stateful_set("db", replicas=3, updated_replicas=1, partition=2)
    run = a_run(plan=a_plan(target=row.key.ref(row.uid), steps=(a_step("restart-rollout", row.key.ref(row.uid)),)))
    assert effect_of(run, a_snapshot(row)).healthy


def node_plan(action: str, *displaced: str) -> Plan:
    finding = a_finding(A_NODE, "node-not-ready")
    moved = tuple(
        Displacement(pod=ObjectRef(kind="Pod", namespace="shop", name=name, uid=f"uid-{name}")) for name in displaced
    )
    return a_plan(
        target=A_NODE,
        fault=Fault(level=FaultLevel.NODE, subject=A_NODE.key, findings=(finding,)),
        steps=(a_step(action, A_NODE, displaces=moved),),
    )


NOT_READY = a_condition("Ready", "False")


@pytest.mark.parametrize(
    ("action", "node", "healthy"),
    [
        pytest.param("uncordon", a_node("node-1"), True, id="ready"),
        pytest.param("uncordon", a_node("node-1", conditions=(NOT_READY,)), False, id="not ready"),
        pytest.param("cordon", a_node("node-1", conditions=(NOT_READY,)), False, id="to be cordoned, and open"),
        pytest.param(
            "cordon",
            a_node("node-1", conditions=(NOT_READY,), unschedulable=True),
            True,
            id="bad, but it takes no pods",
        ),
    ],
)
def test_how_a_node_fares(action: str, node: Any, healthy: bool) -> None:
    run = a_run(plan=node_plan(action), place=Place(owner=A_NODE.key, node="node-1"))
    assert effect_of(run, a_snapshot(node)).healthy is healthy


@pytest.mark.parametrize(
    ("rows", "healthy"),
    [
        pytest.param((pod_after("checkout-7d4b9c-c"), pod_after("checkout-7d4b9c-d")), True, id="both run elsewhere"),
        pytest.param(
            (pod_after("checkout-7d4b9c-c"), pod_after("checkout-7d4b9c-d", ready=False)), False, id="one is not ready"
        ),
        pytest.param((pod_after("checkout-7d4b9c-c"),), True, id="one is not made, as the workload is complete"),
        pytest.param((a_pod("checkout-7d4b9c-a", uid="uid-checkout-7d4b9c-a"),), False, id="one is still there"),
    ],
)
def test_how_the_pods_of_a_drained_node_fare(rows: tuple[Any, ...], healthy: bool) -> None:
    run = a_run(
        plan=node_plan("drain", "checkout-7d4b9c-a", "checkout-7d4b9c-b"), place=Place(owner=A_NODE.key, node="node-1")
    )
    assert effect_of(run, a_snapshot(DEPLOYMENT, REPLICA_SET, *rows)).healthy is healthy


NEIGHBOUR = a_pod("other-1", uid="uid-other-1", node="node-1")
CROWDED = a_pod("other-2", uid="uid-other-2", node="node-2")
NODE_2 = a_node("node-2")
LABELS = {"app": "shop"}
SIBLING = pod_after("checkout-9", labels=LABELS)
ALLY = a_pod("cart-1", uid="uid-cart-1", node="node-3", labels=LABELS)
STRANGER = a_pod("search-1", uid="uid-search-1", node="node-3", labels={"app": "search"})
BUDGETS = (a_pdb("shop", selector=LABELS), a_pdb("search", selector={"app": "search"}))


def ref(row: PodRow) -> ObjectRef:
    return row.key.ref(row.uid)


@pytest.mark.parametrize(
    ("finding", "where"),
    [
        pytest.param(a_finding(), "unresolved", id="the finding it answers"),
        pytest.param(a_finding(ref(SIBLING), since=30), "unresolved", id="the same on its owner, begun since"),
        pytest.param(a_finding(ref(SIBLING), since=-30), "", id="the same on its owner, from before"),
        pytest.param(a_finding(code="pod-oom-killed", since=30), "new_on_target", id="another about the target"),
        pytest.param(a_finding(ref(NEIGHBOUR), "pod-failed", since=30), "", id="a neighbour that it took a pod from"),
        pytest.param(a_finding(ref(NEIGHBOUR), since=30), "", id="the same code on a neighbour that it left alone"),
        pytest.param(a_finding(ref(CROWDED), "pod-evicted", since=30), "new_around", id="evicted where its pod is now"),
        pytest.param(a_finding(ref(CROWDED), "pod-evicted", since=-1), "", id="evicted there before"),
        pytest.param(a_finding(ref(CROWDED), since=30), "", id="a crash where its pod came to, which is its own"),
        pytest.param(
            a_finding(NODE_2.key.ref(NODE_2.uid), "node-memory-pressure", since=30),
            "new_around",
            id="no memory left where its pod came to",
        ),
        pytest.param(
            a_finding(A_NODE, "node-memory-pressure", since=30), "", id="no memory left on the node that it left"
        ),
        pytest.param(
            a_finding(ref(ALLY), "pod-not-ready", since=30), "new_around", id="another that its budget counts"
        ),
        pytest.param(a_finding(ref(STRANGER), "pod-not-ready", since=30), "", id="one that another budget counts"),
        pytest.param(a_finding(ref(SIBLING), "pod-failed", since=30), "new_around", id="another on its owner"),
        pytest.param(
            a_finding(ref(NEIGHBOUR), "pod-no-requests", since=30, severity=Severity.INFO), "", id="what is no harm"
        ),
        pytest.param(
            a_finding(ObjectRef(kind="Pod", namespace="shop", name="far"), "pod-failed", since=30), "", id="far away"
        ),
    ],
)
def test_which_findings_are_observed(finding: Finding, where: str) -> None:
    run = a_run(plan=a_plan(fault=Fault(level=FaultLevel.POD, subject=A_POD.key, findings=(a_finding(),))))
    rows = (a_node("node-1", uid=A_NODE.uid), NODE_2, NEIGHBOUR, CROWDED, SIBLING, ALLY, STRANGER, *BUDGETS)
    snapshot = a_snapshot(DEPLOYMENT, REPLICA_SET, *rows)
    observation = observe(run, snapshot, [finding], at(60))
    found = {name for name in ("unresolved", "new_on_target", "new_around") if getattr(observation, name)}
    assert found == ({where} if where else set())


@pytest.mark.parametrize(
    ("created", "where"),
    [
        pytest.param(30, ("pod-failed",), id="it came there since"),
        pytest.param(-30, (), id="it was there before"),
    ],
)
def test_who_comes_to_an_uncordoned_node_may_be_harmed_by_it(created: float, where: tuple[str, ...]) -> None:
    run = a_run(plan=node_plan("uncordon"), place=Place(owner=A_NODE.key, node="node-1"))
    pod = a_pod("other-3", uid="uid-other-3", node="node-1", created_at=at(created))
    snapshot = a_snapshot(a_node("node-1", uid=A_NODE.uid), pod)
    observation = observe(run, snapshot, [a_finding(ref(pod), "pod-failed", since=40)], at(60))
    assert tuple(finding.code for finding in observation.new_around) == where


@pytest.mark.parametrize(
    ("node", "where"),
    [
        pytest.param("node-1", ("pod-evicted",), id="a pod came here from another node"),
        pytest.param("", (), id="a rollout, which takes no more room than before"),
    ],
)
def test_only_what_moved_can_have_crowded_somebody_out(node: str, where: tuple[str, ...]) -> None:
    run = a_run(place=Place(owner=DEPLOYMENT.key, node=node))
    pods = (pod_after("checkout-8", node="node-2", created_at=at(5)), CROWDED)
    finding = a_finding(ref(CROWDED), "pod-evicted", since=30)
    observation = observe(run, a_snapshot(DEPLOYMENT, REPLICA_SET, NODE_2, *pods), [finding], at(60))
    assert tuple(finding.code for finding in observation.new_around) == where


def test_what_happens_on_a_bad_node_is_no_effect_of_closing_it() -> None:
    run = a_run(plan=node_plan("cordon"), place=Place(owner=A_NODE.key, node="node-1"))
    worse = a_finding(ref(NEIGHBOUR), "pod-failed", since=30, severity=Severity.CRITICAL)
    node = a_node("node-1", conditions=(NOT_READY,), unschedulable=True)
    observation = observe(run, a_snapshot(node, NEIGHBOUR), [a_finding(A_NODE, "node-not-ready"), worse], at(60))
    assert judge(run, observation, at(60)).ruling is Ruling.HEALED


@pytest.mark.parametrize("state", [state for state in SourceState if state is not SourceState.SYNCED])
def test_a_view_that_is_not_up_to_date_is_blind(state: SourceState) -> None:
    assert "Pods" in observe(a_run(), a_snapshot(sources={"Pod": state}), [], NOON).blind


@pytest.mark.parametrize(
    ("healthy_since", "seconds"),
    [
        pytest.param(20, 80, id="from the finding's beginning until the pod was ready"),
        pytest.param(None, 160, id="until now, where nothing has a time of its own"),
        pytest.param(-3000, 60, id="never before the run began"),
    ],
)
def test_the_time_to_heal(healthy_since: float | None, seconds: float) -> None:
    run = a_run(plan=a_plan(fault=Fault(level=FaultLevel.POD, subject=A_POD.key, findings=(a_finding(since=-60),))))
    assert seconds_to_heal(run, seen(healthy_since=healthy_since), at(100)) == seconds


def test_what_answers_no_finding_has_no_time_to_heal() -> None:
    run = a_run(plan=a_plan(fault=Fault(level=FaultLevel.POD, subject=A_POD.key, findings=())))
    assert seconds_to_heal(run, seen(), at(100)) is None


def test_a_cleanup_that_helped_says_how_many_objects_are_gone() -> None:
    target = ObjectRef(kind="Cluster", name="clean-jobs")
    plan = a_plan(target=target, steps=(a_step("clean-jobs", target),))
    effect = effect_of(a_run(plan=plan, reason="12 deleted, 1 left because it was changed"), a_snapshot())
    assert (effect.healthy, effect.reason) == (True, "12 deleted, 1 left because it was changed")

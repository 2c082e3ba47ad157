"""Guards that doubt what was seen: a blind view, trouble that is over, trouble that is young, storms."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_facts import (
    HOUR_AGO,
    Case,
    a_dark_node,
    a_finding,
    a_looping_pod,
    a_ref,
    assert_says,
    moves,
)
from tests.support.rows import a_condition, a_deployment, a_lease, a_node, a_pod, a_status, an_hpa

from auto_healing.facts import Sight
from auto_healing.fault import FaultLevel
from auto_healing.guards.fresh_view import FreshView
from auto_healing.guards.grace import Grace
from auto_healing.guards.still_true import StillTrue
from auto_healing.guards.storm import Storm
from auto_healing.marks import CORDON_UNTIL, CORDONED_BY
from common.cluster.rows import NodeRow, PodRow
from common.cluster.snapshot import ApiHealth, SourceState
from common.contracts import ObjectRef

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LIMITED = a_condition("ScalingLimited", reason="TooManyReplicas")
CRASHED = a_status(restarts=7, last_finished_at=NOON - 6 * MINUTE, last_exit_code=1)


def sight(**overrides: Any) -> dict[str, Sight]:
    own = {"synced_at": HOUR_AGO, "health_monitor_heard_at": NOON}
    return {"sight": Sight(**(own | overrides))}


def sources(**states: SourceState) -> dict[str, Any]:
    return {"sources": states}


def api(**health: Any) -> dict[str, Any]:
    return {"api": ApiHealth(**({"requests": 100} | health))}


def fell(count: int, *, at: timedelta = -2 * MINUTE, apart: timedelta = timedelta(0)) -> list[NodeRow]:
    """Nodes that went dark, one after the other."""
    return [a_dark_node(f"dark-{n}", since=NOON + at + n * apart) for n in range(count)]


def rose(count: int, *, ago: timedelta) -> list[NodeRow]:
    return [a_node(f"back-{n}", conditions=(a_condition("Ready", changed_at=NOON - ago),)) for n in range(count)]


def healthy(count: int) -> list[NodeRow]:
    return [a_node(f"well-{n}") for n in range(count)]


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="all is seen"),
        pytest.param(
            Case(facts={"sight": Sight()}), "has not been seen completely yet", id="nothing is known of the view"
        ),
        pytest.param(
            Case(snapshot=sources(Pod=SourceState.STALE)),
            "The view of Pod objects is stale",
            id="the watch of pods is broken",
        ),
        pytest.param(
            Case(snapshot=sources(PodDisruptionBudget=SourceState.UNSEEN)),
            "PodDisruptionBudget objects is unseen",
            id="PDBs may not be seen",
        ),
        pytest.param(
            Case(snapshot=sources(ReplicaSet=SourceState.STARTING)),
            "ReplicaSet objects is starting",
            id="not listed yet",
        ),
        pytest.param(
            Case(snapshot=sources(HorizontalPodAutoscaler=SourceState.STALE)), "", id="a kind that it does not rest on"
        ),
        pytest.param(
            Case(target=ObjectRef(kind="ConfigMap", namespace="shop", name="old"), findings=()),
            "",
            id="a kind that is only read live",
        ),
        pytest.param(
            Case(facts={"now": NOON + 6 * MINUTE} | sight(health_monitor_heard_at=NOON + 6 * MINUTE)),
            "Nothing was heard of Namespace objects for 360 s",
            id="a watch that is stuck",
        ),
        pytest.param(
            Case(snapshot=api(unreachable_since=NOON - 20 * SECOND)), "has not answered for 20 s", id="no API server"
        ),
        pytest.param(Case(snapshot=api(errors=21)), "21% of the requests to the API server fail", id="many errors"),
        pytest.param(Case(snapshot=api(errors=20)), "", id="errors at the limit"),
        pytest.param(Case(snapshot=api(requests=19, errors=19)), "", id="too few requests to judge"),
        pytest.param(Case(snapshot=api(p99_seconds=4.2)), "takes up to 4.2 s to answer", id="a slow API server"),
        pytest.param(
            Case(facts=sight(outage_ended_at=NOON - 59 * SECOND)), "came back only 59 s ago", id="an outage just ended"
        ),
        pytest.param(Case(facts=sight(outage_ended_at=NOON - 60 * SECOND)), "", id="an outage ended a minute ago"),
        pytest.param(
            Case(facts=sight(health_monitor_heard_at=NOON - 6 * MINUTE)),
            "was last heard 360 s ago",
            id="monitor silent",
        ),
        pytest.param(Case(facts=sight(health_monitor_heard_at=None)), "has not been heard", id="monitor never heard"),
        pytest.param(
            Case(findings=(), facts=sight(health_monitor_heard_at=None)),
            "",
            id="what rests on no finding needs no word",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(), *fell(4, apart=20 * SECOND)]), "", id="nodes are dark, and so are their leases"
        ),
        pytest.param(
            Case(rows=[a_looping_pod(), *fell(4, apart=20 * SECOND), *(a_lease(f"dark-{n}") for n in range(4))]),
            "The Leases of 4 of 7 nodes say otherwise",
            id="nodes are called dark that renew their leases",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(), *fell(3, apart=20 * SECOND), *(a_lease(f"dark-{n}") for n in range(3))]),
            "",
            id="a few may lag",
        ),
        pytest.param(
            Case(
                rows=[
                    a_looping_pod(),
                    *healthy(4),
                    *(a_lease(f"well-{n}", renewed_at=NOON - 3 * MINUTE) for n in range(4)),
                ]
            ),
            "say otherwise",
            id="nodes are called ready that are silent for long",
        ),
        pytest.param(
            Case(facts=sight(changed_in_last_second=251)), "251 nodes and pods turned unhealthy", id="a mass change"
        ),
        pytest.param(Case(facts=sight(changed_in_last_second=111)), "", id="one node fell with all of its pods"),
        pytest.param(
            Case(rows=[a_looping_pod(), *fell(6)]), "6 nodes turned unready in the same second", id="six at once"
        ),
        pytest.param(Case(rows=[a_looping_pod(), *fell(5)]), "", id="a rack of five"),
        pytest.param(Case(rows=[a_looping_pod(), *fell(6, at=-11 * MINUTE)]), "", id="six at once, but a while ago"),
        pytest.param(Case(rows=[a_looping_pod(), *fell(6, apart=SECOND)]), "", id="six, one after the other"),
    ],
)
def test_fresh_view(case: Case, refusal: str) -> None:
    decline = FreshView().check(*case.build())
    assert_says(decline, refusal)
    assert decline is None or decline.look_again_at is not None


# --- still true

WELL = a_condition("Ready", changed_at=NOON - 5 * MINUTE)
PRESSED = a_condition("DiskPressure", changed_at=HOUR_AGO)


def node_with(*conditions: Any, **overrides: Any) -> NodeRow:
    return a_node("node-1", conditions=conditions, **overrides)


def about(row: NodeRow | PodRow, *codes: str, **overrides: Any) -> tuple[Any, ...]:
    return tuple(a_finding(row, code, **overrides) for code in codes)


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="it crashes still"),
        pytest.param(
            Case(target=ObjectRef(kind="Pod", namespace="shop", name="gone", uid="u")),
            "Pod shop/gone is gone",
            id="gone",
        ),
        pytest.param(
            Case(target=ObjectRef(kind="ConfigMap", namespace="shop", name="old"), findings=()),
            "",
            id="of what is read live only, the action finds out itself",
        ),
        pytest.param(
            Case(
                rows=[a_looping_pod(uid="second")],
                target=ObjectRef(kind="Pod", namespace="shop", name="checkout-7d4b9c-x2x9z", uid="first"),
                findings=(),
            ),
            "was made anew",
            id="another life of it",
        ),
        pytest.param(
            Case(facts={"open_findings": {}}), "is resolved meanwhile: pod-crash-loop", id="finding is resolved"
        ),
        pytest.param(
            Case(facts={"open_findings": {a_finding(a_looping_pod()).key: ...}}), "", id="its finding is open still"
        ),
        pytest.param(
            Case(findings=(), facts={"open_findings": {}}), "", id="a person's wish has no finding to be resolved"
        ),
        pytest.param(
            Case(target=a_pod(ready_changed_at=NOON - 4 * MINUTE), findings=about(a_pod(), "pod-not-ready")),
            "has recovered: it has been well for 240 s",
            id="the pod is ready",
        ),
        pytest.param(
            Case(target=a_pod(ready_changed_at=NOON - 10 * SECOND), findings=about(a_pod(), "pod-not-ready")),
            "may be recovering: it has been well for 10 s",
            id="the pod is ready for a moment",
        ),
        pytest.param(
            Case(target=a_pod(statuses=(CRASHED,), ready_changed_at=NOON - 5 * MINUTE)),
            "",
            id="ready between two crashes is no recovery",
        ),
        pytest.param(
            Case(target=a_pod(), findings=about(a_pod(), "pod-memory-near-limit")),
            "",
            id="a pod may be ready and in trouble",
        ),
        pytest.param(Case(target=a_dark_node()), "", id="the node is dark still"),
        pytest.param(
            Case(target=node_with(WELL), findings=about(a_node(), "node-unknown")),
            "Node node-1 has recovered: it has been well for 300 s",
            id="the node came back",
        ),
        pytest.param(
            Case(
                target=node_with(a_condition("Ready", "False", changed_at=NOON - MINUTE)),
                findings=about(a_node(), "node-unknown"),
            ),
            "",
            id="from Unknown to False it has not recovered",
        ),
        pytest.param(
            Case(target=node_with(WELL, PRESSED), findings=about(a_node(), "node-disk-pressure")),
            "",
            id="ready, but short of disk still",
        ),
        pytest.param(
            Case(
                target=node_with(WELL, a_condition("DiskPressure", "False", changed_at=NOON - 10 * MINUTE)),
                findings=about(a_node(), "node-disk-pressure"),
            ),
            "has recovered",
            id="the disk has room again",
        ),
        pytest.param(
            Case(
                target=node_with(WELL, a_condition("KernelDeadlock", changed_at=HOUR_AGO)),
                findings=about(a_node(), "node-condition", part="KernelDeadlock"),
            ),
            "",
            id="a condition of node-problem-detector holds",
        ),
        pytest.param(
            Case(target=node_with(WELL), findings=about(a_node(), "node-cpu-high")),
            "",
            id="what no condition tells is not seen here",
        ),
        pytest.param(
            Case(target=a_deployment(), findings=(a_finding(a_deployment()),)),
            "has recovered",
            id="all replicas are ready",
        ),
        pytest.param(
            Case(target=a_deployment(ready_replicas=2), findings=(a_finding(a_deployment()),)),
            "",
            id="a replica is missing",
        ),
        pytest.param(
            Case(
                target=a_dark_node(annotations={CORDONED_BY: "run/1", CORDON_UNTIL: "2026-03-01T14:00:00Z"}),
                action="drain",
            ),
            "Somebody has uncordoned node node-1 by hand",
            id="uncordoned by hand since",
        ),
        pytest.param(
            Case(target=a_dark_node(annotations={CORDONED_BY: "run/1"}), action="drain"),
            "by hand",
            id="uncordoned by hand, and no end is known",
        ),
        pytest.param(
            Case(target=a_dark_node(annotations={CORDONED_BY: "run/1", CORDON_UNTIL: "2026-03-01T12:00:00Z"})),
            "",
            id="uncordoned by hand, but that cordon is over",
        ),
        pytest.param(
            Case(target=a_dark_node(unschedulable=True, annotations={CORDONED_BY: "run/1"}), action="drain"),
            "",
            id="cordoned by the step before",
        ),
    ],
)
def test_still_true(case: Case, refusal: str) -> None:
    assert_says(StillTrue().check(*case.build()), refusal)


def test_a_pod_is_left_alone_when_the_node_to_blame_has_recovered() -> None:
    node = node_with(WELL)
    step, facts = Case(rows=[a_looping_pod(), node], findings=about(node, "node-unknown")).build()
    fault = replace(facts.plan.fault, level=FaultLevel.NODE, subject=node.key)
    assert_says(StillTrue().check(step, replace(facts, plan=replace(facts.plan, fault=fault))), "node-1 has recovered")


# --- grace


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="an hour old, after seven restarts"),
        pytest.param(Case(findings=()), "", id="a person's wish has no age"),
        pytest.param(
            Case(findings=(a_finding(a_looping_pod(), since=NOON - 9 * MINUTE),)),
            "pod-crash-loop has lasted 540 s; it may end by itself within 600 s",
            id="a crash loop of nine minutes",
        ),
        pytest.param(
            Case(target=a_looping_pod(statuses=(a_status(restarts=4),))),
            "has restarted 4 times; it is given 5",
            id="4 restarts",
        ),
        pytest.param(Case(target=a_looping_pod(statuses=(a_status(restarts=5),))), "", id="five restarts"),
        pytest.param(
            Case(rows=[], target=a_ref(a_looping_pod("gone")), findings=(a_finding(a_looping_pod("gone")),)),
            "has restarted 0 times",
            id="a pod that is gone restarts no more",
        ),
        pytest.param(
            Case(
                target=a_dark_node(since=NOON - 4 * MINUTE),
                findings=about(a_node(), "node-unknown", since=NOON - 4 * MINUTE),
            ),
            "node-unknown has lasted 240 s",
            id="a node that is dark for four minutes",
        ),
        pytest.param(Case(target=a_dark_node(since=NOON - 5 * MINUTE)), "", id="a node that is dark for five minutes"),
        pytest.param(
            Case(target=a_dark_node(), settings={"grace": {"codes": {"node-unknown": "2h"}}}),
            "within 7200 s",
            id="the policy gives a node more",
        ),
        pytest.param(
            Case(target=a_looping_pod(), settings={"grace": {"codes": {"node-unknown": "2h"}}}),
            "",
            id="codes that a policy does not name keep their grace",
        ),
        pytest.param(
            Case(findings=(a_finding(a_looping_pod(), "pod-odd", since=NOON - 4 * MINUTE),)),
            "has lasted 240 s",
            id="an unknown code has the default",
        ),
        pytest.param(
            Case(
                findings=(
                    a_finding(a_looping_pod(), "pod-not-ready", since=NOON - MINUTE),
                    a_finding(a_looping_pod()),
                )
            ),
            "",
            id="one finding that is old enough is enough",
        ),
    ],
)
def test_grace(case: Case, refusal: str) -> None:
    assert_says(Grace().check(*case.build()), refusal)


def test_grace_tells_when_it_is_over() -> None:
    decline = Grace().check(*Case(findings=(a_finding(a_looping_pod(), since=NOON - 9 * MINUTE),)).build())
    assert decline is not None
    assert decline.look_again_at == NOON + MINUTE


# --- storm


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="nothing changed"),
        pytest.param(Case(facts=sight(storm_at=NOON - MINUTE)), "storm of findings 60 s ago", id="told of a storm"),
        pytest.param(Case(facts=sight(storm_at=NOON - 2 * MINUTE)), "", id="the storm is over for two minutes"),
        pytest.param(Case(rows=[a_looping_pod(), *rose(2, ago=MINUTE)]), "", id="two nodes came back"),
        pytest.param(
            Case(rows=[a_looping_pod(), *rose(3, ago=MINUTE)]), "The readiness of 3 nodes changed", id="three came back"
        ),
        pytest.param(Case(rows=[a_looping_pod(), *rose(3, ago=2 * MINUTE)]), "", id="three came back a while ago"),
        pytest.param(
            Case(rows=[a_looping_pod(), *rose(2, ago=MINUTE), *fell(1, at=-MINUTE)]),
            "The readiness of 3 nodes changed",
            id="falling and rising count alike",
        ),
        pytest.param(
            Case(
                rows=[
                    a_looping_pod(),
                    *(
                        a_node(
                            f"new-{n}",
                            created_at=NOON - 2 * MINUTE,
                            conditions=(a_condition("Ready", changed_at=NOON - MINUTE),),
                        )
                        for n in range(9)
                    ),
                ]
            ),
            "",
            id="new nodes that join are no storm",
        ),
    ],
)
def test_storm(case: Case, refusal: str) -> None:
    assert_says(Storm().check(*case.build()), refusal)


# --- what other healers got wrong


def test_time_of_an_outage_does_not_count_into_the_age_of_trouble() -> None:
    """A healer that came back after an hour found every node an hour dark, and acted on all of them at once."""
    node = a_dark_node()
    for minutes, refused in ((1, True), (4, True), (5, False)):
        facts = sight(outage_ended_at=NOON - minutes * MINUTE)
        decline = Grace().check(*Case(target=node, facts=facts).build())
        assert (decline is not None) == refused
        if decline is not None:
            assert decline.look_again_at == NOON + (5 - minutes) * MINUTE


def test_staggered_recoveries_begin_the_cooldown_anew() -> None:
    """The threshold was met for a moment while statuses came in one by one, and healthy nodes were remediated."""
    ages = [100, 60, 20]
    rows = [a_node(f"n-{age}", conditions=(a_condition("Ready", changed_at=NOON - age * SECOND),)) for age in ages]
    decline = Storm().check(*Case(rows=[a_dark_node(), *rows]).build())
    assert decline is not None
    assert decline.look_again_at == NOON + 100 * SECOND  # two minutes after the last of them


def test_a_reboot_freezes_the_state_of_a_node() -> None:
    """Ready turned from Unknown to False in a reboot, the clock began anew, and the node was rebooted again."""
    node = a_node(conditions=(a_condition("Ready", "False", changed_at=NOON - MINUTE),))
    rebooting = Case(target=node, findings=(a_finding(node, "node-not-ready", since=HOUR_AGO),))
    assert StillTrue().check(*rebooting.build()) is None  # it is not well again
    assert_says(Grace().check(*rebooting.build()), "has lasted 60 s")  # and it is not ill anew


def test_a_node_that_recovered_between_plan_and_step_is_not_drained() -> None:
    node = a_node(conditions=(a_condition("Ready", changed_at=NOON - 10 * SECOND),), unschedulable=True)
    case = Case(
        target=node,
        action="drain",
        step={"displaces": (moves(a_looping_pod()),)},
        findings=(a_finding(node, "node-unknown"),),
    )
    assert_says(StillTrue().check(*case.build()), "may be recovering")


@pytest.mark.parametrize(
    ("hpa", "refusal"),
    [
        pytest.param(an_hpa(conditions=(LIMITED,)), "", id="it wants more than its maximum"),
        pytest.param(
            an_hpa(conditions=(a_condition("ScalingLimited", reason="TooFewReplicas"),)),
            "has recovered",
            id="at its minimum it is no problem",
        ),
        pytest.param(
            an_hpa(conditions=(LIMITED,), min_replicas=3, max_replicas=3),
            "has recovered",
            id="a fixed size is no limit",
        ),
        pytest.param(an_hpa(), "has recovered", id="it is within its bounds again"),
    ],
)
def test_an_autoscaler_is_at_its_limit_only_when_it_is_held_back(hpa: Any, refusal: str) -> None:
    case = Case(target=hpa, findings=(a_finding(hpa, "hpa-at-max"),))
    assert_says(StillTrue().check(*case.build()), refusal)

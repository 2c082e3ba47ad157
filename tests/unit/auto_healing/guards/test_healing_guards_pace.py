"""Guards that mind who is at work already, and how often and how fast things are done."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.healing_facts import (
    CHECKOUT,
    HOUR_AGO,
    Case,
    a_dark_node,
    a_finding,
    a_looping_pod,
    a_past_run,
    a_rolling_deployment,
    an_active_run,
    assert_says,
)
from tests.support.rows import (
    a_condition,
    a_daemon_set,
    a_deployment,
    a_job,
    a_node,
    a_pod,
    a_replica_set,
    a_snapshot,
    a_stateful_set,
    an_hpa,
    owned_by,
)

from auto_healing.facts import OtherHealer
from auto_healing.guards.attempts import Attempts
from auto_healing.guards.cooldown import Cooldown
from auto_healing.guards.loop import Loop
from auto_healing.guards.others import healers_of_nodes
from auto_healing.guards.owner_in_flight import OwnerInFlight
from auto_healing.guards.rate_limit import RateLimit
from auto_healing.history import PastRun
from auto_healing.marks import CORDONED_BY
from auto_healing.plan import Harm
from auto_healing.run import RunState
from common.cluster.rows import Row, Taint
from common.contracts import ObjectKey

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def tainted(key: str) -> Any:
    return a_dark_node(taints=(Taint(key=key, effect="NoSchedule"),))


def stateful(made: timedelta, **overrides: Any) -> list[Row]:
    """A StatefulSet in the middle of a rollout whose newest pod was made a while ago."""
    rolling = {"updated_replicas": 1, "revision": "orders-db-2", "current_revision": "orders-db-1"}
    row = a_stateful_set(**(rolling | overrides))
    return [a_looping_pod("orders-db-2", owner=owned_by(row), created_at=NOON - made), row]


MANAGED_BY_ARGO = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}
MANAGED_BY_FLUX = {"kustomize.toolkit.fluxcd.io/name": "shop"}
KEDA = an_hpa(labels={"scaledobject.keda.sh/name": "checkout"})
COVERED = {"other_healers": [OtherHealer(code="machine-health-check", name="workers", nodes=frozenset({"node-1"}))]}


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="nobody is at work"),
        pytest.param(
            Case(rows=[a_looping_pod(), a_rolling_deployment()]),
            "a rollout of Deployment shop/checkout is under way: 1 of 3 replicas are updated",
            id="a rollout is under way",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(), a_deployment(generation=2)]), "was changed a moment ago", id="changed just now"
        ),
        pytest.param(
            Case(
                rows=[
                    a_looping_pod(),
                    a_rolling_deployment(
                        conditions=(a_condition("Progressing", "False", reason="ProgressDeadlineExceeded"),)
                    ),
                ]
            ),
            "",
            id="a rollout that is stuck is not under way",
        ),
        pytest.param(
            Case(rows=[a_rolling_deployment()], action="roll-back"), "", id="a rollback may interrupt a rollout"
        ),
        pytest.param(Case(rows=[a_rolling_deployment()]), "under way", id="a restart may not"),
        pytest.param(
            Case(rows=[a_looping_pod(), a_rolling_deployment(paused=True)]), "", id="a paused rollout does not move"
        ),
        pytest.param(
            Case(rows=stateful(5 * MINUTE)), "StatefulSet shop/orders-db is under way", id="a StatefulSet rolls"
        ),
        pytest.param(Case(rows=stateful(11 * MINUTE)), "", id="a StatefulSet's rollout is stuck"),
        pytest.param(Case(rows=stateful(MINUTE, partition=2)), "", id="those below the partition stay on purpose"),
        pytest.param(Case(rows=stateful(MINUTE, strategy="OnDelete")), "", id="OnDelete waits for deletions"),
        pytest.param(
            Case(
                rows=[
                    a_looping_pod("log-agent-x", owner=owned_by(a_daemon_set()), created_at=NOON - MINUTE),
                    a_daemon_set(updated_replicas=1),
                ]
            ),
            "DaemonSet shop/log-agent is under way",
            id="a DaemonSet rolls",
        ),
        pytest.param(
            Case(history=(an_active_run(a_pod("checkout-other"), owner=CHECKOUT),)),
            "is at work on Deployment shop/checkout already",
            id="another run on the same workload",
        ),
        pytest.param(
            Case(facts={"planned": (an_active_run(a_pod("checkout-other"), owner=CHECKOUT),)}),
            "is at work on",
            id="a plan of a moment ago on the same workload",
        ),
        pytest.param(Case(history=(an_active_run(a_pod("cart-0")),)), "", id="another run elsewhere"),
        pytest.param(
            Case(history=(an_active_run(a_pod("c"), owner=CHECKOUT, harm=Harm.RESTORING),)), "", id="a restoring run"
        ),
        pytest.param(Case(history=(a_past_run(a_pod("c"), owner=CHECKOUT),)), "", id="a run that has ended"),
        pytest.param(
            Case(target=a_looping_pod(deleted_at=NOON)), "it is being deleted already", id="the pod is leaving"
        ),
        pytest.param(
            Case(
                target=a_looping_pod(deleted_at=HOUR_AGO),
                findings=(a_finding(a_looping_pod(), "pod-stuck-terminating"),),
            ),
            "",
            id="the pod is stuck in leaving",
        ),
        pytest.param(
            Case(target=a_looping_pod(annotations={"descheduler.alpha.kubernetes.io/eviction-in-progress": ""})),
            "descheduler evicts it",
            id="descheduler",
        ),
        pytest.param(
            Case(target=tainted("ToBeDeletedByClusterAutoscaler")), "Cluster Autoscaler", id="cluster autoscaler"
        ),
        pytest.param(Case(target=tainted("karpenter.sh/disrupted")), "Karpenter is about to remove it", id="Karpenter"),
        pytest.param(Case(target=tainted("medik8s.io/remediation")), "Medik8s remediates it", id="Medik8s"),
        pytest.param(Case(target=tainted("node.cluster.x-k8s.io/outdated-revision")), "Cluster API", id="Cluster API"),
        pytest.param(
            Case(target=tainted("aws-node-termination-handler/spot-itn")),
            "AWS is about to end it",
            id="a spot node ends",
        ),
        pytest.param(Case(target=tainted("example.com/gpu")), "", id="a taint that means nothing"),
        pytest.param(
            Case(target=tainted("karpenter.sh/disrupted"), settings={"owner_in_flight": {"ignored": ["karpenter"]}}),
            "",
            id="the policy ignores Karpenter",
        ),
        pytest.param(
            Case(target=a_dark_node(annotations={"weave.works/kured-reboot-in-progress": "2026"})), "kured", id="kured"
        ),
        pytest.param(
            Case(target=a_dark_node(conditions=(a_condition("DrainScheduled"),))), "draino has scheduled", id="draino"
        ),
        pytest.param(Case(target=a_dark_node(deleted_at=NOON)), "it is being deleted", id="the node is being deleted"),
        pytest.param(
            Case(target=a_dark_node(unschedulable=True)), "cordoned by a person or another tool", id="a foreign cordon"
        ),
        pytest.param(
            Case(target=a_dark_node(unschedulable=True), facts={"by_hand": True}),
            "",
            id="who asks may have cordoned it",
        ),
        pytest.param(
            Case(target=a_dark_node(unschedulable=True, annotations={CORDONED_BY: "r/0"}), action="drain"),
            "",
            id="our own cordon",
        ),
        pytest.param(
            Case(target=a_dark_node(), facts=COVERED),
            "machine-health-check workers looks after it",
            id="a health check",
        ),
        pytest.param(Case(target=a_dark_node("node-2"), facts=COVERED), "", id="a health check of other nodes"),
        pytest.param(
            Case(target=a_deployment(annotations=MANAGED_BY_ARGO), action="roll-back"),
            "Argo CD would put it back as Git has it",
            id="a rollback of what Argo CD keeps",
        ),
        pytest.param(
            Case(
                target=a_deployment(labels={"app.kubernetes.io/instance": "shop"}),
                action="roll-back",
                facts={"other_healers": [OtherHealer(code="argo-cd", name="shop", instances=frozenset({"shop"}))]},
            ),
            "Argo CD would put it back as Git has it",
            id="a rollback of what an Application of Argo CD deploys",
        ),
        pytest.param(
            Case(target=a_deployment(labels=MANAGED_BY_FLUX), action="pause-rollout"),
            "Flux would put it back",
            id="Flux",
        ),
        pytest.param(
            Case(rows=[a_looping_pod(), a_deployment(annotations=MANAGED_BY_ARGO)]),
            "",
            id="a pod may be deleted though its Deployment is in Git",
        ),
        pytest.param(
            Case(target=a_job(labels=MANAGED_BY_FLUX), action="clean-jobs"), "Flux", id="cleaning what Git brings back"
        ),
        pytest.param(
            Case(
                target=a_replica_set(annotations=MANAGED_BY_ARGO, owner=owned_by(a_deployment())),
                action="clean-replica-sets",
            ),
            "",
            id="marks that a controller copied to what it made",
        ),
        pytest.param(
            Case(rows=[a_deployment(), KEDA], action="clean-crash-loops"),
            "KEDA's ScaledObject checkout",
            id="KEDA scales it",
        ),
        pytest.param(
            Case(rows=[a_deployment(), an_hpa()], action="clean-crash-loops"), "", id="a plain autoscaler rests at 0"
        ),
    ],
)
def test_owner_in_flight(case: Case, refusal: str) -> None:
    decline = OwnerInFlight().check(*case.build())
    assert_says(decline, refusal)
    assert decline is None or decline.look_again_at == NOON + MINUTE


def test_health_checks_are_known_by_the_nodes_that_they_cover() -> None:
    snapshot = a_snapshot(a_node("node-1", labels={"pool": "a"}), a_node("node-2", labels={"pool": "b"}))
    node_check = {"metadata": {"name": "pool-a"}, "spec": {"selector": {"matchLabels": {"pool": "a"}}}}
    machine_check = {
        "metadata": {"name": "workers"},
        "spec": {"selector": {"matchExpressions": [{"key": "role", "operator": "In", "values": ["worker"]}]}},
    }
    machines = [
        {"metadata": {"labels": {"role": "worker"}}, "status": {"nodeRef": {"name": "node-2"}}},
        {"metadata": {"labels": {"role": "worker"}}},
        {"metadata": {"labels": {"role": "control"}}, "status": {"nodeRef": {"name": "node-1"}}},
    ]
    found = healers_of_nodes(
        node_health_checks=[node_check], machine_health_checks=[machine_check], machines=machines, snapshot=snapshot
    )
    assert [(each.code, each.name, set(each.nodes)) for each in found] == [
        ("node-health-check", "pool-a", {"node-1"}),
        ("machine-health-check", "workers", {"node-2"}),
    ]


# --- cooldown

POD = a_looping_pod()


def runs(*ages: timedelta, target: ObjectKey | None = None, **overrides: Any) -> tuple[PastRun, ...]:
    """Runs on the pod's workload that took no time, so long ago; each on a pod of its own unless said."""
    return tuple(
        a_past_run(
            target or ObjectKey("Pod", "shop", f"earlier-{n}"),
            **({"owner": CHECKOUT, "started_at": NOON - age, "ended_at": NOON - age} | overrides),
        )
        for n, age in enumerate(ages)
    )


@pytest.mark.parametrize(
    ("case", "wait"),
    [
        pytest.param(Case(), None, id="nothing was done yet"),
        pytest.param(Case(history=runs(29 * SECOND)), 1, id="on its workload half a minute has to pass"),
        pytest.param(Case(history=runs(30 * SECOND)), None, id="half a minute has passed"),
        pytest.param(
            Case(history=runs(10 * SECOND, started_at=NOON - 5 * MINUTE)), 20, id="counted from the end of the last run"
        ),
        pytest.param(
            Case(history=runs(10 * SECOND, ended_at=None, state=RunState.RUNNING)), 20, id="or from its beginning"
        ),
        pytest.param(Case(history=runs(30 * SECOND, HOUR)), 30, id="after the second the wait is a minute"),
        pytest.param(Case(history=runs(30 * SECOND, HOUR, 2 * HOUR)), 90, id="after the third two"),
        pytest.param(Case(history=runs(30 * SECOND, 5 * HOUR)), None, id="what is older than four hours is forgotten"),
        pytest.param(Case(history=runs(4 * MINUTE, target=POD.key)), 60, id="on the same object five minutes"),
        pytest.param(Case(history=runs(9 * MINUTE, HOUR, target=POD.key)), 60, id="then ten"),
        pytest.param(
            Case(history=runs(*[50 * MINUTE + n * SECOND for n in range(9)], target=POD.key)), 600, id="at most an hour"
        ),
        pytest.param(
            Case(history=runs(4 * MINUTE, target=POD.key), action="move-pod", rung=1),
            None,
            id="the next rung of a ladder need not wait for the one below",
        ),
        pytest.param(
            Case(history=runs(4 * MINUTE, target=POD.key, action="move-pod"), action="move-pod", rung=1),
            60,
            id="but for its own last time",
        ),
        pytest.param(Case(history=runs(SECOND, harm=Harm.RESTORING)), None, id="restoring counts for nothing"),
        pytest.param(Case(history=runs(SECOND), action="clean-evicted-pods"), None, id="tidying up is not paced"),
        pytest.param(
            Case(history=runs(SECOND, owner=ObjectKey("Deployment", "shop", "x"))), None, id="another workload"
        ),
    ],
)
def test_cooldown(case: Case, wait: float | None) -> None:
    decline = Cooldown().check(*case.build())
    expected = None if wait is None else NOON + wait * SECOND
    assert (None if decline is None else decline.look_again_at) == expected


REPLACEMENT = a_looping_pod("checkout-new", created_at=NOON - 9 * MINUTE)


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(
            Case(rows=[POD, REPLACEMENT], history=runs(10 * MINUTE)),
            "Pod checkout-new, made since",
            id="it is not ready",
        ),
        pytest.param(
            Case(
                rows=[POD, a_pod("checkout-new", owner=POD.owner, created_at=NOON - 9 * MINUTE)],
                history=runs(10 * MINUTE),
            ),
            "",
            id="it is ready",
        ),
        pytest.param(Case(rows=[POD, REPLACEMENT], history=runs(8 * MINUTE)), "", id="it is older than the action"),
        pytest.param(
            Case(rows=[POD, REPLACEMENT], history=runs(9 * MINUTE)), "made since", id="it came in the same second"
        ),
        pytest.param(Case(rows=[REPLACEMENT], history=runs(10 * MINUTE)), "", id="it is what this is about"),
        pytest.param(Case(rows=[POD, REPLACEMENT]), "", id="nothing was done to the workload"),
    ],
)
def test_the_replacement_of_the_last_pod_is_to_be_ready(case: Case, refusal: str) -> None:
    assert_says(Cooldown().check(*case.build()), refusal)


def test_what_fails_on_and_on_does_not_starve_the_rest() -> None:
    """The oldest failing candidate was tried again and again, and the others never got their turn."""
    bad, other = a_dark_node("node-1"), a_dark_node("node-2")
    history = tuple(
        a_past_run(bad, state=RunState.FAILED, started_at=NOON - n * MINUTE, ended_at=NOON - n * MINUTE)
        for n in (1, 20, 40)
    )
    assert Cooldown().check(*Case(rows=[bad, other], history=history).build()) is not None
    assert Attempts().check(*Case(rows=[bad, other], history=history).build()) is not None
    for guard in (Cooldown(), Attempts(), Loop()):
        assert guard.check(*Case(rows=[bad, other], target=other, history=history).build()) is None


# --- attempts


@pytest.mark.parametrize(
    ("case", "until"),
    [
        pytest.param(Case(), None, id="nothing was tried"),
        pytest.param(Case(history=runs(HOUR, 2 * HOUR)), None, id="twice"),
        pytest.param(
            Case(history=runs(HOUR / 2, HOUR, 2 * HOUR)), 30 * MINUTE, id="three times, the last half an hour ago"
        ),
        pytest.param(
            Case(history=runs(HOUR, 2 * HOUR, 3 * HOUR)), None, id="three times, and blocked for an hour since"
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 4 * HOUR)), 59 * MINUTE, id="the last came within four hours of the first"
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 4 * HOUR + MINUTE)), None, id="the last came four hours after the first"
        ),
        pytest.param(
            Case(history=runs(6 * HOUR, 7 * HOUR, 8 * HOUR), settings={"attempts": {"block": "12h"}}),
            6 * HOUR,
            id="blocked for longer than the window",
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 2 * HOUR, state=RunState.FAILED)), 59 * MINUTE, id="failed ones too"
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 2 * HOUR, revision="1"), revision="2"), None, id="of an older revision"
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 2 * HOUR, revision="2"), revision="2"),
            59 * MINUTE,
            id="of the same revision",
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 2 * HOUR), revision="2"), 59 * MINUTE, id="of a revision that nobody knows"
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 2 * HOUR, harm=Harm.RESTORING)), None, id="restoring is no attempt"
        ),
        pytest.param(
            Case(history=runs(MINUTE, HOUR, 2 * HOUR), action="clean-failed-pods"), None, id="nor is tidying up"
        ),
    ],
)
def test_attempts(case: Case, until: timedelta | None) -> None:
    decline = Attempts().check(*case.build())
    assert (None if decline is None else decline.look_again_at) == (None if until is None else NOON + until)
    assert_says(decline, "a person has to look" if until else "")


def test_no_attempts_at_all() -> None:
    assert_says(Attempts().check(*Case(settings={"attempts": {"most": 0}}).build()), "may be 0 times")


# --- loop


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        pytest.param(Case(), "", id="for the first time"),
        pytest.param(
            Case(history=runs(20 * MINUTE)),
            "delete-pod for Deployment shop/checkout on node node-1 is going round in circles: it was done 1 time",
            id="same workload, node and reason",
        ),
        pytest.param(Case(history=runs(HOUR)), "", id="an hour ago"),
        pytest.param(Case(history=runs(MINUTE, node="node-2")), "", id="on another node"),
        pytest.param(Case(history=runs(MINUTE, code="pod-oom-killed")), "", id="for another reason"),
        pytest.param(Case(history=runs(MINUTE, action="evict-pod")), "", id="another action, as of the rung below"),
        pytest.param(Case(history=runs(MINUTE), findings=()), "", id="a person's wish has no reason to repeat"),
        pytest.param(Case(history=runs(MINUTE), settings={"loop": {"repeats": 1}}), "", id="once more is allowed"),
        pytest.param(
            Case(history=runs(MINUTE, 2 * MINUTE), settings={"loop": {"repeats": 1}}),
            "done 2 times",
            id="but not twice",
        ),
        pytest.param(
            Case(history=runs(MINUTE, action="clean-failed-pods"), action="clean-failed-pods"),
            "",
            id="tidying up comes round",
        ),
    ],
)
def test_loop(case: Case, refusal: str) -> None:
    assert_says(Loop().check(*case.build()), refusal)


def test_a_loop_is_looked_at_again_when_enough_of_it_is_past() -> None:
    decline = Loop().check(*Case(history=runs(10 * MINUTE, 50 * MINUTE)).build())
    assert decline is not None
    assert decline.look_again_at == NOON + 50 * MINUTE


# --- rate limit


def in_shop(count: int, **overrides: Any) -> tuple[PastRun, ...]:
    return runs(
        *[10 * SECOND + n * SECOND for n in range(count)], owner=ObjectKey("Deployment", "shop", "other"), **overrides
    )


def drained(ago: timedelta, **overrides: Any) -> tuple[PastRun, ...]:
    return (a_past_run(a_dark_node("node-9"), **({"action": "drain", "started_at": NOON - ago} | overrides)),)


@pytest.mark.parametrize(
    ("case", "again"),
    [
        pytest.param(Case(history=in_shop(4)), None, id="four in a minute"),
        pytest.param(Case(history=in_shop(5)), 46 * SECOND, id="five in a minute: until the oldest is past"),
        pytest.param(Case(history=in_shop(5, namespace="carts")), None, id="five in another namespace"),
        pytest.param(Case(facts={"planned": in_shop(5)}), 46 * SECOND, id="those that were only just allowed"),
        pytest.param(Case(history=in_shop(2, displaced=3)), 49 * SECOND, id="counted by the pods that they displaced"),
        pytest.param(
            Case(history=runs(*[n * 2 * MINUTE + MINUTE for n in range(20)])), 21 * MINUTE, id="twenty within the hour"
        ),
        pytest.param(Case(history=in_shop(5, action="clean-evicted-pods")), None, id="tidying up does not count"),
        pytest.param(Case(history=in_shop(5, action="clean-crash-loops")), 46 * SECOND, id="ending a crash loop does"),
        pytest.param(Case(history=in_shop(5), action="clean-evicted-pods"), None, id="tidying up goes on"),
        pytest.param(Case(target=a_dark_node(), history=in_shop(5)), None, id="a cordon is in no namespace"),
        pytest.param(Case(target=a_dark_node(), history=drained(MINUTE)), None, id="a cordon after a drain"),
        pytest.param(
            Case(target=a_dark_node(), action="drain", history=drained(MINUTE)), 4 * MINUTE, id="a drain after a drain"
        ),
        pytest.param(
            Case(target=a_dark_node(), action="drain", history=drained(MINUTE, action="cordon", displaced=40)),
            4 * MINUTE,
            id="a drain after a run that began with a cordon",
        ),
        pytest.param(
            Case(target=a_dark_node(), action="drain", history=drained(5 * MINUTE)), None, id="five minutes after"
        ),
    ],
)
def test_rate_limit(case: Case, again: timedelta | None) -> None:
    decline = RateLimit().check(*case.build())
    assert (None if decline is None else decline.look_again_at) == (None if again is None else NOON + again)


@pytest.mark.parametrize("guard", [Cooldown(), Attempts(), Loop(), RateLimit(), OwnerInFlight()], ids=lambda g: g.code)
def test_the_order_of_the_history_does_not_matter(guard: Any) -> None:
    history = (
        *runs(90 * SECOND, 4 * MINUTE, 20 * MINUTE, 2 * HOUR, target=POD.key),
        *in_shop(6, displaced=2),
        an_active_run(a_pod("checkout-b"), owner=CHECKOUT),
    )
    forwards = guard.check(*Case(history=history).build())
    backwards = guard.check(*Case(history=history[::-1]).build())
    assert forwards == backwards
    assert forwards is not None

"""What is to be done about faults, by the real actions, guards and placement; fakes refuse where one has to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

import pytest
from msgspec import structs
from tests.support.clock import NOON
from tests.support.healing_facts import Told, a_dark_node, a_past_run
from tests.support.healing_faults import LONG_AGO, a_finding, a_revision, a_workload, crash_loops, nodes
from tests.support.rows import (
    LARGE,
    a_condition,
    a_deployment,
    a_lease,
    a_namespace,
    a_node,
    a_snapshot,
    an_hpa,
)

from auto_healing.actions.action import Preview
from auto_healing.attribute import attribute
from auto_healing.decide import MOST_SEARCHES, Decider, decide, next_rung, plan_for
from auto_healing.drafting import WrongParameters
from auto_healing.facts import Pause, Sight
from auto_healing.fault import Fault, FaultLevel
from auto_healing.history import PastRun
from auto_healing.marks import HEAL
from auto_healing.placement import Placements
from auto_healing.plan import Harm, Mode, Parameters, Plan
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.policy.parse import parse_policy
from auto_healing.run import Place, Run, RunState
from auto_healing.world import World
from common.cluster.rows import NodeRow, PodRow, Resources, Row
from common.cluster.snapshot import ClusterSnapshot
from common.contracts import Finding, ObjectKey

OPTED_IN = a_namespace(labels={HEAL: "on"})
SIGHT = Sight(synced_at=NOON - timedelta(hours=1), health_monitor_heard_at=NOON)
N = ("n1", "n2", "n3")


def a_world(
    *rows: Row, policy: str = "mode: auto", history: Sequence[PastRun] = (), sight: Sight = SIGHT, **world: Any
) -> World:
    """A namespace that has opted in, three nodes unless the rows have some, and everything in order."""
    fleet = [] if any(isinstance(row, NodeRow) for row in rows) else nodes(*N)
    leases = [a_lease(row.name) for row in (*fleet, *rows) if isinstance(row, NodeRow) and row.ready]
    namespace = [] if any(row.kind == "Namespace" for row in rows) else [OPTED_IN]
    return World(
        now=NOON,
        snapshot=a_snapshot(*namespace, *fleet, *leases, *rows),
        policy=parse_policy(f"version: 1\n{policy}"),
        history=Told(tuple(history)),
        sight=sight,
        **world,
    )


def decided(world: World, findings: Sequence[Finding], rungs: Mapping[Any, int] | None = None) -> list[Plan]:
    faults = attribute(findings, world.snapshot)
    return decide(faults, world, rungs=rungs or {}, placements=Placements(world.snapshot, world.now))


def only(world: World, findings: Sequence[Finding], rungs: Mapping[Any, int] | None = None) -> Plan:
    (plan,) = decided(world, findings, rungs)
    return plan


STUCK = a_condition("Progressing", "False", reason="ProgressDeadlineExceeded", changed_at=LONG_AGO)
ZONE_A = {HEAL: "on", "topology.kubernetes.io/zone": "zone-a"}
SHOP = a_workload("shop", N, failing=["n1"])
BAD = SHOP[2]


def test_a_crashing_pod_is_evicted_and_its_place_is_known() -> None:
    plan = only(a_world(*SHOP), crash_loops(SHOP))
    assert plan.allowed, plan.declined
    assert (plan.rule, plan.mode, plan.rung) == ("crash-loop", Mode.AUTO, 0)
    (step,) = plan.steps
    assert (step.action, step.target) == ("evict-pod", BAD.key.ref(BAD.uid))
    (displaced,) = step.displaces
    assert displaced.from_node == "n1"
    assert displaced.to_node in N


def test_what_has_not_opted_in_is_observed_and_told_why() -> None:
    plan = only(a_world(*SHOP, a_namespace()), crash_loops(SHOP))
    assert plan.mode is Mode.OBSERVE
    assert plan.allowed, "what would be done is still worked out"
    assert "has not opted in" in plan.steps[0].reason


@pytest.mark.parametrize(
    ("namespace", "policy"),
    [
        pytest.param(a_namespace(labels={HEAL: "on"}), "", id="its namespace by label"),
        pytest.param(a_namespace(annotations={HEAL: "On"}), "", id="its namespace by annotation"),
        pytest.param(a_namespace(), "scope: {namespaces: [sh*]}", id="its namespace by the policy"),
        pytest.param(a_namespace(), "scope: {opt_in: false}", id="everybody by the policy"),
    ],
)
def test_who_opts_in(namespace: Row, policy: str) -> None:
    plan = only(a_world(*SHOP, namespace, policy=f"mode: auto\n{policy}"), crash_loops(SHOP))
    assert (plan.mode, plan.declined) == (Mode.AUTO, ())


def test_a_workload_opts_in_its_pods() -> None:
    rows = a_workload("shop", N, failing=["n1"], annotations={HEAL: "on"})
    assert only(a_world(*rows, a_namespace()), crash_loops(rows)).mode is Mode.AUTO


@pytest.mark.parametrize(
    ("policy", "code", "guard", "message"),
    [
        pytest.param("", "pod-no-requests", "policy", "no rule of the policy is for pod-no-requests", id="no rule"),
        pytest.param("rules: [{name: crash-loop, mode: off}]", "", "policy", "rule crash-loop is off", id="a rule off"),
        pytest.param("", "pod-oom-killed", CALL_A_HUMAN, "memory-too-small calls a human", id="only a human helps"),
        pytest.param(
            "rules: [{name: crash-loop, ladder: [cordon]}]",
            "",
            CALL_A_HUMAN,
            "no other remedy of it applies",
            id="a remedy for another kind",
        ),
    ],
)
def test_why_nothing_is_to_be_done(policy: str, code: str, guard: str, message: str) -> None:
    plan = only(a_world(*SHOP, policy=f"mode: auto\n{policy}"), [a_finding(BAD, code or "pod-crash-loop")])
    assert (plan.steps, plan.allowed, plan.target) == ((), False, BAD.key.ref(BAD.uid))
    assert plan.declined[0].guard == guard
    assert message in plan.declined[0].message


def test_a_fault_that_is_too_young_is_looked_at_when_it_is_old_enough() -> None:
    since = NOON - timedelta(minutes=4)
    (decline,) = only(a_world(*SHOP), crash_loops(SHOP, since=since)).declined
    assert decline.message == "rule crash-loop waits until it has lasted 10m"
    assert decline.look_again_at == since + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("by_now", "declined"),
    [
        pytest.param(2, "rule crash-loop waits until restarts is at least 5; it is 3", id="fewer than it was told"),
        pytest.param(4, "rule crash-loop waits until restarts is at least 5; it is 4", id="not often enough"),
        pytest.param(5, "", id="as often as the rule wants"),
    ],
)
def test_restarts_are_those_that_the_pod_has_by_now(by_now: int, declined: str) -> None:
    """health_monitor tells of a crash loop at its second restart, and not again at each further one."""
    status = structs.replace(BAD.statuses[0], restarts=by_now)  # type: ignore[attr-defined]
    bad = structs.replace(BAD, statuses=(status,))
    rows = [bad if row == BAD else row for row in SHOP]
    told = [replace(each, evidence={"restarts": 3}) for each in crash_loops(rows)]
    plan = only(a_world(*rows, a_namespace(labels={HEAL: "on"})), told)
    assert [each.message for each in plan.declined] == [declined] * bool(declined)


def test_a_human_is_told_how_often_it_crashes_by_now() -> None:
    status = structs.replace(BAD.statuses[0], restarts=5)  # type: ignore[attr-defined]
    rows = [structs.replace(BAD, statuses=(status,)) if row == BAD else row for row in SHOP]
    policy = "mode: auto\nrules: [{name: crash-loop, ladder: [call-a-human]}]"
    for said, told in (
        ("It crashes again and again, 2 times so far: why", "crashes again and again, 5 times so far: why"),
        ("It is broken", "It is broken (5 restarts so far)"),
    ):
        findings = [replace(each, message=said, evidence={"restarts": 2}) for each in crash_loops(rows)]
        assert told in only(a_world(*rows, policy=policy), findings).declined[0].message


def test_a_rule_further_down_may_act_while_one_above_waits() -> None:
    policy = """mode: auto
rules:
  - {name: late, match: {codes: [pod-crash-loop], min_age: 1h}, ladder: [call-a-human]}
  - {name: early, match: {codes: [pod-crash-loop], min_age: 1m}, ladder: [delete-pod]}"""
    assert only(a_world(*SHOP, policy=policy), crash_loops(SHOP)).rule == "early"


def test_the_finding_that_the_rule_is_for_stands_in_front() -> None:
    findings = [a_finding(BAD, "pod-config-error", since=NOON), *crash_loops(SHOP)]
    plan = only(a_world(*SHOP), findings)
    assert [finding.code for finding in plan.fault.findings] == ["pod-crash-loop", "pod-config-error"]


def test_the_ladder_is_climbed_to_a_human() -> None:
    world, findings = a_world(*SHOP), crash_loops(SHOP)
    key = (FaultLevel.POD, BAD.key)
    moved = only(world, findings, {key: 1})
    assert (moved.rung, moved.steps[0].action) == (1, "move-pod")
    assert moved.steps[0].displaces[0].to_node in {"n2", "n3"}, "not back to the node that it is moved off"
    for rung in (2, 3):
        plan = only(world, findings, {key: rung})
        assert (plan.steps, plan.rung, plan.declined[0].guard) == ((), rung, CALL_A_HUMAN)
        assert f"{rung} of its remedies did not help" in plan.declined[0].message


class Refuses:
    """An action that cannot be applied to anything."""

    code: ClassVar[str] = "evict-pod"
    title: ClassVar[str] = "Refuse"
    harm: ClassVar[Harm] = Harm.HARMFUL
    kinds: ClassVar[frozenset[str]] = frozenset({"Pod"})
    expects = undoable = ""
    permissions: ClassVar[tuple[()]] = ()
    parameters: ClassVar[Mapping[str, str]] = {}

    def __init__(self, error: str = "") -> None:
        self._error = error

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: object) -> Preview:
        if self._error:
            raise ValueError(self._error)
        return Preview(refusal="it does not want to")


class Does(Refuses):
    """An action that takes the pod away."""

    code = "move-pod"

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: object) -> Preview:
        return Preview(displaced=(target.key.ref(target.uid),))


def with_actions(world: World, *actions: Any) -> Decider:
    return Decider(world, Placements(world.snapshot, world.now), actions={each.code: each for each in actions})


@pytest.mark.parametrize(
    ("refusing", "why"),
    [
        pytest.param(Refuses(), "evict-pod cannot be done: it does not want to", id="its preconditions do not hold"),
        pytest.param(Refuses("grace must be a number"), "evict-pod: grace must be a number", id="wrong parameters"),
    ],
)
def test_a_remedy_that_cannot_be_applied_is_passed_over(refusing: Refuses, why: str) -> None:
    world = a_world(*SHOP)
    faults = attribute(crash_loops(SHOP), world.snapshot)
    (plan,) = with_actions(world, refusing, Does()).decide(faults, {})
    assert (plan.rung, plan.steps[0].action, plan.allowed) == (1, "move-pod", True)
    assert why in plan.steps[0].reason
    (plan,) = with_actions(world, refusing).decide(faults, {})
    assert [decline.guard for decline in plan.declined] == [CALL_A_HUMAN, "action", "action"]
    assert plan.declined[1].message == why


def test_a_storm_gets_no_more_actions_than_the_budgets_allow() -> None:
    rows = [row for n in range(30) for row in a_workload(f"w{n}", [N[n % 3], N[(n + 1) % 3]], failing=[N[n % 3]])]
    policy = "mode: auto\nattribution: {node_workloads: 100}\nguards: {rate_limit: {pods_per_minute: 4}}"
    world = a_world(*rows, policy=policy)
    faults = attribute(crash_loops(rows), world.snapshot, world.policy.attribution)
    plans = decide(faults, world, rungs={}, placements=Placements(world.snapshot, NOON))
    assert len(plans) == 30
    assert sum(plan.allowed for plan in plans) == 4
    assert {plan.declined[0].guard for plan in plans if not plan.allowed} == {"rate-limit"}


def test_what_is_only_observed_uses_up_nothing() -> None:
    """Though it is more severe, and older."""
    rows = [*a_workload("watched", N, failing=["n1"]), *a_workload("acted", N, failing=["n2"])]
    policy = """mode: auto
rules: [{name: shadow, mode: observe, match: {labels: {app: watched}, codes: [pod-crash-loop]}, ladder: [evict-pod]}]
guards: {rate_limit: {pods_per_minute: 1}}"""
    shadow, acted = decided(a_world(*rows, policy=policy), crash_loops(rows))[::-1]
    assert (shadow.mode, acted.mode) == (Mode.OBSERVE, Mode.AUTO)
    assert acted.allowed
    assert [decline.guard for decline in shadow.declined] == ["rate-limit"]


def test_room_that_one_plan_takes_is_gone_for_the_next() -> None:
    """As two pods could move to the one place that is left, if each were looked at alone."""
    full = Resources(cpu_millicores=250, memory_bytes=LARGE.memory_bytes, ephemeral_bytes=0, pods=110)
    fleet = [a_node("n1", unschedulable=True), a_node("n2", allocatable=full), a_lease("n1"), a_lease("n2")]
    rows = [*a_workload("a", ["n1", "n2"], failing=["n1"]), *a_workload("b", ["n1"], failing=["n1"])]
    plans = decided(a_world(*fleet, *rows), crash_loops(rows))
    assert sorted(plan.allowed for plan in plans) == [False, True]
    (declined,) = (plan for plan in plans if not plan.allowed)
    assert [decline.guard for decline in declined.declined] == ["capacity"]
    assert "Insufficient cpu" in declined.declined[0].message


def test_places_are_looked_for_only_so_often_at_once() -> None:
    """Where nothing fits no budget is ever used up, and each search takes its time: the rest waits a moment."""
    rows = [row for n in range(MOST_SEARCHES + 5) for row in a_workload(f"w{n}", ["n1"], failing=["n1"])]
    full = [a_node("n1", unschedulable=True), a_lease("n1")]
    world = a_world(*full, *rows, policy="mode: auto\nattribution: {node_workloads: 1000}")
    faults = attribute(crash_loops(rows), world.snapshot, world.policy.attribution)
    plans = decide(faults, world, rungs={}, placements=Placements(world.snapshot, NOON))
    assert Counter(plan.declined[0].guard for plan in plans) == {"capacity": MOST_SEARCHES, "backlog": 5}
    (again,) = {plan.declined[0].look_again_at for plan in plans if plan.declined[0].guard == "backlog"}
    assert again == NOON + timedelta(seconds=1)


class Nowhere:
    """Is not to be asked for a place."""

    def displace(self, pods: Sequence[Any], **_: Any) -> tuple[Any, ...]:
        raise AssertionError(f"a place is looked for for {len(pods)} pods")

    def copy(self) -> Self:
        return self


class TakesBoth(Does):
    """An action that takes the other pods of the workload along."""

    code = "evict-pod"

    def preview(self, target: Row, snapshot: ClusterSnapshot, parameters: Parameters, now: object) -> Preview:
        pods = snapshot.pods_of(snapshot.top_owner(target))
        return Preview(displaced=tuple(pod.key.ref(pod.uid) for pod in pods))


def test_no_place_is_looked_for_for_what_must_not_go_anyway() -> None:
    kept = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    rows = [
        structs.replace(row, annotations=kept) if isinstance(row, PodRow) and row.ready else row
        for row in a_workload("shop", N, failing=["n1"])
    ]
    world = a_world(*rows)
    decider = Decider(world, Nowhere(), actions={TakesBoth.code: TakesBoth()})
    (plan,) = decider.decide(attribute(crash_loops(rows), world.snapshot), {})
    assert [decline.guard for decline in plan.declined] == ["protected"]
    assert "safe-to-evict" in plan.declined[0].message


def test_one_hopeless_case_does_not_starve_the_others() -> None:
    """Though it is the oldest, and nothing else stops it: what was tried before comes after what was not."""
    rows = [*a_workload("hopeless", N, failing=["n1"]), *a_workload("other", N, failing=["n2"])]
    tried = a_past_run(
        ObjectKey("Pod", "shop", "the pod before"),
        owner=rows[0].key,
        node="n3",
        started_at=NOON - timedelta(hours=3),
        ended_at=NOON - timedelta(hours=2),
    )
    findings = [
        replace(each, since=each.since - timedelta(hours="hopeless" in each.object.name)) for each in crash_loops(rows)
    ]
    policy = "mode: auto\nguards: {rate_limit: {pods_per_minute: 1}}"

    def first(*history: PastRun) -> tuple[list[str], list[str]]:
        plans = decided(a_world(*rows, policy=policy, history=history), findings)
        allowed = [plan.fault.subject.name.split("-")[0] for plan in plans if plan.allowed]
        return allowed, [decline.guard for plan in plans for decline in plan.declined]

    assert first() == (["hopeless"], ["rate-limit"])
    assert first(tried) == (["other"], ["rate-limit"])


def test_the_pods_of_a_silent_node_are_made_anew_elsewhere() -> None:
    dark = a_dark_node("n1", labels={HEAL: "on"})
    pods = a_workload("shop", ["n1", "n2"])
    world = a_world(dark, *nodes("n2", "n3"), *pods, a_lease("n1", renewed_at=NOON - timedelta(hours=1)))
    plan = only(world, [a_finding(dark, "node-unknown"), a_finding(pods[2], "pod-on-not-ready-node")])
    assert plan.allowed, plan.declined
    assert (plan.rule, plan.steps[0].action, plan.fault.level) == ("node-silent", "reschedule-from-node", "node")
    (displaced,) = plan.steps[0].displaces
    assert (displaced.pod.name, displaced.to_node) == (pods[2].name, "n3")


def test_a_bad_revision_is_rolled_back() -> None:
    rows = a_workload("shop", N, number=1, since=NOON - timedelta(days=2))
    rows += a_revision(rows[0], ["n1"], failing=["n1"], revision="bad", number=2, since=LONG_AGO)
    rows[0] = a_deployment("shop", revision="2", uid=rows[0].uid, conditions=(STUCK,))
    stuck = a_finding(rows[0], "deployment-rollout-stuck")
    plan = only(a_world(*rows), [stuck, *crash_loops(rows)])
    assert plan.allowed, plan.declined
    assert (plan.rule, plan.fault.level, plan.fault.revision) == ("bad-revision", "revision", "bad")
    assert (plan.steps[0].action, plan.target.kind) == ("roll-back", "Deployment")
    assert "goes back to revision 1" in plan.steps[0].changes[0]


def test_a_workload_that_fails_everywhere_is_not_moved_about() -> None:
    rows = a_workload("shop", N, failing=N)
    plan = only(a_world(*rows), crash_loops(rows))
    assert (plan.rule, plan.steps, plan.declined[0].guard) == ("workload-crash-loop", (), CALL_A_HUMAN)


def test_a_zone_that_is_gone_is_held() -> None:
    zone = [a_dark_node(name, zone="zone-a", labels=ZONE_A) for name in ("a1", "a2", "a3")]
    world = a_world(*zone, *nodes("b1", "b2", zone="zone-b"))
    plan = only(world, [a_finding(node, "node-unknown") for node in zone])
    assert (plan.rule, plan.steps, plan.target.kind, plan.target.name) == ("zone-down", (), "Zone", "zone-a")


def a_dark_zone(node: Row) -> list[Row]:
    return [node, *nodes("n2", "n3"), *a_workload("shop", ["n1", "n2"])]


@pytest.mark.parametrize("rung", [pytest.param(0, id="at first"), pytest.param(1, id="before each escalation")])
def test_a_node_that_has_recovered_is_left_alone(rung: int) -> None:
    """It was silent when its finding was told, and is ready when it is decided about."""
    labelled = a_node("n1", labels={HEAL: "on"})
    world = a_world(
        *a_dark_zone(labelled),
        policy="mode: auto\nrules: [{name: node-silent, ladder: [drain, cordon, call-a-human]}]",
    )
    plan = only(world, [a_finding(labelled, "node-unknown")], {(FaultLevel.NODE, labelled.key): rung})
    assert not plan.allowed
    assert "still-true" in {decline.guard for decline in plan.declined}


def test_nothing_is_done_right_after_an_outage_of_the_view() -> None:
    """What aged meanwhile was seen by nobody: its time counts anew, so that nothing breaks loose at recovery."""
    sight = replace(SIGHT, outage_ended_at=NOON - timedelta(seconds=90))
    plan = only(a_world(*SHOP, sight=sight), crash_loops(SHOP))
    assert [decline.guard for decline in plan.declined] == ["grace"]


def test_a_pause_stops_what_harms_and_not_what_restores() -> None:
    cordoned = a_node("n1", unschedulable=True)
    world = a_world(cordoned, *nodes("n2", "n3"), *SHOP, pauses=[Pause(reason="a migration", by="ann", since=NOON)])
    placements = Placements(world.snapshot, NOON)
    uncordon = plan_for("uncordon", cordoned.key.ref(), {"take_over": True}, world=world, placements=placements)
    assert (len(uncordon.steps), uncordon.declined) == (1, ())
    evict = plan_for("evict-pod", BAD.key.ref(), {}, world=world, placements=placements)
    assert evict.declined[0].guard == "paused"


def test_an_autoscaler_with_nothing_to_scale_is_no_trouble() -> None:
    """One with min equal to max, or that wants too few replicas, is told by no rule to be healed."""
    world = a_world(an_hpa(min_replicas=3, max_replicas=3))
    plan = only(world, [a_finding(an_hpa(), "hpa-at-max")])
    assert plan.steps == ()
    assert "no rule" in plan.declined[0].message


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9, 10, 49, 50])
def test_a_pool_of_any_size_may_have_one_node_repaired(size: int) -> None:
    on = {"labels": {HEAL: "on", "kubernetes.io/hostname": "n0"}}
    condition = a_condition("NetworkUnavailable", changed_at=LONG_AGO)
    sick = a_node("n0", conditions=(a_condition("Ready", changed_at=NOON - timedelta(days=1)), condition), **on)
    fleet = [sick, *nodes(*(f"n{n}" for n in range(1, size)))]
    plan = only(a_world(*fleet), [a_finding(sick, "node-network-unavailable")])
    assert plan.allowed, plan.declined
    assert plan.steps[0].action == "drain"


def test_the_same_world_gives_the_same_plans() -> None:
    rows = [row for n in range(8) for row in a_workload(f"w{n}", N, failing=["n1"])]
    world = a_world(*rows, policy="mode: auto\nattribution: {node_workloads: 100}")
    faults = attribute(crash_loops(rows), world.snapshot, world.policy.attribution)
    placements = Placements(world.snapshot, NOON)
    first = decide(faults, world, rungs={}, placements=placements)
    assert decide(faults, world, rungs={}, placements=placements) == first


BY_HAND = {
    "an action that there is not": ("evict-pods", BAD.key, "there is no action evict-pods; did you mean evict-pod?"),
    "an action for another kind": ("cordon", BAD.key, "cordon is for a Node, not for a Pod"),
}


@pytest.mark.parametrize(("action", "target", "message"), BY_HAND.values(), ids=BY_HAND)
def test_wishes_that_make_no_sense(action: str, target: ObjectKey, message: str) -> None:
    world = a_world(*SHOP)
    with pytest.raises(ValueError, match=message.replace("?", "[?]")):
        plan_for(action, target.ref(), {}, world=world, placements=Placements(world.snapshot, NOON))


def test_a_person_needs_no_opt_in_but_asks_the_same_guards() -> None:
    world = a_world(*SHOP, a_namespace())
    placements = Placements(world.snapshot, NOON)
    plan = plan_for("evict-pod", BAD.key.ref(), {}, world=world, placements=placements, findings=crash_loops(SHOP))
    assert (plan.rule, plan.mode, plan.declined) == ("by-hand", Mode.AUTO, ())
    assert plan.target.uid == BAD.uid
    off = a_world(*SHOP, a_namespace(labels={HEAL: "off"}))
    plan = plan_for("evict-pod", BAD.key.ref(), {}, world=off, placements=placements)
    assert [decline.guard for decline in plan.declined] == ["protected"]
    assert plan.steps[0].displaces, "what would be displaced is shown all the same"


@pytest.mark.parametrize("uid", ["", "another-life"])
def test_a_target_that_is_gone_is_declined(uid: str) -> None:
    rows = SHOP if uid else []
    world = a_world(*rows)
    plan = plan_for("evict-pod", BAD.key.ref(uid), {}, world=world, placements=Placements(world.snapshot, NOON))
    assert [decline.guard for decline in plan.declined] == ["target"]
    assert [(step.action, step.reason) for step in plan.steps] == [("evict-pod", "asked for by hand")]


def test_why_a_person_wants_something_stands_in_its_step_also_when_it_is_declined() -> None:
    world, why = a_world(*SHOP), "ann asked for it: its disk clicks"
    placements = Placements(world.snapshot, NOON)
    plan = plan_for("evict-pod", BAD.key.ref(), {}, world=world, placements=placements, reason=why)
    node = a_node("n1")
    refused = plan_for("uncordon", node.key.ref(), {}, world=world, placements=placements, reason=why)
    assert [decline.guard for decline in refused.declined] == ["action"]
    assert [step.reason for step in (*plan.steps, *refused.steps)] == [why, why]
    assert refused.steps[0].target.uid


def test_parameters_that_make_no_sense_make_no_plan() -> None:
    world = a_world(*SHOP)
    with pytest.raises(WrongParameters, match="evict-pod: there is no parameter no; it takes none"):
        plan_for("evict-pod", BAD.key.ref(), {"no": 1}, world=world, placements=Placements(world.snapshot, NOON))


@pytest.mark.parametrize(
    ("rule", "rung", "above"),
    [
        pytest.param("crash-loop", 0, 1, id="the next remedy"),
        pytest.param("crash-loop", 1, 2, id="the human at its end"),
        pytest.param("crash-loop", 2, None, id="nothing above the human"),
        pytest.param("gone", 0, None, id="a rule that is not in the policy any more"),
    ],
)
def test_the_next_rung(rule: str, rung: int, above: int | None) -> None:
    fault = Fault(level=FaultLevel.POD, subject=BAD.key, findings=())
    plan = Plan(rule=rule, mode=Mode.AUTO, fault=fault, target=BAD.key.ref(), rung=rung)
    run = Run(
        id=UUID(int=1),
        plan=plan,
        place=Place(owner=BAD.key),
        state=RunState.FAILED,
        created_at=NOON,
        updated_at=NOON,
        requested_by="policy",
    )
    assert next_rung(parse_policy("version: 1"), run) == above

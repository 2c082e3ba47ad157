"""The engine's life: the first pass, changes, time, deletions, outages, failing checks, policies, taking over."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.health_engine import STEERED, EngineUnderTest, a_check, changes
from tests.support.rows import (
    NAMESPACE,
    a_condition,
    a_deployment,
    a_job,
    a_lease,
    a_namespace,
    a_node,
    a_pod,
    a_replica_set,
    a_usage,
    owned_by,
)

from common.cluster.rows import NodeRow, Row
from common.cluster.snapshot import SourceState
from common.contracts import Change, ObjectKey, Severity
from common.contracts.objects import CLUSTER, ZONE
from health_monitor.checks.check import SOURCES, Symptom
from health_monitor.engine.engine import OpenFinding
from health_monitor.engine.looking import CHANNEL
from health_monitor.engine.settings import EngineSettings
from health_monitor.policy import Override, Policy, Rule
from health_monitor.policy.mutes import MUTE

CLUSTER_KEY = ObjectKey(CLUSTER, "", "")
EAST = ObjectKey(ZONE, "", "east")
DEPLOYMENT = a_deployment("web")
REPLICA_SET = a_replica_set("web-1", owner=owned_by(DEPLOYMENT))


def ill(row: Row, sick: str = "critical", **more: str) -> Row:
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return type(row)(**(fields | {"labels": {**row.labels, "sick": sick, **more}}))


def a_web_pod(name: str, **overrides: object) -> Row:
    return a_pod(name, owner=owned_by(REPLICA_SET), **overrides)


# --- the first pass


def test_nothing_is_told_before_everything_was_looked_at() -> None:
    world = EngineUnderTest(*(ill(a_pod(f"pod-{n}")) for n in range(5)), start=False)
    assert world.engine.apply([], world.now).events == []
    world.engine.start()
    assert not world.take(world.engine.work(world.now, limit=3))
    assert not world.engine.started
    assert world.engine.pending
    told = world.take(world.engine.work(world.now))
    assert world.engine.started
    assert len(told) == 5
    assert {event.cluster_score for event in told} == {world.engine.value(CLUSTER_KEY)}


def test_changes_before_the_start_are_in_the_view_already() -> None:
    world = EngineUnderTest(start=False)
    assert world.put(ill(a_pod("one"))) == []
    assert changes(world.start()) == [("opened", "one")]


def test_changes_during_the_first_pass_are_not_lost() -> None:
    world = EngineUnderTest(a_pod("one"), a_pod("two"), start=False)
    world.engine.start()
    world.engine.work(world.now, limit=1)
    assert changes(world.put(ill(a_pod("two")), a_pod("three"))) == [("opened", "two")]
    assert ObjectKey("Pod", NAMESPACE, "three") in world.engine.workloads()


def test_every_score_is_told_once_and_then_only_when_it_moved() -> None:
    world = EngineUnderTest(DEPLOYMENT, REPLICA_SET, a_web_pod("one"), a_node("node-1", zone="east"))
    told = {change.key: change.score for change in world.scores}
    assert told == dict.fromkeys(
        [CLUSTER_KEY, EAST, ObjectKey("Namespace", "", NAMESPACE), DEPLOYMENT.key, ObjectKey("Node", "", "node-1")],
        100.0,
    )
    world.scores.clear()
    world.put(a_web_pod("one"))
    assert world.scores == []
    world.put(ill(a_node("node-1", zone="east")))
    assert {change.key for change in world.scores} == {CLUSTER_KEY, EAST, ObjectKey("Node", "", "node-1")}
    assert all(change.at == world.now for change in world.scores)


def test_a_score_whose_object_went_is_told_as_none() -> None:
    world = EngineUnderTest(DEPLOYMENT, a_node("node-1", zone="east"))
    world.scores.clear()
    world.remove(DEPLOYMENT, a_node("node-1", zone="east"))
    gone = {change.key for change in world.scores if change.score is None}
    assert gone == {DEPLOYMENT.key, ObjectKey("Namespace", "", NAMESPACE), EAST, ObjectKey("Node", "", "node-1")}
    assert not world.engine.workloads()
    assert not world.engine.zones()
    assert not world.engine.namespaces()


# --- changes


def test_every_event_about_a_pod_names_its_node() -> None:
    world = EngineUnderTest(a_node("node-1"))
    (event,) = world.put(ill(a_pod("one", node="node-1")))
    assert event.finding.evidence["node"] == "node-1"
    (event,) = world.put(ill(a_pod("two", node="")))
    assert "node" not in event.finding.evidence


def test_every_event_about_what_is_in_a_namespace_names_its_channel() -> None:
    world = EngineUnderTest(a_namespace(NAMESPACE, annotations={CHANNEL: "payments"}))
    for row in (ill(a_pod("one")), ill(a_deployment("web"))):
        (event,) = world.put(row)
        assert event.finding.evidence[CHANNEL] == "payments"


def test_an_event_says_what_changed_and_the_scores_after_it() -> None:
    world = EngineUnderTest(a_node("node-1"), a_node("node-2"))
    (event,) = world.put(ill(a_node("node-1")))
    assert event.change is Change.OPENED
    assert event.finding.object.uid == a_node("node-1").uid
    assert event.object_score == 20
    assert event.cluster_score == world.engine.value(CLUSTER_KEY) < 100
    assert event.detected_at == world.now
    assert world.step(60) == []


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        pytest.param(True, "Pod shop/one was deleted; before that: one is ill", id="deleted"),
        pytest.param(False, "Pod shop/one was deleted; before that: one is ill", id="deleted and made again unnoticed"),
    ],
)
def test_findings_of_a_deleted_object_resolve_at_once(gone: bool, told: str) -> None:
    world = EngineUnderTest(ill(a_pod("one")))
    events = world.remove(a_pod("one")) if gone else world.put(a_pod("one", uid="another"))
    assert [(event.change, event.finding.message) for event in events] == [(Change.RESOLVED, told)]
    assert list(world.engine.all_findings()) == []
    assert world.step(3600) == []


def test_an_object_that_was_made_again_and_is_ill_opens_anew() -> None:
    world = EngineUnderTest(ill(a_pod("one")))
    assert changes(world.put(ill(a_pod("one", uid="another")))) == [("resolved", "one"), ("opened", "one")]


def test_a_pod_moves_between_workloads_with_its_owners() -> None:
    """The ReplicaSet is heard of after its pods, as different watches have no order."""
    world = EngineUnderTest(DEPLOYMENT, ill(a_web_pod("one")))
    orphan = ObjectKey("ReplicaSet", NAMESPACE, "web-1")
    assert world.engine.value(orphan) < 20
    assert world.engine.value(DEPLOYMENT.key) == 100
    world.put(REPLICA_SET)
    assert world.engine.value(DEPLOYMENT.key) < 20
    assert orphan not in world.engine.workloads()
    world.remove(REPLICA_SET)
    assert world.engine.value(orphan) < 20


def test_a_bare_pod_that_is_adopted_takes_its_loss_along() -> None:
    world = EngineUnderTest(DEPLOYMENT, REPLICA_SET, ill(a_pod("one")))
    assert ObjectKey("Pod", NAMESPACE, "one") in world.engine.workloads()
    world.put(ill(a_web_pod("one")))
    assert set(world.engine.workloads()) == {DEPLOYMENT.key}
    assert world.engine.value(DEPLOYMENT.key) < 20


def test_a_finished_pod_keeps_its_finding_and_counts_nothing() -> None:
    world = EngineUnderTest(DEPLOYMENT, REPLICA_SET, a_web_pod("one"), a_web_pod("two"))
    world.put(ill(a_web_pod("one", phase="Failed")))
    assert world.engine.value(ObjectKey("Pod", NAMESPACE, "one")) == 20
    assert len(world.engine.findings(ObjectKey("Pod", NAMESPACE, "one"))) == 1
    assert world.engine.value(DEPLOYMENT.key) == 100


def test_a_change_runs_only_the_checks_that_read_it() -> None:
    runs: list[str] = []

    def noting(name: str) -> object:
        def run(*_arguments: object) -> Iterable[Symptom]:
            runs.append(name)
            return ()

        return run

    world = EngineUnderTest(
        a_node("node-1"),
        checks=(
            a_check("Node", code="node-itself", run=noting("node-itself")),
            a_check("Node", code="node-by-lease", run=noting("node-by-lease"), reads=frozenset({"Lease"})),
            a_check("Node", code="node-by-usage", run=noting("node-by-usage"), reads=frozenset({"NodeUsage"})),
        ),
    )
    runs.clear()
    world.put(a_lease("node-1"))
    assert runs == ["node-by-lease"]
    runs.clear()
    world.apply(world.store.set_usage("Node", {ObjectKey("Node", "", "node-1"): a_usage()}))
    assert runs == ["node-by-usage"]
    runs.clear()
    world.put(a_node("node-1"))
    assert runs == ["node-itself", "node-by-lease", "node-by-usage"]
    runs.clear()
    world.put(a_lease("unknown"), a_pod("one"))
    assert runs == []


def test_a_look_for_one_kind_leaves_other_findings_alone() -> None:
    by_lease = a_check("Node", code="node-by-lease", run=lambda *_: (), reads=frozenset({"Lease"}))
    world = EngineUnderTest(ill(a_node("node-1")), checks=(*STEERED, by_lease))
    world.put(a_lease("node-1"))
    world.step(60)
    assert len(list(world.engine.all_findings())) == 1


def test_the_cluster_is_looked_at_once_for_many_changes_and_never_too_late() -> None:
    looks: list[float] = []
    world = EngineUnderTest(a_node("node-1"), start=False)

    def run(_key: object, snapshot: object, _thresholds: object, now: object) -> Iterable[Symptom]:
        looks.append((now - world.clock.now()).total_seconds())
        if world.store.unready_nodes():
            yield Symptom(message="nodes are not ready")

    checks = tuple(
        a_check(kind, code=f"{kind.lower()}-nodes", run=run, reads=frozenset({"Node"})) for kind in (CLUSTER, ZONE)
    )
    world = EngineUnderTest(a_node("node-1", zone="east"), checks=checks)
    looks.clear()
    world.step(0.5)
    for _ in range(20):
        world.put(a_node("node-1", zone="east", conditions=()))
        world.put(a_node("node-1", zone="east"))
    assert world.put(a_node("node-1", zone="east", conditions=())) == []
    assert looks == []
    assert changes(world.step(0.5)) == [("opened", ""), ("opened", "east")]
    assert len(looks) == 2


def test_a_zones_findings_end_with_its_last_node() -> None:
    in_trouble = a_check(ZONE, run=lambda *_: [Symptom(message="in trouble")], reads=frozenset({"Node"}))
    world = EngineUnderTest(a_node("node-1", zone="east"), checks=(in_trouble,))
    assert [event.finding.object.key for event in world.told.values()] == [EAST]
    world.step(10)
    world.remove(a_node("node-1", zone="east"))
    assert not world.told
    assert world.engine.score(EAST) is None


# --- time


def test_a_duration_ends_at_its_exact_time() -> None:
    world = EngineUnderTest(a_pod("one"))
    begun = world.now
    assert world.put(ill(a_pod("one"), "warning:300")) == []
    assert world.engine.next_due_at == begun + timedelta(seconds=300)
    world.put(ill(a_pod("one"), "warning:300"))
    (event,) = world.step(1000)
    assert event.detected_at == begun + timedelta(seconds=300)
    assert event.finding.since == begun
    assert world.engine.next_due_at is None


def test_a_least_duration_for_all_is_a_setting() -> None:
    world = EngineUnderTest(settings=EngineSettings(open_after=timedelta(seconds=7)))
    assert world.put(ill(a_pod("one"))) == []
    assert changes(world.step(7)) == [("opened", "one")]


def test_a_check_is_run_again_as_often_as_it_asks_while_its_symptom_holds() -> None:
    looks: list[int] = []

    def run(row: Row, *_rest: object) -> Iterable[Symptom]:
        looks.append(1)
        return [Symptom(message="ill")] if "sick" in row.labels else []

    world = EngineUnderTest(a_pod("one"), checks=(a_check("Pod", run=run, look_again=timedelta(seconds=20)),))
    world.put(ill(a_pod("one")))
    looks.clear()
    world.step(100)
    assert len(looks) == 5
    world.put(a_pod("one"))
    world.step(30)
    looks.clear()
    world.step(1000)
    assert len(looks) <= 1


@pytest.mark.parametrize(
    ("kind", "opened_after"),
    [
        pytest.param(None, 500, id="of the API server: all timers start anew"),
        pytest.param("Pod", 500, id="of the watch that the check rests on: so do its timers"),
        pytest.param("Node", 300, id="of another watch: nothing"),
    ],
)
def test_after_an_outage_durations_start_anew(kind: str | None, opened_after: float) -> None:
    world = EngineUnderTest(a_pod("one"))
    begun = world.now
    world.put(ill(a_pod("one"), "warning:300"))
    world.step(200)
    world.engine.restart_timers(world.now, kind)
    (event,) = world.step(1000)
    assert event.detected_at == begun + timedelta(seconds=opened_after)


def test_an_outage_does_not_close_what_is_open() -> None:
    world = EngineUnderTest(ill(a_pod("one"), "warning:300"))
    world.step(300)
    world.engine.restart_timers(world.now)
    assert world.put(ill(a_pod("one"), "warning:300")) == []
    assert world.step(1000) == []
    assert len(world.told) == 1


def test_a_past_date_stays_past_through_an_outage() -> None:
    def run(*_arguments: object) -> Iterable[Symptom]:
        yield Symptom(message="late", after=timedelta(seconds=60), restarts_timer=False)

    world = EngineUnderTest(a_pod("one"), checks=(a_check("Pod", run=run),))
    begun = world.now
    world.step(50)
    world.engine.restart_timers(world.now)
    (event,) = world.step(1000)
    assert event.detected_at == begun + timedelta(seconds=60)


def test_after_the_clock_was_set_back_durations_still_end() -> None:
    world = EngineUnderTest(a_pod("one"))
    world.put(ill(a_pod("one"), "warning:300"))
    world.clock.jump(timedelta(hours=-1))
    world.engine.restart_timers(world.now)
    world.take(world.engine.work(world.now))
    assert changes(world.step(301)) == [("opened", "one")]


# --- what is not seen


@pytest.mark.parametrize("state", [SourceState.STALE, SourceState.STARTING])
def test_while_a_source_is_stale_nothing_opens_or_resolves_by_its_silence(state: SourceState) -> None:
    world = EngineUnderTest(ill(a_pod("one"), "warning:300"), ill(a_pod("two")))
    world.step(100)
    world.put(a_pod("two"))
    world.set_source("Pod", state)
    assert world.step(1000) == []
    world.set_source("Pod", SourceState.SYNCED)
    begun = world.now
    (resolved,) = world.take(world.engine.work(world.now))
    (opened,) = world.step(1000)
    assert (resolved.change, resolved.finding.object.name) == (Change.RESOLVED, "two")
    assert (opened.change, opened.detected_at) == (Change.OPENED, begun + timedelta(seconds=300))


def test_a_short_gap_is_no_outage() -> None:
    """A watch that ends and is taken up again now and then must not keep findings from ever being told."""
    world = EngineUnderTest(a_pod("one"))
    begun = world.now
    world.put(ill(a_pod("one"), "warning:300"))
    for _ in range(3):
        world.step(50)
        world.set_source("Pod", SourceState.STALE)
        world.take(world.engine.work(world.now))
        world.step(5)
        world.set_source("Pod", SourceState.SYNCED)
        world.take(world.engine.work(world.now))
    (event,) = world.step(1000)
    assert event.detected_at == begun + timedelta(seconds=300)


def test_a_stale_source_freezes_only_what_rests_on_it() -> None:
    world = EngineUnderTest(a_node("node-1"))
    world.set_source("Pod", SourceState.STALE)
    assert changes(world.put(ill(a_node("node-1")), ill(a_pod("one")))) == [("opened", "node-1")]


def test_to_be_blind_is_told_while_blind() -> None:
    def run(_key: object, snapshot: object, *_rest: object) -> Iterable[Symptom]:
        if world.store.sources["Pod"].state is not SourceState.SYNCED:
            yield Symptom(message="blind", after=timedelta(seconds=30), restarts_timer=False)

    world = EngineUnderTest(checks=(), start=False)
    world = EngineUnderTest(checks=(a_check(CLUSTER, run=run, reads=frozenset({SOURCES})),))
    world.set_source("Pod", SourceState.STALE)
    world.engine.refresh_cluster()
    world.take(world.engine.work(world.now))
    assert changes(world.step(30)) == [("opened", "")]


def test_a_refresh_of_the_cluster_does_not_lose_the_look_that_a_node_asked_for() -> None:
    def run(_key: object, snapshot: Any, *_rest: object) -> Iterable[Symptom]:
        if any(not node.ready for node in snapshot.rows(NodeRow).values()):
            yield Symptom(message="a node is not ready")

    watching = (
        a_check(CLUSTER, code="nodes", run=run, reads=frozenset({"Node"})),
        a_check(CLUSTER, code="sources", run=lambda *_: (), reads=frozenset({SOURCES})),
    )
    world = EngineUnderTest(a_node("node-1"), checks=watching)
    world.engine.refresh_cluster()
    world.take(world.engine.work(world.now))
    not_ready = (a_condition("Ready", "False"),)
    told = changes(world.put(a_node("node-1", conditions=not_ready)))  # too soon after the last look: put off
    world.engine.refresh_cluster()
    told += changes(world.take(world.engine.work(world.now)))

    assert told + changes(world.step(5)) == [("opened", "")]


def test_what_is_not_seen_lowers_the_confidence_and_never_the_score() -> None:
    checks = (
        a_check("Pod"),
        a_check("Pod", code="pod-usage", run=lambda *_: (), reads=frozenset({"PodUsage"})),
        a_check("Node"),
    )
    pod = a_pod("one")
    world = EngineUnderTest(pod, a_node("node-1"), checks=checks)
    assert world.engine.score(pod.key).confidence == 0.5
    assert world.engine.unseen(pod.key) == {"PodUsage"}
    world.apply(world.store.set_usage("Pod", {pod.key: a_usage()}))
    assert world.engine.score(pod.key).confidence == 1
    world.set_source("Pod", SourceState.UNSEEN)
    score = world.engine.score(CLUSTER_KEY)
    assert (score.value, score.confidence) == (100, 0.333)
    assert world.engine.score(ObjectKey("Node", "", "node-1")).confidence == 1


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_nothing_is_missing_of_a_pod_that_does_not_run(phase: str) -> None:
    pod = a_pod("one", phase=phase)
    world = EngineUnderTest(pod, checks=(a_check("Pod", run=lambda *_: (), reads=frozenset({"PodUsage"})),))
    assert (world.engine.confidence(pod.key), world.engine.unseen(pod.key)) == (1, set())


def test_another_version_of_the_server_looks_at_nodes_again() -> None:
    def run(*_arguments: object) -> Iterable[Symptom]:
        return [Symptom(message="too old")] if world.store.server_version == "v2" else []

    world = EngineUnderTest(start=False)
    world = EngineUnderTest(a_node("node-1"), checks=(a_check("Node", run=run, reads=frozenset({SOURCES})),))
    world.store.server_version = "v2"
    world.engine.refresh_cluster()
    assert changes(world.take(world.engine.work(world.now))) == [("opened", "node-1")]


# --- checks that fail


def test_a_failing_check_stops_no_other_and_leaves_its_findings_as_they_are() -> None:
    other = a_check("Pod", code="pod-other")
    broken = a_check("Pod", code="pod-broken", run=_boom_when_asked)
    world = EngineUnderTest(ill(a_pod("one")), checks=(broken, other))
    assert len(world.told) == 2
    world.put(ill(a_pod("one"), "warning", boom="yes"))
    assert [(failure.code, str(failure.error)) for failure in world.failures] == [("pod-broken", "boom")]
    assert {event.finding.code: event.finding.severity for event in world.told.values()} == {
        "pod-broken": Severity.CRITICAL,
        "pod-other": Severity.WARNING,
    }
    assert world.step(3600) == []
    world.put(a_pod("one"))
    world.step(10)
    assert not world.told


def _boom_when_asked(row: Row, *_rest: object) -> Iterable[Symptom]:
    if "sick" in row.labels:
        yield Symptom(message="ill", severity=Severity(row.labels["sick"]))
    if "boom" in row.labels:
        raise RuntimeError("boom")


def test_of_two_symptoms_of_one_name_the_worse_counts() -> None:
    def run(*_arguments: object) -> Iterable[Symptom]:
        yield Symptom(message="mild", severity=Severity.INFO)
        yield Symptom(message="bad", severity=Severity.CRITICAL)
        yield Symptom(message="meh", severity=Severity.WARNING)

    world = EngineUnderTest(a_pod("one"), checks=(a_check("Pod", run=run),))
    assert [event.finding.message for event in world.told.values()] == ["bad"]


# --- policy and mutes


def test_another_policy_holds_for_everything_at_once() -> None:
    world = EngineUnderTest(ill(a_pod("one"), "warning"), ill(a_job("two"), "warning"))
    world.engine.set_policy(
        Policy(
            checks={"pod-sick": Override(severity=Severity.CRITICAL, weight=33), "job-sick": Override(enabled=False)},
        )
    )
    events = world.take(world.engine.work(world.now)) + world.step(10)
    assert [(event.change, event.finding.code, event.previous_severity) for event in events] == [
        (Change.CHANGED, "pod-sick", Severity.WARNING),
        (Change.RESOLVED, "job-sick", None),
    ]
    assert world.engine.value(a_pod("one").key) == 67
    assert [rule.weight for rule in world.engine.rules(a_pod("one").key)] == [33]
    assert world.engine.rules(a_job("two").key) == ()


def test_a_policy_may_ask_for_labels() -> None:
    policy = Policy(rules=[Rule(labels={"tier": "test"}, checks={"pod-sick": Override(severity=Severity.INFO)})])
    world = EngineUnderTest(ill(a_pod("one")), ill(a_pod("two"), tier="test"), policy=policy)
    severities = {event.finding.object.name: event.finding.severity for event in world.told.values()}
    assert severities == {"one": Severity.CRITICAL, "two": Severity.INFO}


def test_a_muted_finding_is_shown_not_told_and_takes_no_points() -> None:
    muted = {"annotations": {MUTE: "pod-sick=2026-03-02"}}
    world = EngineUnderTest(ill(a_pod("one", **muted)))
    pod = ObjectKey("Pod", NAMESPACE, "one")
    assert world.events == []
    assert world.engine.value(CLUSTER_KEY) == 100
    (found,) = world.engine.findings(pod)
    assert found.muted_until is not None
    assert dict(world.engine.counts()) == {} or not any(world.engine.counts().values())
    assert changes(world.step(timedelta(days=2).total_seconds())) == [("opened", "one")]
    assert world.engine.counts()[("pod-sick", Severity.CRITICAL)] == 1


# --- taking over


def published(world: EngineUnderTest) -> list[OpenFinding]:
    return [
        OpenFinding(finding=event.finding, opened_at=event.detected_at, changed_at=event.detected_at)
        for event in world.told.values()
    ]


def test_a_restart_tells_differences_only() -> None:
    before = EngineUnderTest(ill(a_pod("same")), ill(a_pod("gone")), ill(a_pod("well")), ill(a_pod("worse"), "warning"))
    after = EngineUnderTest(ill(a_pod("same")), a_pod("well"), ill(a_pod("worse")), ill(a_pod("new")), start=False)
    after.told = dict(before.told)
    assert after.engine.resume(published(before), after.now).events == []
    assert sorted(changes(after.start())) == [
        ("changed", "worse"),
        ("opened", "new"),
        ("resolved", "gone"),
        ("resolved", "well"),
    ]


def test_a_restart_keeps_when_findings_opened_and_what_has_held_for_its_time() -> None:
    before = EngineUnderTest(ill(a_pod("one"), "warning:300"))
    before.step(300)
    after = EngineUnderTest(ill(a_pod("one"), "warning:300"), start=False)
    after.clock.step(400)
    after.engine.resume(published(before), after.now)
    assert after.start() == []
    (found,) = after.engine.findings(a_pod("one").key)
    assert found.opened_at == before.now
    assert found.finding.since == before.now - timedelta(seconds=300)


def test_a_warm_standby_tells_what_is_new_at_once_and_what_is_gone_when_it_stays_away() -> None:
    leader = EngineUnderTest(ill(a_pod("same")), ill(a_pod("gone")), ill(a_pod("well")), a_pod("new"))
    standby = EngineUnderTest(ill(a_pod("same")), a_pod("well"), ill(a_pod("new")))
    outcome = standby.engine.resume(published(leader), standby.now, {CLUSTER_KEY: 12.0, EAST: 40.0})
    standby.told = dict(leader.told)
    assert changes(standby.take(outcome)) == [("opened", "new")]
    later = [event for _ in range(4) for event in standby.step(10)]
    assert sorted(changes(later)) == [("resolved", "gone"), ("resolved", "well")]
    scores = {change.key: change.score for change in outcome.scores}
    assert scores[EAST] is None
    assert scores[CLUSTER_KEY] < 100


def test_a_finding_keeps_its_beginning_when_another_takes_over() -> None:
    leader = EngineUnderTest(ill(a_pod("one")), ill(a_pod("reborn", uid="first life")))
    standby = EngineUnderTest(ill(a_pod("one")), ill(a_pod("reborn", uid="second life")))
    started = standby.now
    began = started - timedelta(hours=1)
    told = [
        replace(found, opened_at=began, changed_at=began, finding=replace(found.finding, since=began))
        for found in published(leader)
    ]
    assert standby.engine.resume(told, standby.now).events == []
    for _ in range(2):
        (kept,) = standby.engine.findings(ObjectKey("Pod", NAMESPACE, "one"))
        (anew,) = standby.engine.findings(ObjectKey("Pod", NAMESPACE, "reborn"))
        assert (kept.opened_at, kept.finding.since) == (began, began)
        assert anew.opened_at == started
        standby.put(ill(a_pod("one", resource_version="2")))  # and at the next look


def test_what_a_warm_standby_sees_a_moment_later_than_the_leader_is_told_once() -> None:
    leader = EngineUnderTest(ill(a_pod("made")), ill(a_pod("changed")), ill(a_pod("held"), "warning:300"))
    leader.step(300)
    standby = EngineUnderTest(a_pod("changed"), ill(a_pod("held"), "warning:300"))
    standby.clock.step(leader.now - standby.now)
    standby.told = dict(leader.told)
    assert standby.engine.resume(published(leader), standby.now).events == []
    standby.put(ill(a_pod("made")), ill(a_pod("changed")))
    assert [event for _ in range(4) for event in standby.step(10)] == []
    assert standby.told.keys() == {found.finding.key for found in standby.engine.all_findings()}


def test_a_standby_that_is_called_in_its_first_pass_finishes_it_first() -> None:
    standby = EngineUnderTest(ill(a_pod("same")), ill(a_pod("new")), start=False)
    standby.engine.start()
    standby.engine.work(standby.now, limit=1)
    leader = EngineUnderTest(ill(a_pod("same")))
    assert changes(standby.engine.resume(published(leader), standby.now).events) == [("opened", "new")]


def test_stored_scores_are_not_stored_again() -> None:
    world = EngineUnderTest(a_node("node-1", zone="east"), start=False)
    world.engine.resume([], world.now, {CLUSTER_KEY: 100.0, EAST: 90.0})
    world.start()
    assert {change.key: change.score for change in world.scores} == {
        EAST: 100.0,
        ObjectKey("Node", "", "node-1"): 100.0,
    }


def test_a_storm_goes_on_over_a_restart() -> None:
    pods = [ill(a_pod(f"pod-{n}")) for n in range(60)]
    before = EngineUnderTest(*pods)
    assert [(event.storm, event.count) for event in before.told.values()] == [(True, 60)]
    after = EngineUnderTest(*pods, start=False)
    after.told = dict(before.told)
    after.engine.resume(published(before), after.now)
    assert after.start() == []
    after.clock.step(20)
    after.put(*(a_pod(f"pod-{n}") for n in range(60)))
    assert [(event.change, event.count) for event in after.step(20)] == [(Change.RESOLVED, 1)]


# --- asking


def test_a_score_says_what_took_how_much_and_names_the_worst() -> None:
    world = EngineUnderTest(
        DEPLOYMENT,
        REPLICA_SET,
        *(a_web_pod(f"pod-{n}") for n in range(9)),
        ill(a_web_pod("worst"), "warning"),
        a_node("n"),
    )
    score = world.engine.score(DEPLOYMENT.key)
    assert [(deduction.code, deduction.reason) for deduction in score.deductions] == [
        ("pods", "1 of 10 pods is unhealthy; worst: Pod shop/worst (score 80)")
    ]
    world.put(ill(DEPLOYMENT, "info"))
    codes = [deduction.code for deduction in world.engine.score(DEPLOYMENT.key).deductions]
    assert codes == ["pods", "deployment-sick"]
    cluster = world.engine.score(CLUSTER_KEY)
    assert [deduction.code for deduction in cluster.deductions] == ["workloads"]


@pytest.mark.parametrize(
    ("rows", "key", "reason"),
    [
        pytest.param(
            [ill(a_pod("one"), "info")],
            CLUSTER_KEY,
            "1 of 1 workload is less than perfect; worst: Pod shop/one (score 98)",
            id="advice only",
        ),
        pytest.param(
            [ill(a_pod("one")), ill(a_pod("two"), "warning"), a_pod("three")],
            CLUSTER_KEY,
            "2 of 3 workloads are unhealthy; worst: Pod shop/one (score 20)",
            id="two of three",
        ),
        pytest.param([a_pod("one")], ObjectKey("Pod", NAMESPACE, "none"), None, id="there is no such object"),
    ],
)
def test_the_sentence_of_a_family(rows: list[Row], key: ObjectKey, reason: str | None) -> None:
    score = EngineUnderTest(*rows).engine.score(key)
    assert (score.deductions[0].reason if score else None) == reason


def test_a_zone_in_trouble_counts_once_in_the_cluster() -> None:
    in_trouble = a_check(ZONE, run=lambda *_: [Symptom(message="in trouble")], reads=frozenset({"Node"}))
    world = EngineUnderTest(a_node("one", zone="east"), ill(a_node("two", zone="east")), checks=(*STEERED, in_trouble))
    reasons = {deduction.code: deduction.reason for deduction in world.engine.score(CLUSTER_KEY).deductions}
    assert reasons == {
        "nodes": "1 of 2 nodes is unhealthy; worst: Node two (score 20)",
        "zones": "1 of 1 zone is unhealthy; worst: Zone east (lost 20 by its own findings)",
    }


def test_a_peek_shows_what_is_not_due_yet_and_changes_nothing() -> None:
    world = EngineUnderTest(ill(a_pod("one"), "warning:300"), ill(a_pod("two"), "boom"))
    world.step(100)
    ((sighting,), failed) = world.engine.peek(a_pod("one").key, world.now)
    assert sighting.due_at - world.now == timedelta(seconds=200)
    assert failed == set()
    assert world.engine.peek(a_pod("two").key, world.now) == ([], {"pod-sick"})
    assert world.engine.peek(ObjectKey("Pod", "shop", "none"), world.now) == ([], set())
    assert world.engine.rules(ObjectKey("Pod", "shop", "none")) == ()
    assert list(world.engine.all_findings()) == []


def test_a_check_that_reads_what_leads_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="pod-sick of kind Pod reads Moon"):
        EngineUnderTest(checks=(a_check("Pod", reads=frozenset({"Moon"})),))

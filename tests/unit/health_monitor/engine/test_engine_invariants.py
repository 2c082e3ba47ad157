"""What holds whatever happens: against a fresh engine, in any order, and for whoever folds the events."""

from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.support.health_engine import EngineUnderTest
from tests.support.rows import (
    a_claim,
    a_cron_job,
    a_deployment,
    a_job,
    a_namespace,
    a_node,
    a_pod,
    a_replica_set,
    a_service,
    a_volume,
    owned_by,
)

from common.cluster.rows import ROW_KINDS, NodeRow, PodRow, Row
from common.contracts import EventData, ObjectKey
from common.contracts.objects import CLUSTER
from health_monitor.engine.outcome import OpenFinding
from health_monitor.engine.settings import EngineSettings

CLUSTER_KEY = ObjectKey(CLUSTER, "", "")
LONG = timedelta(hours=2).total_seconds()  # everything has settled by then
ILLNESSES = ("", "", "info", "warning", "critical", "warning:30", "critical:300")

PARTS = ("sick", "sick2")

Script = list[tuple[str, Any]]

labels = st.builds(
    lambda sick, sick2, words: {k: v for k, v in {"sick": sick, "sick2": sick2, "words": words}.items() if v},
    st.sampled_from(ILLNESSES),
    st.sampled_from(ILLNESSES),
    st.sampled_from(["", "one", "two"]),
)
lives = st.sampled_from(["a", "a", "a", "b"])  # another uid now and then: deleted and made again, unnoticed
names = st.integers(0, 2)


def _named(kind: str, number: int) -> str:
    return f"{kind}-{number}"


@st.composite
def rows(draw: st.DrawFn) -> Row:
    n, own = draw(names), draw(labels)
    uid = {"uid": f"{n}-{draw(lives)}", "labels": own}
    match draw(st.integers(0, 9)):
        case 0:
            zone = draw(st.sampled_from(["", "east", "west"]))
            place = {"topology.kubernetes.io/zone": zone} if zone else {}
            return a_node(_named("node", n), **(uid | {"labels": own | place}))
        case 1:
            return a_deployment(_named("web", n), **uid)
        case 2:
            owner = draw(st.sampled_from([None, owned_by(a_deployment("web-0")), owned_by(a_deployment("web-1"))]))
            return a_replica_set(_named("set", n), owner=owner, **uid)
        case 3:
            return a_cron_job(_named("nightly", n), **uid)
        case 4:
            owner = draw(st.sampled_from([None, owned_by(a_cron_job("nightly-0"))]))
            return a_job(_named("job", n), owner=owner, **uid)
        case 5:
            return a_service(_named("svc", n), **uid)
        case 6:
            return draw(st.sampled_from([a_volume(_named("pv", n), **uid), a_claim(_named("pvc", n), **uid)]))
        case 7:
            return a_namespace("shop", **uid)
        case _:
            owners = [None, *map(owned_by, (a_replica_set("set-0"), a_replica_set("set-1"), a_job("job-0")))]
            phase = draw(st.sampled_from(["Running", "Running", "Running", "Failed", "Succeeded"]))
            node = _named("node", draw(names))
            return a_pod(_named("pod", n), owner=draw(st.sampled_from(owners)), phase=phase, node=node, **uid)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(rows(), min_size=1, max_size=4)),
        st.tuples(st.just("put"), st.lists(rows(), min_size=1, max_size=4)),
        st.tuples(st.just("remove"), st.lists(rows(), min_size=1, max_size=3)),
        st.tuples(st.just("step"), st.sampled_from([1.0, 5.0, 11.0, 40.0, 400.0, 700.0])),
    ),
    max_size=25,
)
relaxed = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def play(world: EngineUnderTest, script: Script) -> None:
    for step, what in script:
        if step == "step":
            world.step(what)
        elif step == "put":
            world.put(*what)
        else:
            world.remove(*what)


def known(world: EngineUnderTest) -> list[Row]:
    return [row for kind in ROW_KINDS for row in world.store.rows(kind).values()]


def open_counts(world: EngineUnderTest) -> dict[object, int]:
    return {key: count for key, count in world.engine.counts().items() if count}


def everything(world: EngineUnderTest) -> list[ObjectKey]:
    engine = world.engine
    groups = [CLUSTER_KEY, *engine.zones(), *engine.namespaces(), *engine.workloads()]
    return groups + list(world.store.rows(NodeRow)) + list(world.store.rows(PodRow))


def picture(world: EngineUnderTest) -> tuple[dict[ObjectKey, object], set[object]]:
    scores = {key: world.engine.score(key) for key in everything(world)}
    found = {(open_.finding.key, open_.finding.severity, open_.finding.object) for open_ in world.engine.all_findings()}
    return scores, found


@relaxed
@given(steps)
def test_incremental_equals_from_scratch(script: Script) -> None:
    world = EngineUnderTest(a_node("node-0"), a_pod("pod-0"))
    play(world, script)
    world.step(LONG)
    fresh = EngineUnderTest(*known(world))
    fresh.step(LONG)
    assert picture(world) == picture(fresh)
    assert open_counts(world) == open_counts(fresh)


@relaxed
@given(steps, st.integers(1, 4))
def test_folding_the_events_gives_the_open_findings(script: Script, storm_openings: int) -> None:
    world = EngineUnderTest(settings=EngineSettings(storm_openings=storm_openings))
    for step in script:
        play(world, [step])
        singles = {key: event for key, event in world.told.items() if not event.storm}
        opened = {found.finding.key: found for found in world.engine.all_findings()}
        assert singles.keys() <= opened.keys()
        assert all(event.finding.severity is opened[key].finding.severity for key, event in singles.items())
        if len(singles) == len(world.told):
            assert len(singles) == len(opened)
    world.step(LONG)
    assert sum(event.count for event in world.told.values()) == len(list(world.engine.all_findings()))


@relaxed
@given(steps)
def test_scores_are_bounded_and_their_deductions_add_up(script: Script) -> None:
    world = EngineUnderTest()
    play(world, script)
    for key in everything(world):
        score = world.engine.score(key)
        assert score is not None
        assert 0 <= score.value <= 100
        assert 0 <= score.confidence <= 1
        assert abs(sum(deduction.points for deduction in score.deductions) - (100 - score.value)) < 1e-6
        assert score.value == world.engine.value(key)
        assert all(deduction.points >= 0 and deduction.reason for deduction in score.deductions)


@relaxed
@given(
    st.lists(rows(), min_size=1, max_size=12),
    st.integers(0, 11),
    st.sampled_from(PARTS),
    st.sampled_from(["info", "warning", "critical"]),
)
def test_a_finding_more_raises_no_score(given_rows: list[Row], which: int, part: str, illness: str) -> None:
    before, after = EngineUnderTest(*given_rows), EngineUnderTest(*given_rows)
    candidates = [row for row in known(before) if part not in row.labels]
    assume(candidates)
    row = candidates[which % len(candidates)]
    worse = {name: getattr(row, name) for name in row.__struct_fields__} | {"labels": {**row.labels, part: illness}}
    after.put(type(row)(**worse))
    after.step(LONG)
    before.step(LONG)
    for key in everything(before):
        assert after.engine.value(key) <= before.engine.value(key), key


@relaxed
@given(st.lists(rows(), max_size=12, unique_by=lambda row: row.key), st.randoms())
def test_the_order_of_changes_does_not_matter(given_rows: list[Row], chance: Random) -> None:
    shuffled = list(given_rows)
    chance.shuffle(shuffled)
    one, other = EngineUnderTest(), EngineUnderTest()
    for row in given_rows:
        one.put(row)
    for row in shuffled:
        other.put(row)
    one.step(LONG)
    other.step(LONG)
    assert picture(one) == picture(other)


@relaxed
@given(steps, steps)
def test_whoever_takes_over_tells_the_differences_only(before: Script, after: Script) -> None:
    """Warm: a standby that followed silently. Cold: a new engine over the same cluster. Folding refuses repetitions."""
    leader, standby = EngineUnderTest(), EngineUnderTest()
    play(leader, before)
    play(standby, before)
    published = [_published(event, leader) for event in leader.told.values()]
    play(standby, after)
    standby.told = dict(leader.told)
    standby.take(standby.engine.resume(published, standby.now))
    standby.step(LONG)

    cold = EngineUnderTest(*known(standby), start=False)
    cold.clock.step(standby.now - cold.now)
    cold.engine.resume(published, cold.now)
    cold.told = dict(leader.told)
    cold.start()
    cold.step(LONG)

    for world in (standby, cold):
        assert world.told.keys() == {found.finding.key for found in world.engine.all_findings()}


def _published(event: EventData, leader: EngineUnderTest) -> OpenFinding:
    return OpenFinding(finding=event.finding, opened_at=leader.now, changed_at=leader.now, flapping=event.flapping)

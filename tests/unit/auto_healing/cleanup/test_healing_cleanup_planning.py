"""From what is due to plans: the cap, opting in, one step for each namespace, refusals; and the pace of requests."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_namespace, a_node, a_snapshot, a_volume

from auto_healing import marks
from auto_healing.actions.cleanup import CLEANUP_BY_CODE, pace
from auto_healing.actions.cleanup.pace import Pace
from auto_healing.actions.cleanup.settings import CleanupSettings, RuleSettings
from auto_healing.cleanup.cleaner import next_look
from auto_healing.cleanup.looking import look_for
from auto_healing.cleanup.planning import BLAST_RADIUS, acts_on, plans_of
from auto_healing.facts import Pause, Sight
from auto_healing.past import Past
from auto_healing.plan import Mode
from auto_healing.policy import HealingPolicy
from auto_healing.policy.settings import Scope
from auto_healing.storage.tombstones import LastLook, Tombstone
from auto_healing.world import World
from common.cluster.rows import Row
from common.cluster.snapshot import Source, SourceState
from common.contracts import ObjectKey, ObjectRef
from common.kube.errors import Throttled, Unavailable

JOBS = CLEANUP_BY_CODE["clean-jobs"]


def a_world(*rows: Row, scope: Scope | None = None, pauses: tuple[Pause, ...] = (), **settings: Any) -> World:
    policy = HealingPolicy(
        scope=scope or Scope(opt_in=False),
        cleanup=CleanupSettings.model_validate({"clean-jobs": settings, "clean-volumes": settings}),
    )
    return World(
        now=NOON,
        snapshot=a_snapshot(a_node(), *rows),
        policy=policy,
        history=Past(),
        pauses=pauses,
        sight=Sight(synced_at=NOON - timedelta(hours=1)),
    )


def a_stone(number: int, namespace: str = "shop", kind: str = "Job") -> Tombstone:
    return Tombstone(
        rule="clean-jobs",
        ref=ObjectKey(kind, namespace, f"job-{number}").ref(f"uid-{number}"),
        reason="has failed",
        scans=3,
        first_seen_at=NOON - timedelta(days=2),
        last_seen_at=NOON,
        told=True,
        due_at=NOON,
    )


@pytest.mark.parametrize(
    ("due", "total", "settings", "stopped"),
    [
        pytest.param(10, 20, {}, False, id="ten of few are always allowed"),
        pytest.param(11, 20, {}, True, id="eleven of few are not"),
        pytest.param(50, 1000, {}, False, id="five in a hundred of many"),
        pytest.param(51, 1000, {}, True, id="more than five in a hundred"),
        pytest.param(51, 1000, {"most_objects": 100}, False, id="a higher number"),
        pytest.param(51, 1000, {"most_share": 0.1}, False, id="a higher share"),
        pytest.param(2, 10, {"most_objects": 1, "most_share": 0.0}, True, id="a lower number"),
    ],
)
def test_the_cap_stops_all_or_nothing(due: int, total: int, settings: Any, stopped: bool) -> None:
    stones = [a_stone(number) for number in range(due)]
    (plan,) = plans_of(JOBS, stones, a_world(**settings), total=total, mode=Mode.AUTO)
    assert [decline.guard for decline in plan.declined] == ([BLAST_RADIUS] if stopped else [])
    if stopped:
        assert plan.declined[0].numbers["due"] == due


def test_a_step_names_the_rule_and_the_namespace_and_no_objects() -> None:
    stones = [a_stone(1, "shop"), a_stone(2, "team"), a_stone(3, "shop")]
    (plan,) = plans_of(JOBS, stones, a_world(), total=100, mode=Mode.AUTO)
    assert plan.target == ObjectRef(kind="Cluster", name="clean-jobs")
    assert [step.target.namespace for step in plan.steps] == ["shop", "team"]
    assert [step.parameters["planned"] for step in plan.steps] == [2, 1]
    assert plan.steps[0].parameters["due_by"] == NOON.isoformat()
    assert JOBS.settings_of(plan.steps[0].parameters).failed_after == timedelta(days=7)


@pytest.mark.parametrize(
    ("stones", "said"),
    [
        pytest.param([1], "1 Job in namespace shop goes", id="one"),
        pytest.param([1, 2], "2 Jobs in namespace shop go", id="several"),
    ],
)
def test_how_many_go_is_said_in_words(stones: list[int], said: str) -> None:
    (plan,) = plans_of(JOBS, [a_stone(number) for number in stones], a_world(), total=100, mode=Mode.AUTO)
    assert plan.steps[0].changes == (said,)
    assert plan.steps[0].reason.startswith(said.rpartition(" ")[0])


def test_a_volume_is_a_target_of_its_own() -> None:
    stones = [a_stone(number, "", "PersistentVolume") for number in (1, 2)]
    rows = [a_volume(f"job-{number}", uid=f"uid-{number}") for number in (1, 2)]
    (plan,) = plans_of(CLEANUP_BY_CODE["clean-volumes"], stones, a_world(*rows), total=9, mode=Mode.AUTO)
    assert [step.target.name for step in plan.steps] == ["job-1", "job-2"]


def test_a_refused_namespace_leaves_the_others_alone() -> None:
    pause = Pause(namespace="team", reason="audit", by="alice", since=NOON)
    world = a_world(pauses=(pause,))
    goes, refused = plans_of(JOBS, [a_stone(1, "shop"), a_stone(2, "team")], world, total=9, mode=Mode.AUTO)
    assert ([step.target.namespace for step in goes.steps], goes.declined) == (["shop"], ())
    assert [step.target.namespace for step in refused.steps] == ["team"]
    assert [decline.guard for decline in refused.declined] == ["paused"]


@pytest.mark.parametrize(
    ("scope", "labels", "acts"),
    [
        pytest.param(Scope(opt_in=False), {}, True, id="nobody has to"),
        pytest.param(Scope(), {}, False, id="the namespace has not"),
        pytest.param(Scope(), {marks.HEAL: "on"}, True, id="the namespace has"),
        pytest.param(Scope(namespaces=["sh*"]), {}, True, id="the policy names it"),
    ],
)
def test_who_has_opted_in(scope: Scope, labels: dict[str, str], acts: bool) -> None:
    world = a_world(a_namespace("shop", labels=labels), scope=scope)
    assert acts_on(world, a_stone(1).ref) is acts


def test_the_next_look_follows_the_last_one() -> None:
    settings = RuleSettings(mode=Mode.AUTO, schedule="0 * * * *")
    last = LastLook(looked_at=NOON - timedelta(minutes=90), result=None, asked=None, asked_by="")
    assert next_look(settings, last, NOON, NOON) == NOON - timedelta(hours=1)
    assert next_look(settings, None, NOON, NOON) == NOON + timedelta(hours=1)
    assert next_look(RuleSettings(mode=Mode.OFF), last, NOON, NOON) is None
    ahead = LastLook(looked_at=NOON + timedelta(days=1), result=None, asked=None, asked_by="")
    assert next_look(settings, ahead, NOON, NOON) == NOON + timedelta(hours=1), "the clock was set back since"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"clean-jobs": {"schedule": "daily"}}, id="no schedule"),
        pytest.param({"clean-jobs": {"time_zone": "Mars/Olympus"}}, id="no zone"),
        pytest.param({"clean-jobs": {"scans": 0}}, id="no look at all"),
        pytest.param({"clean-jobs": {"grace": 60}}, id="no unit"),
        pytest.param({"clean-cats": {}}, id="no such rule"),
    ],
)
def test_settings_that_cannot_be_meant(settings: Any) -> None:
    with pytest.raises(ValueError, match="clean-"):
        CleanupSettings.model_validate(settings)


async def test_results_come_in_order_and_few_are_under_way_at_once() -> None:
    under_way = most = 0

    async def call(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return number

    assert await Pace(3).map(call, range(20)) == list(range(20))
    assert most == 3


async def test_after_a_refusal_fewer_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PAUSE_SECONDS", 0.0)
    refusals = [Throttled("slow down")] * 2

    async def call(number: int) -> int:
        if refusals:
            raise refusals.pop()
        return number

    slow = Pace(8)
    assert await slow.map(call, range(10)) == list(range(10))
    assert slow.at_once == 2
    await slow.map(call, range(10))
    assert slow.at_once == 3


async def test_who_is_refused_again_and_again_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PAUSE_SECONDS", 0.0)

    async def call(_: int) -> int:
        raise Throttled("slow down")

    with pytest.raises(Throttled):
        await Pace(2).map(call, range(3))


async def test_who_sees_nothing_does_not_look() -> None:
    world = a_world()
    stale = Source(kind="Pod", state=SourceState.STALE, reason="the watch is broken")
    world.snapshot.sources["Pod"] = stale  # type: ignore[index]
    cluster: Any = None
    with pytest.raises(Unavailable, match="the view of Pod objects is stale"):
        await look_for(JOBS, world, cluster, {})

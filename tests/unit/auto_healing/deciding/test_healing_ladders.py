"""How far up their ladders faults are, when a pod's successor has its trouble."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.support.clock import NOON
from tests.support.healing_store import a_plan, a_stored_run
from tests.support.rows import a_pod, a_replica_set, a_snapshot, owned_by

from auto_healing.fault import Fault, FaultLevel
from auto_healing.ladders import Ladders
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.run import Place, Run, RunState
from common.contracts import ObjectKey

MAKER = a_replica_set("web", namespace="shop")
OWNER = MAKER.key


def a_fault(name: str, level: FaultLevel = FaultLevel.POD) -> Fault:
    return Fault(level=level, subject=ObjectKey("Pod", "shop", name), findings=())


def a_failed_run(name: str, *, rung: int = 0) -> Run:
    plan = replace(a_plan(name), rule="crash-loop", fault=a_fault(name), rung=rung)
    return replace(a_stored_run(RunState.FAILED, plan=plan, at=NOON, place=Place(owner=OWNER)), id=uuid4())


@pytest.fixture
def ladders() -> Ladders:
    return Ladders()


SNAPSHOT = a_snapshot(MAKER, a_pod("web-2", namespace="shop", owner=owned_by(MAKER)))


def test_the_successor_of_an_evicted_pod_goes_on_where_the_ladder_was_left(ladders: Ladders) -> None:
    run = a_failed_run("web-1")
    ladders.climb(run, DEFAULT_POLICY, NOON)
    successor = a_fault("web-2")

    assert ladders.rungs([successor], SNAPSHOT, NOON) == {successor.key: 1}
    assert ladders.previous(successor, SNAPSHOT) == run.id


def test_past_the_last_rung_nothing_is_left_but_a_person(ladders: Ladders) -> None:
    ladders.climb(a_failed_run("web-1", rung=7), DEFAULT_POLICY, NOON)

    assert ladders.rungs([a_fault("web-2")], SNAPSHOT, NOON) == {a_fault("web-2").key: 8}


def test_what_healed_begins_at_the_foot_again(ladders: Ladders) -> None:
    run = a_failed_run("web-1")
    ladders.climb(run, DEFAULT_POLICY, NOON)
    ladders.healed(run)

    assert ladders.rungs([a_fault("web-2")], SNAPSHOT, NOON) == {}


def test_what_was_quiet_for_long_begins_at_the_foot_again(ladders: Ladders) -> None:
    ladders.climb(a_failed_run("web-1"), DEFAULT_POLICY, NOON)
    later = NOON + timedelta(hours=2)
    ladders.rungs([], SNAPSHOT, later)

    assert ladders.rungs([a_fault("web-2")], SNAPSHOT, later) == {}


def test_another_level_is_another_ladder(ladders: Ladders) -> None:
    ladders.climb(a_failed_run("web-1"), DEFAULT_POLICY, NOON)

    assert ladders.rungs([a_fault("web-2", FaultLevel.REVISION)], SNAPSHOT, NOON) == {}


def test_who_takes_over_goes_by_the_last_word(ladders: Ladders) -> None:
    failed = a_failed_run("web-1")
    healed = replace(failed, id=uuid4(), state=RunState.HEALED)
    ladders.load([failed, healed], DEFAULT_POLICY, NOON)
    assert ladders.rungs([a_fault("web-2")], SNAPSHOT, NOON) == {}
    ladders.load([healed, failed], DEFAULT_POLICY, NOON)
    assert ladders.rungs([a_fault("web-2")], SNAPSHOT, NOON) == {a_fault("web-2").key: 1}


WEB_2 = a_fault("web-2")


@pytest.mark.parametrize(
    ("runs", "rung"),
    [
        pytest.param(
            [a_failed_run("web-1"), replace(a_failed_run("web-2"), state=RunState.HEALED)],
            None,
            id="a successor that was healed ends its predecessor's ladder",
        ),
        pytest.param(
            [a_failed_run("web-1"), a_failed_run("web-2", rung=1)], 2, id="of several that failed the newest counts"
        ),
        pytest.param(
            [a_failed_run("web-1"), replace(a_failed_run("web-1", rung=1), state=RunState.UNDONE, undo_by="bob")],
            1,
            id="what a person took back proves nothing",
        ),
        pytest.param(
            [replace(a_failed_run("web-1"), state=RunState.UNDONE, undo_by="auto_healing")],
            1,
            id="what the service took back did not help",
        ),
    ],
)
def test_who_takes_over_finds_rungs_by_the_owner_of_the_pods(
    ladders: Ladders, runs: list[Run], rung: int | None
) -> None:
    ladders.load(runs, DEFAULT_POLICY, NOON)
    assert ladders.rungs([WEB_2], SNAPSHOT, NOON).get(WEB_2.key) == rung


def test_what_was_seen_before_the_clock_was_set_back_is_forgotten_as_soon_as_anything_else(ladders: Ladders) -> None:
    hour = timedelta(hours=1)
    ladders.climb(a_failed_run("web-1"), DEFAULT_POLICY, NOON + 24 * hour)
    assert ladders.rungs([], SNAPSHOT, NOON) == {}
    assert ladders.rungs([], SNAPSHOT, NOON + 1.1 * hour) == {}
    assert ladders.rungs([a_fault("web-2")], SNAPSHOT, NOON + 1.2 * hour) == {}

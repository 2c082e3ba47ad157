"""When a fault is worth another look."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.support.clock import NOON
from tests.support.healing_store import a_plan, a_stored_run
from tests.support.rows import a_pod, a_snapshot

from auto_healing.looks import LOOK_EVERY, Looks
from auto_healing.past import Past
from auto_healing.plan import Decline, Mode, Plan
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.run import RunState
from auto_healing.world import World
from common.contracts import ObjectKey, Severity

PLAN = a_plan()
FAULT = PLAN.fault
SECOND = timedelta(seconds=1)


def world(now: datetime = NOON, **pod: object) -> World:
    row = a_pod("checkout-1", namespace="shop", **pod)
    return World(now=now, snapshot=a_snapshot(row), policy=DEFAULT_POLICY, history=Past())


@pytest.fixture
def looks() -> Looks:
    """At noon the fault was decided about."""
    looks = Looks(NOON)
    assert looks.due([FAULT], world(), ()) == [FAULT]
    looks.answered(PLAN, NOON)
    return looks


def refused_until(at: datetime | None, **changes: object) -> Plan:
    return replace(PLAN, declined=(Decline(guard="cooldown", message="not yet", look_again_at=at),), **changes)


@pytest.mark.parametrize(
    ("plan", "after"),
    [
        pytest.param(PLAN, LOOK_EVERY, id="nothing names a time: now and then"),
        pytest.param(refused_until(NOON + 5 * SECOND), 5 * SECOND, id="a refusal names one that is sooner"),
        pytest.param(refused_until(NOON + 2 * LOOK_EVERY), LOOK_EVERY, id="a refusal names a later one: it may err"),
        pytest.param(refused_until(None, mode=Mode.OBSERVE), 10 * LOOK_EVERY, id="who only observes has time"),
        pytest.param(refused_until(NOON - SECOND), SECOND / 10, id="a time that has gone by is no reason to spin"),
    ],
)
def test_when_it_is_looked_at_again(plan: Plan, after: timedelta) -> None:
    looks = Looks(NOON)
    looks.answered(plan, NOON)
    assert looks.due([FAULT], world(NOON + after - SECOND / 100), ()) == []
    assert looks.due([FAULT], world(NOON + after), ()) == [FAULT]


def test_faults_that_began_at_different_times_are_looked_at_together() -> None:
    """Each look is an attribution of all findings; and none waits longer than the others."""
    looks = Looks(NOON)
    other = replace(FAULT, subject=ObjectKey("Pod", "shop", "checkout-2"))
    for second, plan in enumerate((PLAN, replace(PLAN, fault=other)), start=7):
        looks.answered(plan, NOON + second * SECOND)
    assert {look.again_at for look in looks} == {NOON + LOOK_EVERY}


def test_what_has_changed_is_looked_at_at_once(looks: Looks) -> None:
    worse = replace(FAULT, findings=(replace(FAULT.findings[0], severity=Severity.WARNING),))
    assert looks.due([worse], world(NOON + SECOND), ()) == [worse]


def test_what_is_to_be_looked_at_again_is(looks: Looks) -> None:
    looks.forget(FAULT.key)
    assert looks.due([FAULT], world(NOON + SECOND), ()) == [FAULT]


def test_a_fault_that_was_gone_in_between_is_a_new_one(looks: Looks) -> None:
    assert looks.due([], world(NOON + SECOND), ()) == []
    assert looks.due([FAULT], world(NOON + 2 * SECOND), ()) == [FAULT]


def test_a_clock_that_is_set_back_stops_no_looks(looks: Looks) -> None:
    before = NOON - timedelta(hours=1)
    for troubled in (True, False):
        assert looks.next_at(before, troubled=troubled) == before, "now"
    assert looks.due([FAULT], world(before), ()) == [FAULT]
    looks.answered(PLAN, before)
    assert looks.next_at(before + SECOND, troubled=True) == before + LOOK_EVERY, "and no sooner than usual after that"


def test_while_anything_is_wrong_it_is_asked_anew_whose_fault_it_is() -> None:
    looks = Looks(NOON)
    assert looks.next_at(NOON + 9 * SECOND, troubled=True) == NOON + LOOK_EVERY
    assert looks.next_at(NOON + 9 * SECOND, troubled=False) == NOON + 9 * SECOND + LOOK_EVERY


def test_what_a_run_is_at_work_on_has_no_time_of_its_own(looks: Looks) -> None:
    """Else a run of minutes would have it looked at over and over, and nothing done."""
    later = NOON + 2 * LOOK_EVERY
    run = a_stored_run(RunState.RUNNING, plan=PLAN)
    assert looks.due([FAULT], world(later), [run]) == []
    assert looks.next_at(later, troubled=True) == later + LOOK_EVERY
    assert looks.due([FAULT], world(later + SECOND), ()) == [FAULT], "the run has ended"


@pytest.mark.parametrize(
    ("deleted_at", "due"),
    [
        pytest.param(None, True, id="it runs"),
        pytest.param(NOON + LOOK_EVERY, False, id="it ends within its grace"),
        pytest.param(NOON - LOOK_EVERY, True, id="its grace is over, and it is still there"),
    ],
)
def test_a_pod_that_is_about_to_end(deleted_at: datetime | None, due: bool) -> None:
    assert bool(Looks(NOON).due([FAULT], world(deleted_at=deleted_at), ())) is due


def test_a_pod_that_is_gone() -> None:
    gone = replace(world(), snapshot=a_snapshot())
    assert Looks(NOON).due([FAULT], gone, ()) == []

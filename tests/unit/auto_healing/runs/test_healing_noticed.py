"""What is said to have happened later than now: after the clock was set back, nothing waits until it is there again."""

from datetime import timedelta

from tests.support.clock import NOON
from tests.support.healing_store import a_plan, a_stored_run

from auto_healing.noticed import Noticed
from auto_healing.past import Past
from auto_healing.plan import Mode
from auto_healing.run import RunState
from auto_healing.sight import SightKeeper

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
TOMORROW = NOON + DAY


def test_what_is_ahead_happened_when_that_was_noticed_and_grows_older_from_then_on() -> None:
    noticed = Noticed()
    assert noticed.at("storm", TOMORROW, NOON) == NOON
    assert noticed.at("storm", TOMORROW, NOON + MINUTE) == NOON
    assert noticed.at("storm", NOON - MINUTE, NOON) == NOON - MINUTE, "what is in the past is as it is said"
    assert noticed.at("storm", None, NOON) is None
    assert noticed.at("storm", TOMORROW, NOON - MINUTE) == NOON - MINUTE, "it was set back again"


def test_a_run_that_ended_tomorrow_ended_when_the_clock_was_found_to_be_right() -> None:
    plan = a_plan()
    run = a_stored_run(RunState.HEALED, plan=plan, at=TOMORROW, started_at=NOON - MINUTE, ended_at=TOMORROW)
    past = Past()
    past.put(run)
    for later in (0, 5):
        past.prune(NOON + later * MINUTE)
        (known,) = past.of_target(plan.target.key)
        assert (known.started_at, known.ended_at) == (NOON - MINUTE, NOON)
    past.put(run)  # read once more
    past.prune(NOON + 9 * MINUTE)
    assert [each.ended_at for each in past.of_target(plan.target.key)] == [NOON]
    assert [each.id for each in past.since(NOON - DAY)] == [run.id]


def test_a_run_that_began_tomorrow_is_found_by_when_it_is_taken_to_have_begun() -> None:
    plan = a_plan()
    past = Past()
    past.put(a_stored_run(RunState.RUNNING, plan=plan, at=TOMORROW, started_at=TOMORROW))
    past.prune(NOON)
    assert [run.started_at for run in past.since(NOON - MINUTE)] == [NOON]
    assert [run.started_at for run in past.active()] == [NOON]
    assert not past.since(NOON + MINUTE)


def test_a_proposal_that_expired_tomorrow_did_so_when_that_was_noticed() -> None:
    plan = a_plan(mode=Mode.APPROVE)
    past = Past()
    past.put(a_stored_run(RunState.EXPIRED, plan=plan, at=TOMORROW, ended_at=TOMORROW))
    past.prune(NOON)
    assert [run.ended_at for run in past.unanswered(plan.target.key)] == [NOON]
    past.prune(NOON + 3 * DAY)
    assert not past.unanswered(plan.target.key)


def test_a_storm_of_tomorrow_is_over_when_its_time_is() -> None:
    keeper = SightKeeper()
    for later in (0, 10):
        sight = keeper.sight(NOON + later * MINUTE, heard_at=TOMORROW, storm_at=TOMORROW)
        assert (sight.storm_at, sight.health_monitor_heard_at) == (NOON, NOON)

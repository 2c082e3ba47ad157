"""Earned autonomy in the database: cases open, end, and are counted by rule."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.support.clock import NOON
from tests.support.healing_database import claim_healing
from tests.support.healing_policy_api import a_policy_client
from tests.support.healing_store import a_plan, a_stored_run, store_runs

from auto_healing.fault import Fault
from auto_healing.plan import Decline, Displacement, Mode, Plan
from auto_healing.policy.parse import parse_policy
from auto_healing.policy.settings import Promotion
from auto_healing.run import RunState
from auto_healing.shadow import Tally
from auto_healing.storage.fence import Deposed
from auto_healing.storage.shadows import Shadows
from common.database.connections import Database

pytestmark = pytest.mark.database

THRESHOLDS = Promotion(settle=timedelta(minutes=30))
LATER, MUCH_LATER = NOON + timedelta(minutes=10), NOON + timedelta(hours=2)
DECLINED = (Decline(guard="rate-limit", message="not now"),)


def observed(name: str, *, to_node: str = "n2", declined: tuple[Decline, ...] = ()) -> Plan:
    plan = a_plan(name, mode=Mode.OBSERVE, rule="crash-loop")
    displaces = () if declined else (Displacement(pod=plan.target, to_node=to_node, fits_nowhere=not to_node),)
    return replace(plan, steps=(replace(plan.steps[0], displaces=displaces),), declined=declined)


def faults(plans: Sequence[Plan]) -> list[Fault]:
    return [plan.fault for plan in plans]


async def tally(shadows: Shadows) -> Tally:
    return (await shadows.tallies(NOON - timedelta(days=1)))["crash-loop"]


async def test_trouble_that_goes_in_time_went_by_itself_and_late_trouble_did_not(healing_database: Database) -> None:
    shadows = Shadows(healing_database)
    late, stays = observed("late", to_node=""), observed("stays")
    assert await shadows.record([observed("soon"), late, stays, a_plan("acts")], NOON, epoch=None) == 3
    assert await tally(shadows) == Tally(open=3)

    await shadows.settle(faults([late, stays]), LATER, THRESHOLDS, epoch=None)
    assert await tally(shadows) == Tally(watched=1, went_away=1, open=2)

    await shadows.settle(faults([late, stays]), MUCH_LATER, THRESHOLDS, epoch=None)
    assert await tally(shadows) == Tally(watched=3, went_away=1, misfits=1)

    await shadows.settle(faults([stays]), MUCH_LATER + timedelta(hours=1), THRESHOLDS, epoch=None)
    assert await tally(shadows) == Tally(watched=3, went_away=1, misfits=1), "it went, but not in time"


async def test_trouble_that_went_unseen_for_too_long_did_not_go_by_itself(healing_database: Database) -> None:
    """Nobody looked for two hours: when it went is not known."""
    shadows = Shadows(healing_database)
    await shadows.record([observed("p")], NOON, epoch=None)
    await shadows.settle([], MUCH_LATER, THRESHOLDS, epoch=None)
    assert await tally(shadows) == Tally(watched=1)


async def test_the_same_trouble_is_one_case_until_it_is_gone(healing_database: Database) -> None:
    shadows = Shadows(healing_database)
    await shadows.record([observed("p", declined=DECLINED)], NOON, epoch=None)
    await shadows.record([observed("p", declined=DECLINED)], LATER, epoch=None)
    assert await tally(shadows) == Tally(declined=1)
    await shadows.record([observed("p")], LATER, epoch=None)
    assert await tally(shadows) == Tally(open=1), "at last nothing would have stopped it"
    await shadows.record([observed("p", declined=DECLINED)], LATER, epoch=None)
    assert await tally(shadows) == Tally(open=1)
    await shadows.settle([], LATER, THRESHOLDS, epoch=None)
    await shadows.record([observed("p")], LATER, epoch=None)
    assert await tally(shadows) == Tally(watched=1, went_away=1, open=1)


async def test_only_the_leader_counts(healing_database: Database) -> None:
    shadows = Shadows(healing_database)
    old = await claim_healing(healing_database)
    await claim_healing(healing_database)
    with pytest.raises(Deposed):
        await shadows.record([observed("p")], NOON, epoch=old)
    assert await shadows.tallies(NOON - timedelta(days=1)) == {}
    await shadows.record([observed("p")], NOON, epoch=None)
    with pytest.raises(Deposed):
        await shadows.settle([], NOON, THRESHOLDS, epoch=old)
    assert await tally(shadows) == Tally(open=1)


async def test_a_look_that_finds_nothing_new_writes_nothing(healing_database: Database) -> None:
    shadows = Shadows(healing_database)
    plan = observed("p")

    async def version() -> tuple[object, ...]:
        async with healing_database.begin() as connection:
            found = await connection.execute(text("SELECT xmin::text, xmax::text, ctid::text FROM shadow"))
            return tuple(found.one())

    await shadows.record([plan], NOON, epoch=None)
    before = await version()
    await shadows.settle(faults([plan]), LATER, THRESHOLDS, epoch=None)
    assert await version() == before
    await shadows.record([plan], LATER, epoch=None)
    assert (await version())[2] == before[2], "ON CONFLICT locks the row, but writes no other"
    await shadows.settle(faults([plan]), MUCH_LATER, THRESHOLDS, epoch=None)
    assert (await version())[2] != before[2]


async def test_runs_are_counted_newest_first(healing_database: Database) -> None:
    def ended(minutes: int, state: RunState, *, recurred: bool = False) -> object:
        at = NOON - timedelta(minutes=minutes)
        back = at + timedelta(minutes=1) if recurred else None
        plan = a_plan(rule="crash-loop")
        return a_stored_run(state, plan=plan, at=at, started_at=at, recurred_at=back)

    await store_runs(
        healing_database,
        ended(5, RunState.HEALED, recurred=True),
        ended(6, RunState.UNDONE),
        ended(7, RunState.HEALED),
        ended(8, RunState.FAILED),
        ended(9, RunState.DECLINED),
        ended(60 * 48, RunState.HEALED),
    )
    assert await tally(Shadows(healing_database)) == Tally(runs=4, healed=1, failures_in_row=2)


async def test_evidence_for_promotion_is_shown_by_rule(healing_database: Database) -> None:
    shadows = Shadows(healing_database)
    policy = parse_policy("{version: 1, promotion: {cases: 2, false_need_ratio: 0.5}}")
    kept, gone = observed("kept"), observed("gone")
    await shadows.record([kept, gone], NOON - timedelta(hours=1), epoch=None)
    await shadows.settle(faults([kept]), NOON - timedelta(minutes=50), THRESHOLDS, epoch=None)
    await shadows.settle(faults([kept]), NOON, THRESHOLDS, epoch=None)
    async with a_policy_client(holds=policy, shadows=shadows) as client:
        items = (await client.get("/api/v1/autonomy")).json()["items"]
    assert [each["rule"] for each in items] == [rule.name for rule in policy.rules]
    (shown,) = (each for each in items if each["rule"] == "crash-loop")
    assert (shown["mode"], shown["advice"], shown["recommended"]) == ("observe", "promote", "approve")
    assert shown["false_need_ratio"] == 0.5
    assert shown["reasons"] == ["1 of 2 cases went away by themselves, 0 would not have fitted"]
    assert all(each["advice"] == "stay" for each in items if each is not shown)

"""What is kept about the own view: bursts of trouble, outages, and for how long they count."""

from datetime import timedelta

import pytest
from tests.support.clock import NOON
from tests.support.rows import a_condition, a_node, a_pod

from auto_healing.sight import SightKeeper
from common.cluster.changes import RowChange
from common.cluster.rows import Row

WELL, ILL = a_pod(), a_pod(ready=False)
DARK = a_node(conditions=(a_condition("Ready", "Unknown"),))


def a_change(before: Row | None, after: Row | None) -> RowChange:
    row = after or before
    assert row is not None
    return RowChange(kind=row.kind, key=row.key, before=before, after=after)


def burst(keeper: SightKeeper, seconds: float = 0) -> int:
    return keeper.sight(NOON + timedelta(seconds=seconds), heard_at=None, storm_at=None).changed_in_last_second


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        pytest.param(WELL, ILL, 1, id="a pod that is not ready any more"),
        pytest.param(a_node(), DARK, 1, id="a node that is not ready any more"),
        pytest.param(ILL, WELL, 0, id="a pod that got ready"),
        pytest.param(ILL, ILL, 0, id="a pod that stays as it was"),
        pytest.param(None, ILL, 0, id="a new pod, which is never ready at once"),
        pytest.param(WELL, None, 0, id="a pod that is gone"),
        pytest.param(WELL, a_pod(ready=False, deleted_at=NOON), 0, id="a pod that is being deleted"),
    ],
)
def test_what_falls_ill_is_counted(before: Row | None, after: Row | None, counted: int) -> None:
    keeper = SightKeeper()
    keeper.saw([a_change(before, after)], (), NOON)

    assert burst(keeper) == counted


def test_what_falls_ill_within_one_second_adds_up() -> None:
    keeper = SightKeeper()
    for milliseconds in (0, 400, 900):
        keeper.saw([a_change(WELL, ILL)] * 5, (), NOON + timedelta(milliseconds=milliseconds))

    assert burst(keeper, 1) == 15


def test_what_falls_ill_slowly_does_not_add_up() -> None:
    keeper = SightKeeper()
    for seconds in range(10):
        keeper.saw([a_change(WELL, ILL)], (), NOON + timedelta(seconds=2 * seconds))

    assert burst(keeper, 20) == 1


def test_a_burst_is_remembered_over_quieter_ones_and_then_forgotten() -> None:
    keeper = SightKeeper()
    keeper.saw([a_change(WELL, ILL)] * 9, (), NOON)
    keeper.saw([a_change(WELL, ILL)], (), NOON + timedelta(seconds=30))

    assert burst(keeper, 119) == 9
    assert burst(keeper, 121) == 0


def test_an_outage_that_ended_is_told() -> None:
    keeper = SightKeeper()
    keeper.saw((), {"Pod"}, NOON)
    keeper.saw((), (), NOON + timedelta(seconds=5))

    assert keeper.sight(NOON, heard_at=None, storm_at=None).outage_ended_at == NOON


def test_what_others_know_is_handed_on() -> None:
    keeper = SightKeeper()
    assert keeper.sight(NOON, heard_at=None, storm_at=None).synced_at is None
    keeper.synced_at = NOON
    heard, storm = NOON - timedelta(seconds=1), NOON - timedelta(seconds=2)
    sight = keeper.sight(NOON, heard_at=heard, storm_at=storm)

    assert (sight.synced_at, sight.health_monitor_heard_at, sight.storm_at) == (NOON, heard, storm)

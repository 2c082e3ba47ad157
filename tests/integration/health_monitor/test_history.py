"""Scores are read back at any step, and grow coarser with age without a lie."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.clock import NOON
from tests.support.health_database import execute, scalar

from common.contracts import ObjectKey
from common.database.connections import Database
from health_monitor.storage.buffer import Batch, ScorePoint
from health_monitor.storage.history import InvalidRange, Point, ScoreHistory
from health_monitor.storage.partitions import Partition, Partitioned, create
from health_monitor.storage.writer import store

pytestmark = pytest.mark.database

CLUSTER = ObjectKey("Cluster", "", "")
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class At:
    """A score, so many seconds after noon."""

    seconds: float
    value: float | None


async def keep(database: Database, *scores: At, key: ObjectKey = CLUSTER) -> None:
    points = tuple(ScorePoint(key, _at(each.seconds), each.value, each.value) for each in scores)
    async with database.begin() as connection:
        await create(connection, sorted({Partition.holding(Partitioned.SCORE, point.at) for point in points}))
    async with database.begin() as connection:
        epoch = await scalar(database, "SELECT epoch FROM stream")
        await store(connection, Batch(uuid4(), epoch, NOON, (), points), "/clusters/test")


async def read(
    database: Database, start: float, end: float, step: timedelta
) -> list[tuple[float, float | None, float | None]]:
    points = await ScoreHistory(database).read(CLUSTER, _at(start), _at(end), step)
    return [((point.at - NOON).total_seconds(), point.value, point.low) for point in points]


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


async def test_a_score_holds_until_the_next_one(database: Database) -> None:
    await keep(database, At(-3600, 90.0), At(30, 70.0), At(45, 95.5), At(300, 80.0))
    assert await read(database, 0, 360, MINUTE) == [
        (0, 90.0, 90.0),
        (60, 95.5, 70.0),
        (120, 95.5, 95.5),
        (180, 95.5, 95.5),
        (240, 95.5, 95.5),
        (300, 80.0, 80.0),
        (360, 80.0, 80.0),
    ]


async def test_before_an_object_is_there_and_after_it_is_gone_it_has_no_score(database: Database) -> None:
    await keep(database, At(90, 60.0), At(150, None))
    assert await read(database, 0, 240, MINUTE) == [
        (0, None, None),
        (60, None, None),
        (120, 60.0, 60.0),
        (180, None, 60.0),
        (240, None, None),
    ]


async def test_objects_do_not_mix(database: Database) -> None:
    await keep(database, At(0, 10.0), key=ObjectKey("Node", "", "n1"))
    await keep(database, At(0, 20.0), key=ObjectKey("Deployment", "shop", "n1"))
    assert await read(database, 0, 0, MINUTE) == [(0, None, None)]


@pytest.mark.parametrize(
    ("start", "end", "step", "says"),
    [
        pytest.param(0, 60, timedelta(0), "step must be longer", id="no step"),
        pytest.param(60, 0, MINUTE, "end lies before start", id="backwards"),
        pytest.param(0, 11_000, timedelta(seconds=1), "more than 11000", id="too many points"),
    ],
)
async def test_a_range_that_makes_no_sense_is_refused(
    database: Database, start: float, end: float, step: timedelta, says: str
) -> None:
    with pytest.raises(InvalidRange, match=says):
        await read(database, start, end, step)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(st.integers(1, 500), st.floats(0, 100).map(lambda value: round(value, 1)), max_size=12),
    step=st.integers(1, 200),
)
async def test_reading_at_any_step_equals_looking_at_every_second(
    database: Database, changes: dict[int, float], step: int
) -> None:
    await execute(database, "DELETE FROM score")
    if changes:
        await keep(database, *(At(seconds, value) for seconds, value in sorted(changes.items())))

    values: list[float | None] = [None]
    for second in range(1, 601):
        values.append(changes.get(second, values[-1]))
    expected = []
    for place, second in enumerate(range(0, 601, step)):
        known = [value for value in values[max(0, second - step) if place else 0 : second + 1] if value is not None]
        expected.append(Point(_at(second), values[second], min(known, default=None)))

    assert await ScoreHistory(database).read(CLUSTER, NOON, _at(600), timedelta(seconds=step)) == expected

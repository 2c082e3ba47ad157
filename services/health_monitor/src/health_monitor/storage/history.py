"""Scores over time. They are stored when they change, so a value holds until the next one; read back at any step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts import ObjectKey
from common.database.connections import Database
from health_monitor.storage.models import score

# As Prometheus has it: enough for any screen, small enough for one answer.
MOST_POINTS = 11_000


class InvalidRange(ValueError):
    """A range or step that cannot be answered; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Value:
    """An object's score and the lowest one since the value before; None while there was no such object."""

    value: float | None
    low: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """The score at an instant, and the lowest since the point before."""

    at: datetime
    value: float | None
    low: float | None


class ScoreHistory:
    """The stored scores."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, key: ObjectKey, start: datetime, end: datetime, step: timedelta) -> list[Point]:
        """A point at `start`, and every `step` up to `end`. Raises InvalidRange and DatabaseError."""
        instants = [start + number * step for number in range(points_in(start, end, step))]
        async with self._database.begin() as connection:
            before = await _value_at(connection, key, start)
            steps = await _changes(connection, key, start, instants[-1], step)
        return filled(before, steps, instants)


def points_in(start: datetime, end: datetime, step: timedelta) -> int:
    """How many points a range has. Raises InvalidRange."""
    if step <= timedelta(0):
        raise InvalidRange("step must be longer than 0")
    if end < start:
        raise InvalidRange("end lies before start")
    count = (end - start) // step + 1
    if count > MOST_POINTS:
        raise InvalidRange(f"{count} points are more than {MOST_POINTS}: make step longer or the range shorter")
    return count


def filled(before: float | None, steps: Mapping[int, Value], instants: Sequence[datetime]) -> list[Point]:
    """A point for each instant; `before` is the value at the first, `steps` what changed on the way to the others."""
    points = [Point(instants[0], before, before)]
    for number, at in enumerate(instants[1:], start=1):
        value = points[-1].value
        change = steps.get(number, Value(value, value))
        points.append(Point(at, change.value, _lowest(value, change.low)))
    return points


def _lowest(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return min(known) if known else None


async def _value_at(connection: AsyncConnection, key: ObjectKey, at: datetime) -> float | None:
    found = await connection.execute(
        select(score.c.value).where(_is(key), score.c.at <= at).order_by(score.c.at.desc()).limit(1)
    )
    return found.scalar()


async def _changes(
    connection: AsyncConnection, key: ObjectKey, start: datetime, end: datetime, step: timedelta
) -> dict[int, Value]:
    """For each step in which the score changed, its last and its lowest value. Step n ends at `start + n * step`."""
    seconds = func.extract("epoch", score.c.at - start)
    number = func.ceil(seconds / step.total_seconds()).label("number")
    last = func.array_agg(aggregate_order_by(score.c.value, score.c.at.desc()))[1].label("value")
    found = await connection.execute(
        select(number, last, func.min(score.c.low).label("low"))
        .where(_is(key), score.c.at > start, score.c.at <= end)
        .group_by(number)
    )
    return {int(row.number): Value(row.value, row.low) for row in found}


def _is(key: ObjectKey) -> ColumnElement[bool]:
    return and_(score.c.kind == key.kind, score.c.namespace == key.namespace, score.c.name == key.name)

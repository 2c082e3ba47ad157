"""Stores one batch in one transaction: events with their cursors, deliveries, the published state and scores."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts import Change, EventData, Finding, HealthEvent, ObjectKey
from health_monitor.storage import statements as sql
from health_monitor.storage.buffer import Batch, Entry, ScorePoint
from health_monitor.storage.envelope import enveloped, storable

FINDING = TypeAdapter(Finding)


class Deposed(Exception):
    """Another replica has become the leader; nothing of the transaction was kept."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a batch has become. `subscriptions` have something to deliver; None when that is not known any more."""

    events: tuple[HealthEvent, ...]
    subscriptions: frozenset[UUID] | None


async def store(connection: AsyncConnection, batch: Batch, source: str) -> Stored:
    """Write the batch unless it is there already, from an attempt whose outcome was not known. Raises Deposed.

    The row lock on the stream is taken first and held until the commit. So cursors have no gap, whatever is rolled
    back, and become visible in their order.
    """
    entries = [Entry(entry.id, storable(entry.data)) for entry in batch.entries]
    last = await _advance(connection, batch)
    if last is None:
        return Stored(_published(entries, await _cursor_of(connection, batch), source), None)
    events = _published(entries, last, source)
    subscriptions: frozenset[UUID] = frozenset()
    if entries:
        rows = [_event_row(*pair, batch) for pair in zip(entries, events, strict=True)]
        await connection.execute(sql.INSERT_EVENTS, rows)
        stored = {"at": batch.recorded_at, "first": events[0].cursor, "last": last}
        subscriptions = frozenset(await connection.scalars(sql.QUEUE_DELIVERIES, stored))
        await _publish_findings(connection, entries)
    if batch.scores:
        await _store_scores(connection, batch.scores)
    return Stored(events, subscriptions)


async def _advance(connection: AsyncConnection, batch: Batch) -> int | None:
    """Lock the stream and move its cursor; None when it stays, because we were deposed or were here before."""
    values = {"of_epoch": batch.epoch, "of_batch": batch.id, "count": len(batch.entries)}
    return cast("int | None", (await connection.execute(sql.ADVANCE, values)).scalar())


async def _cursor_of(connection: AsyncConnection, batch: Batch) -> int:
    row = (await connection.execute(sql.WHERE_IT_IS)).one()
    if row.epoch != batch.epoch:
        raise Deposed(f"epoch {batch.epoch} is over, the stream is in epoch {row.epoch}")
    return cast("int", row.cursor)


def _published(entries: list[Entry], last: int, source: str) -> tuple[HealthEvent, ...]:
    first = last - len(entries) + 1
    return tuple(
        enveloped(entry.data, event_id=entry.id, cursor=first + place, source=source)
        for place, entry in enumerate(entries)
    )


def _event_row(entry: Entry, published: HealthEvent, batch: Batch) -> dict[str, Any]:
    data = entry.data
    return {
        "cursor": published.cursor,
        "recorded_at": batch.recorded_at,
        "id": entry.id,
        "source": published.source,
        "change": data.change.value,
        "code": data.finding.code,
        "severity_rank": _rank(data),
        **data.finding.object.key._asdict(),
        "detected_at": data.detected_at,
        "data": data.model_dump_json(),
    }


def _rank(data: EventData) -> int:
    """The higher of the severities before and after: who hears of critical ones hears that one is not so any more."""
    severities = [data.finding.severity, data.previous_severity or data.finding.severity]
    return max(severity.rank for severity in severities)


async def _publish_findings(connection: AsyncConnection, entries: Iterable[Entry]) -> None:
    """Fold the events into the table of what was told as open."""
    state: dict[tuple[str, ObjectKey, str], _Told | None] = {}
    for entry in entries:
        data, before = entry.data, state.get(entry.data.finding.key)
        opened_at = data.detected_at if data.change is Change.OPENED else before.opened_at if before else None
        state[data.finding.key] = None if data.change is Change.RESOLVED else _Told(data, opened_at)
    gone = [(code, *key, part) for (code, key, part), each in state.items() if each is None]
    if gone:
        await connection.execute(sql.DELETE_FINDINGS, {"keys": gone})
    told = [each for each in state.values() if each is not None]
    if opened := [each.row() for each in told if each.opened_at is not None]:
        await connection.execute(sql.OPEN_FINDINGS, opened)
    if changed := [each.row() for each in told if each.opened_at is None]:
        await connection.execute(sql.CHANGE_FINDINGS, changed)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of a finding after a batch; `opened_at` is set when the batch opened it."""

    data: EventData
    opened_at: datetime | None

    def row(self) -> dict[str, Any]:
        data = self.data
        return {
            "code": data.finding.code,
            **data.finding.object.key._asdict(),
            "part": data.finding.part,
            "opened_at": self.opened_at or data.detected_at,
            "changed_at": data.detected_at,
            "flapping": data.flapping,
            "data": FINDING.dump_json(data.finding).decode(),
        }


async def _store_scores(connection: AsyncConnection, points: tuple[ScorePoint, ...]) -> None:
    rows = [{**point.key._asdict(), "at": point.at, "value": point.value, "low": point.low} for point in points]
    await connection.execute(sql.INSERT_SCORES, rows)
    latest = {point.key: point.value for point in points}
    if gone := [tuple(key) for key, value in latest.items() if value is None]:
        await connection.execute(sql.DELETE_LATEST, {"keys": gone})
    if there := [{**key._asdict(), "value": value} for key, value in latest.items() if value is not None]:
        await connection.execute(sql.UPSERT_LATEST, there)

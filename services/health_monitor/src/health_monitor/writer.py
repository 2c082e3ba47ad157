"""Stores one batch in one transaction: events with their cursors, deliveries, the published state and scores."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, delete, func, literal_column, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts import Change, EventData, Finding, HealthEvent, ObjectKey
from health_monitor.buffer import Batch, Entry, ScorePoint
from health_monitor.envelope import enveloped, storable
from health_monitor.models import delivery, event, finding, score, score_latest, stream, subscription

FINDING = TypeAdapter(Finding)
QUEUED = "queued"


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
        await connection.execute(
            insert(event), [_event_row(*pair, batch) for pair in zip(entries, events, strict=True)]
        )
        subscriptions = await _queue_deliveries(connection, batch, events[0].cursor, last)
        await _publish_findings(connection, entries)
    if batch.scores:
        await _store_scores(connection, batch.scores)
    return Stored(events, subscriptions)


async def _advance(connection: AsyncConnection, batch: Batch) -> int | None:
    """Lock the stream and move its cursor; None when it stays, because we were deposed or were here before."""
    moved = await connection.execute(
        update(stream)
        .where(stream.c.epoch == batch.epoch, stream.c.batch.is_distinct_from(batch.id))
        .values(cursor=stream.c.cursor + len(batch.entries), batch=batch.id)
        .returning(stream.c.cursor)
    )
    return cast("int | None", moved.scalar())


async def _cursor_of(connection: AsyncConnection, batch: Batch) -> int:
    row = (await connection.execute(select(stream.c.epoch, stream.c.batch, stream.c.cursor))).one()
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


async def _queue_deliveries(connection: AsyncConnection, batch: Batch, first: int, last: int) -> frozenset[UUID]:
    """One delivery for each event and subscription that wants it; returns those subscriptions."""
    wanted = (
        select(
            subscription.c.id,
            event.c.cursor,
            event.c.recorded_at,
            event.c.id,
            literal_column(f"'{QUEUED}'"),
            literal_column("0"),
            event.c.recorded_at,
            event.c.recorded_at,
        )
        .join_from(event, subscription, _wants())
        .where(event.c.recorded_at == batch.recorded_at, event.c.cursor.between(first, last))
    )
    columns = ["subscription_id", "cursor", "recorded_at", "event_id", "state", "attempts", "queued_at", "not_before"]
    added = insert(delivery).from_select(columns, wanted).returning(delivery.c.subscription_id).cte("added")
    return frozenset(await connection.scalars(select(added.c.subscription_id).distinct()))


def _wants() -> ColumnElement[bool]:
    """The condition that a subscription wants an event; an empty list lets everything through."""
    lists = (
        (subscription.c.codes, event.c.code),
        (subscription.c.kinds, event.c.kind),
        (subscription.c.namespaces, event.c.namespace),
    )
    return and_(
        subscription.c.disabled_reason.is_(None),
        event.c.severity_rank >= subscription.c.min_severity_rank,
        *(or_(func.cardinality(allowed) == 0, value == func.any(allowed)) for allowed, value in lists),
    )


async def _publish_findings(connection: AsyncConnection, entries: Iterable[Entry]) -> None:
    """Fold the events into the table of what was told as open."""
    state: dict[tuple[str, ObjectKey, str], _Told | None] = {}
    for entry in entries:
        data, before = entry.data, state.get(entry.data.finding.key)
        opened_at = data.detected_at if data.change is Change.OPENED else before.opened_at if before else None
        state[data.finding.key] = None if data.change is Change.RESOLVED else _Told(data, opened_at)
    gone = [(code, *key, part) for (code, key, part), told in state.items() if told is None]
    if gone:
        columns = tuple_(*(finding.c[name] for name in ("code", "kind", "namespace", "name", "part")))
        await connection.execute(delete(finding).where(columns.in_(gone)))
    for reopened in (True, False):
        rows = [told.row() for told in state.values() if told is not None and (told.opened_at is not None) is reopened]
        if rows:
            await connection.execute(_upsert_findings(reopened), rows)


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


def _upsert_findings(reopened: bool) -> Insert:
    statement = insert(finding)
    new = statement.excluded
    changed = {"changed_at": new.changed_at, "flapping": new.flapping, "data": new.data}
    if reopened:
        changed["opened_at"] = new.opened_at
    return statement.on_conflict_do_update(constraint=finding.primary_key, set_=changed)


async def _store_scores(connection: AsyncConnection, points: tuple[ScorePoint, ...]) -> None:
    statement = insert(score)
    new = statement.excluded
    # The same instant again: a batch that was cut in two, or a clock set back.
    again = {"value": new.value, "low": func.least(score.c.low, new.low)}
    rows = [{**point.key._asdict(), "at": point.at, "value": point.value, "low": point.low} for point in points]
    await connection.execute(statement.on_conflict_do_update(constraint=score.primary_key, set_=again), rows)
    latest = {point.key: point.value for point in points}
    await _store_latest(connection, latest)


async def _store_latest(connection: AsyncConnection, latest: dict[ObjectKey, float | None]) -> None:
    gone = [tuple(key) for key, value in latest.items() if value is None]
    if gone:
        columns = tuple_(score_latest.c.kind, score_latest.c.namespace, score_latest.c.name)
        await connection.execute(delete(score_latest).where(columns.in_(gone)))
    rows = [{**key._asdict(), "value": value} for key, value in latest.items() if value is not None]
    if rows:
        statement = insert(score_latest)
        change = statement.on_conflict_do_update(
            constraint=score_latest.primary_key, set_={"value": statement.excluded.value}
        )
        await connection.execute(change, rows)

"""The statements that store a batch, made once: to build one takes longer than PostgreSQL takes to run it."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Delete,
    Table,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from health_monitor.storage.models import delivery, event, finding, score, score_latest, stream, subscription

QUEUED = "queued"


def _upsert(table: Table, *changed: str) -> Insert:
    statement = insert(table)
    new: dict[str, Any] = {name: statement.excluded[name] for name in changed}
    return statement.on_conflict_do_update(constraint=table.primary_key, set_=new)


def _delete_keys(table: Table) -> Delete:
    """Deletes the rows whose primary keys are in the list `keys`."""
    return delete(table).where(tuple_(*table.primary_key.columns).in_(bindparam("keys", expanding=True)))


def _wanted() -> ColumnElement[bool]:
    """Whether a subscription wants an event; an empty list lets everything through."""

    def lists(allowed: Column[Any], value: Column[Any]) -> ColumnElement[bool]:
        return or_(func.cardinality(allowed) == 0, value == func.any(allowed))

    return and_(
        subscription.c.disabled_reason.is_(None),
        event.c.severity_rank >= subscription.c.min_severity_rank,
        lists(subscription.c.codes, event.c.code),
        lists(subscription.c.kinds, event.c.kind),
        lists(subscription.c.namespaces, event.c.namespace),
    )


# Moves the cursor and locks the stream until the commit. No row: another epoch, or the batch has been here before.
ADVANCE = (
    update(stream)
    .where(
        stream.c.epoch == bindparam("of_epoch", type_=BigInteger),
        stream.c.batch.is_distinct_from(bindparam("of_batch", type_=Uuid)),
    )
    .values(cursor=stream.c.cursor + bindparam("count", type_=BigInteger), batch=bindparam("of_batch", type_=Uuid))
    .returning(stream.c.cursor)
)
WHERE_IT_IS = select(stream.c.epoch, stream.c.batch, stream.c.cursor)

INSERT_EVENTS = insert(event)

# One delivery for each event of the batch and subscription that wants it; returns those subscriptions.
_DELIVERIES = insert(delivery).from_select(
    ["subscription_id", "cursor", "recorded_at", "event_id", "state", "attempts", "queued_at", "not_before"],
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
    .join_from(event, subscription, _wanted())
    .where(
        event.c.recorded_at == bindparam("at", type_=DateTime(timezone=True)),
        event.c.cursor.between(bindparam("first", type_=BigInteger), bindparam("last", type_=BigInteger)),
    ),
)
QUEUE_DELIVERIES = select(_DELIVERIES.returning(delivery.c.subscription_id).cte("added")).distinct()

DELETE_FINDINGS = _delete_keys(finding)
OPEN_FINDINGS = _upsert(finding, "opened_at", "changed_at", "flapping", "data")
CHANGE_FINDINGS = _upsert(finding, "changed_at", "flapping", "data")

_SCORES = insert(score)
# The same instant again: a batch that was cut in two, or a clock set back.
INSERT_SCORES = _SCORES.on_conflict_do_update(
    constraint=score.primary_key,
    set_={"value": _SCORES.excluded.value, "low": func.least(score.c.low, _SCORES.excluded.low)},
)
DELETE_LATEST = _delete_keys(score_latest)
UPSERT_LATEST = _upsert(score_latest, "value")

"""The tables of schema `health`, as SQLAlchemy Core: bursts of rows go in as lists, never through an ORM.

`event` and `delivery` are partitioned by month, `score` by day, so that retention drops whole tables.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Double,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    cast,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

from common.database.columns import election_table, instant, object_key, only_row, string
from common.database.naming import metadata as metadata_of

SCHEMA = "health"

metadata = metadata_of(SCHEMA)


class JsonText(UserDefinedType[str]):
    """jsonb that is written and read as the JSON text it is, since pydantic makes and reads that text much quicker."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSONB"

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(column, Text)


# One row. Its lock puts the commits of events into the order of their cursors; its epoch shuts out a deposed leader.
stream = Table(
    "stream",
    metadata,
    *only_row(),
    Column("cursor", BigInteger, nullable=False),  # of the newest event
    Column("floor", BigInteger, nullable=False),  # events up to this cursor are no longer kept
    Column("epoch", BigInteger, nullable=False),  # counts the leaders
    string("holder"),  # who leads, for people
    Column("batch", Uuid, nullable=True),  # the last batch: tells whether a commit without an answer took place
)

election = election_table(metadata)

event = Table(
    "event",
    metadata,
    Column("cursor", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", DateTime(timezone=True), primary_key=True),
    Column("id", Uuid, nullable=False),
    string("source"),
    string("change"),
    string("code"),
    Column("severity_rank", SmallInteger, nullable=False),
    *object_key(),
    instant("detected_at"),
    Column("data", JsonText, nullable=False),
    Index("ix_event_id", "id"),
    Index("ix_event_object", "kind", "namespace", "name", "cursor"),
    postgresql_partition_by="RANGE (recorded_at)",
)

# The findings that were told as open and not yet as resolved: what the next leader starts from.
finding = Table(
    "finding",
    metadata,
    string("code", primary_key=True),
    *object_key(primary_key=True),
    string("part", primary_key=True),
    instant("opened_at"),
    instant("changed_at"),
    Column("flapping", Boolean, nullable=False),
    Column("data", JsonText, nullable=False),
)

# A row holds from `at` until the object's next row. `low` is the lowest value since the row before; null means gone.
score = Table(
    "score",
    metadata,
    *object_key(primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("value", Double, nullable=True),
    Column("low", Double, nullable=True),
    postgresql_partition_by="RANGE (at)",
)

# The last score of each object that exists, so that a new leader stores only what differs.
score_latest = Table(
    "score_latest",
    metadata,
    *object_key(primary_key=True),
    Column("value", Double, nullable=False),
)

subscription = Table(
    "subscription",
    metadata,
    Column("id", Uuid, primary_key=True),
    string("url"),
    string("description"),
    # An empty list lets everything through.
    Column("codes", ARRAY(Text), nullable=False),
    Column("kinds", ARRAY(Text), nullable=False),
    Column("namespaces", ARRAY(Text), nullable=False),
    Column("min_severity_rank", SmallInteger, nullable=False),
    string("secret"),
    string("previous_secret", nullable=True),  # signs too until the instant below
    instant("previous_secret_until", nullable=True),
    instant("created_at"),
    Column("start_cursor", BigInteger, nullable=False),  # every later event that matches is delivered
    Column("failures", Integer, nullable=False),  # in a row
    instant("failing_since", nullable=True),
    instant("retry_at", nullable=True),
    string("last_error", nullable=True),
    instant("last_delivered_at", nullable=True),
    string("disabled_reason", nullable=True),  # null while enabled
)

# No foreign key, which would be checked for each of thousands of rows: subscriptions go under the stream's lock.
delivery = Table(
    "delivery",
    metadata,
    Column("subscription_id", Uuid, primary_key=True),
    Column("cursor", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", DateTime(timezone=True), primary_key=True),  # of the event
    Column("event_id", Uuid, nullable=False),
    string("state"),
    Column("attempts", Integer, nullable=False),
    instant("queued_at"),
    instant("not_before"),
    Column("last_status", SmallInteger, nullable=True),
    string("last_error", nullable=True),
    instant("delivered_at", nullable=True),
    Index("ix_delivery_open", "subscription_id", "state", "cursor", postgresql_where=text("state <> 'delivered'")),
    postgresql_partition_by="RANGE (recorded_at)",
)

"""Events, findings, scores, subscriptions and deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None

SCHEMA = "health"
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _stream()
    _events()
    _published_state()
    _scores()
    _webhooks()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _object() -> list[sa.Column[str]]:
    return [_text("kind"), _text("namespace"), _text("name")]


def _stream() -> None:
    op.create_table(
        "stream",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("cursor", sa.BigInteger, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        _text("holder"),
        sa.Column("batch", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_stream"),
        sa.CheckConstraint("id = 1", name="single"),
        schema=SCHEMA,
    )
    op.execute(f"INSERT INTO {SCHEMA}.stream (id, cursor, floor, epoch, holder) VALUES (1, 0, 0, 0, '')")  # noqa: S608
    op.create_table(
        "election",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        _text("holder"),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_election"),
        sa.CheckConstraint("id = 1", name="single"),
        schema=SCHEMA,
    )
    op.execute(f"INSERT INTO {SCHEMA}.election (id, holder, expires_at) VALUES (1, '', '-infinity')")  # noqa: S608


def _events() -> None:
    op.create_table(
        "event",
        sa.Column("cursor", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        _text("source"),
        _text("change"),
        _text("code"),
        sa.Column("severity_rank", sa.SmallInteger, nullable=False),
        *_object(),
        sa.Column("detected_at", INSTANT, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("cursor", "recorded_at", name="pk_event"),
        schema=SCHEMA,
        postgresql_partition_by="RANGE (recorded_at)",
    )
    op.create_index("ix_event_id", "event", ["id"], schema=SCHEMA)
    op.create_index("ix_event_object", "event", ["kind", "namespace", "name", "cursor"], schema=SCHEMA)


def _published_state() -> None:
    op.create_table(
        "finding",
        _text("code"),
        *_object(),
        _text("part"),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("flapping", sa.Boolean, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("code", "kind", "namespace", "name", "part", name="pk_finding"),
        schema=SCHEMA,
    )


def _scores() -> None:
    op.create_table(
        "score",
        *_object(),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("low", sa.Double),
        sa.PrimaryKeyConstraint("kind", "namespace", "name", "at", name="pk_score"),
        schema=SCHEMA,
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "score_latest",
        *_object(),
        sa.Column("value", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("kind", "namespace", "name", name="pk_score_latest"),
        schema=SCHEMA,
    )
    # Updated in place all the time: room in each page keeps those updates away from the index.
    op.execute(f"ALTER TABLE {SCHEMA}.score_latest SET (fillfactor = 70)")


def _webhooks() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.Uuid, nullable=False),
        _text("url"),
        _text("description"),
        sa.Column("codes", ARRAY(sa.Text), nullable=False),
        sa.Column("kinds", ARRAY(sa.Text), nullable=False),
        sa.Column("namespaces", ARRAY(sa.Text), nullable=False),
        sa.Column("min_severity_rank", sa.SmallInteger, nullable=False),
        _text("secret"),
        _text("previous_secret", nullable=True),
        sa.Column("previous_secret_until", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("start_cursor", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", INSTANT),
        sa.Column("retry_at", INSTANT),
        _text("last_error", nullable=True),
        sa.Column("last_delivered_at", INSTANT),
        _text("disabled_reason", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
        schema=SCHEMA,
    )
    op.create_table(
        "delivery",
        sa.Column("subscription_id", sa.Uuid, nullable=False),
        sa.Column("cursor", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        _text("state"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("queued_at", INSTANT, nullable=False),
        sa.Column("not_before", INSTANT, nullable=False),
        sa.Column("last_status", sa.SmallInteger),
        _text("last_error", nullable=True),
        sa.Column("delivered_at", INSTANT),
        sa.PrimaryKeyConstraint("subscription_id", "cursor", "recorded_at", name="pk_delivery"),
        schema=SCHEMA,
        postgresql_partition_by="RANGE (recorded_at)",
    )
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["subscription_id", "state", "cursor"],
        schema=SCHEMA,
        postgresql_where=sa.text("state <> 'delivered'"),
    )

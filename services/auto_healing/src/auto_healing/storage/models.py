"""The tables of schema `healing`, as SQLAlchemy Core."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from common.database.columns import election_table, epochs_table, instant, object_key, only_row, string
from common.database.naming import metadata as metadata_of

SCHEMA = "healing"

metadata = metadata_of(SCHEMA)


def _run() -> Column[Any]:
    return Column("run_id", Uuid, ForeignKey("run.id"), nullable=False, index=True)


leader = epochs_table("leader", metadata)

election = election_table(metadata)

# One row: how far health_monitor's events have been read without a gap.
intake = Table(
    "intake",
    metadata,
    *only_row(),
    Column("cursor", BigInteger, nullable=False),
    instant("heard_at", nullable=True),
)

# Events as they came, each once. `decided_at` is null until a decision took it into account.
inbox = Table(
    "inbox",
    metadata,
    string("event_id", primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    instant("received_at"),
    instant("decided_at", nullable=True),
    Column("event", JSONB, nullable=False),
    Index("ix_inbox_waiting", "cursor", postgresql_where=text("decided_at IS NULL")),
)

# The findings that are open, as the events told.
finding = Table(
    "finding",
    metadata,
    string("code", primary_key=True),
    *object_key(primary_key=True),
    string("part", primary_key=True),
    string("uid"),
    Column("cursor", BigInteger, nullable=False),  # of the newest event about it: an older one changes nothing
    instant("opened_at"),
    instant("resolved_at", nullable=True),  # kept a while, for late and doubled events
    Column("object_score", Double, nullable=True),
    Column("finding", JSONB, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Uuid, primary_key=True),
    string("state"),
    string("rule"),
    string("mode"),
    string("action"),  # of the first step; empty when there is none
    *object_key(),  # the target, which is locked while the run is active
    string("uid"),
    string("owner"),  # top workload, as kind/namespace/name
    string("code"),  # of the finding that led to it; empty by hand
    string("fault_level"),
    Column("rung", SmallInteger, nullable=False),
    Column("plan", JSONB, nullable=False),
    string("requested_by"),
    string("reason"),
    string("approved_by"),
    instant("approval_expires_at", nullable=True),
    instant("created_at"),
    instant("updated_at"),
    instant("started_at", nullable=True),
    instant("ended_at", nullable=True),
    instant("verifying_at", nullable=True),
    instant("recurred_at", nullable=True),  # the same finding on the same owner, within a day of being healed
    Column("place", JSONB, nullable=False),  # owner, node, zone, pool and the like, for the guards of later runs
    Column("approver_groups", JSONB, nullable=False),
    Column("vouched_by", Text, nullable=False, server_default=""),  # passed the approval on; empty: nobody had to
    string("undo_by"),  # who wants it undone: a person, or the service itself; empty: nobody
    string("undo_reason"),
    Column("previous", Uuid, nullable=True),
    Column("score_before", Double, nullable=True),
    Column("score_after", Double, nullable=True),
    Column("seconds_to_heal", Double, nullable=True),
    Column("epoch", BigInteger, nullable=False),  # of the leader that moved it last
    Index("ix_run_state", "state"),
    Index("ix_run_created", "created_at", "id"),
    Index("ix_run_object", "kind", "namespace", "name", "created_at"),
    Index(
        "uq_run_active_target",
        "kind",
        "namespace",
        "name",
        unique=True,
        postgresql_where=text("state IN ('awaiting-approval', 'approved', 'running', 'verifying')"),
    ),
)

step = Table(
    "step",
    metadata,
    Column("run_id", Uuid, ForeignKey("run.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    string("state"),
    string("action"),
    *object_key(),
    string("uid"),
    instant("started_at", nullable=True),
    instant("ended_at", nullable=True),
    Column("tries", Integer, nullable=False),
    Column("outcome", JSONB, nullable=True),
)

# Every decision, in order and for good. `hash` covers the row and the hash before it.
ledger = Table(
    "ledger",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # gap-free
    instant("at"),
    string("event"),  # what happened: proposed, declined, step-started, healed, ...
    Column("run_id", Uuid, nullable=True),
    *object_key(),
    string("code"),  # of the finding
    string("action"),
    string("outcome"),
    string("actor"),  # "policy", a person, or the service itself
    string("guard"),
    string("message"),
    Column("data", JSON, nullable=False),  # not JSONB, which would not keep the text that `hash` covers
    Column("hash", LargeBinary, nullable=False),
    Index("ix_ledger_at", "at"),
    Index("ix_ledger_object", "kind", "namespace", "name", "seq"),
    Index("ix_ledger_run", "run_id", "seq", postgresql_where=text("run_id IS NOT NULL")),
)

# One row: up to which entry of the ledger alert_service was told; null: never.
notified = Table(
    "notified",
    metadata,
    *only_row(),
    Column("seq", BigInteger, nullable=True),
)

# One row: the newest entry of the ledger. Its lock puts writers in order; it also tells when the newest are missing.
ledger_head = Table(
    "ledger_head",
    metadata,
    *only_row(),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

# What a removed beginning of the ledger ended with, so that the rest can still be proved.
ledger_anchor = Table(
    "ledger_anchor",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    instant("rotated_at"),
    Column("removed", BigInteger, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Uuid, primary_key=True),
    _run(),
    *object_key(),
    string("uid"),
    instant("at"),
    Column("content", LargeBinary, nullable=False),  # zlib over JSON
    Index("ix_evidence_object", "kind", "namespace", "name", "at"),
)

manifest = Table(
    "manifest",
    metadata,
    Column("id", Uuid, primary_key=True),
    _run(),
    *object_key(),
    string("uid"),
    instant("at"),
    Column("content", JSON, nullable=False),  # not JSONB, which takes no text with an escaped NUL
    instant("restored_at", nullable=True),
    string("restored_by", nullable=True),
)

# Temporary changes, stored before they are made.
change = Table(
    "change",
    metadata,
    Column("id", Uuid, primary_key=True),
    _run(),
    *object_key(),
    string("uid"),
    string("what"),
    Column("path", JSONB, nullable=False),
    Column("before", JSONB, nullable=True),
    Column("after", JSONB, nullable=True),
    instant("made_at"),
    instant("until"),
    string("state"),  # held, returned, conflict, gone
    instant("ended_at", nullable=True),
    string("reason"),
    Index("ix_change_held", "until", postgresql_where=text("state = 'held'")),
)

pause = Table(
    "pause",
    metadata,
    string("namespace", primary_key=True),  # empty: everywhere
    string("reason"),
    string("by"),
    instant("since"),
    instant("until", nullable=True),
)

# Cleanup's first phase: what has been found unused, and for how many looks in a row.
tombstone = Table(
    "tombstone",
    metadata,
    string("rule", primary_key=True),
    *object_key(primary_key=True),
    string("uid", primary_key=True),
    instant("first_seen_at"),
    instant("last_seen_at"),
    Column("scans", Integer, nullable=False),
    string("reason"),
    Column("told", Boolean, nullable=False),  # the owner, by an event on the object
    instant("due_at", nullable=True),  # when it had been found often and long enough; null: it has not yet
    Index("ix_tombstone_object", "kind", "namespace", "name"),
)

# One row for each cleanup rule: its last look, and what a person has asked for that the leader has yet to do.
cleanup = Table(
    "cleanup",
    metadata,
    string("rule", primary_key=True),
    instant("looked_at", nullable=True),
    Column("result", JSONB, nullable=True),
    string("asked", nullable=True),  # "scan" or "run"
    string("asked_by", nullable=True),
    instant("asked_at", nullable=True),
)

# Earned autonomy: what would have been done in the shadow, and whether the trouble went away by itself.
shadow = Table(
    "shadow",
    metadata,
    Column("id", Uuid, primary_key=True),
    string("rule"),
    string("action"),
    *object_key(),
    string("code"),
    instant("at"),
    Column("declined", Boolean, nullable=False),  # a guard would have stopped it
    Column("fits", Boolean, nullable=True),  # what it displaces would have found a place
    instant("resolved_at", nullable=True),
    instant("given_up_at", nullable=True),  # it outlived the time within which it may count as resolved by itself
    Index(
        "uq_shadow_open",
        "rule",
        "code",
        "kind",
        "namespace",
        "name",
        unique=True,
        postgresql_where=text("resolved_at IS NULL"),
    ),
    Index("ix_shadow_at", "at"),
)

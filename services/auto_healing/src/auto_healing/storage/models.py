"""The tables of schema `healing`, as SQLAlchemy Core."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
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

from common.database.naming import metadata as metadata_of

SCHEMA = "healing"

metadata = metadata_of(SCHEMA)


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, primary_key=primary_key)


def _object(*, primary_key: bool = False) -> list[Column[str]]:
    """The three columns that name an object."""
    return [_text(name, primary_key=primary_key) for name in ("kind", "namespace", "name")]


def _run() -> Column[Any]:
    return Column("run_id", Uuid, ForeignKey("run.id"), nullable=False, index=True)


# One row: who leads. Whoever writes with an epoch that is over is refused.
leader = Table(
    "leader",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    _text("holder"),
    CheckConstraint("id = 1", name="single"),
)

# One row: the lock of replicas that run without a Kubernetes Lease.
election = Table(
    "election",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    _text("holder"),
    _instant("expires_at"),
    CheckConstraint("id = 1", name="single"),
)

# One row: how far health_monitor's events have been read without a gap.
intake = Table(
    "intake",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("cursor", BigInteger, nullable=False),
    _instant("heard_at", nullable=True),
    CheckConstraint("id = 1", name="single"),
)

# Events as they came, each once. `decided_at` is null until a decision took it into account.
inbox = Table(
    "inbox",
    metadata,
    _text("event_id", primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    _instant("received_at"),
    _instant("decided_at", nullable=True),
    Column("event", JSONB, nullable=False),
    Index("ix_inbox_waiting", "cursor", postgresql_where=text("decided_at IS NULL")),
)

# The findings that are open, as the events told.
finding = Table(
    "finding",
    metadata,
    _text("code", primary_key=True),
    *_object(primary_key=True),
    _text("part", primary_key=True),
    _text("uid"),
    Column("cursor", BigInteger, nullable=False),  # of the newest event about it: an older one changes nothing
    _instant("opened_at"),
    _instant("resolved_at", nullable=True),  # kept a while, for late and doubled events
    Column("object_score", Double, nullable=True),
    Column("finding", JSONB, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Uuid, primary_key=True),
    _text("state"),
    _text("rule"),
    _text("mode"),
    _text("action"),  # of the first step; empty when there is none
    *_object(),  # the target, which is locked while the run is active
    _text("uid"),
    _text("owner"),  # top workload, as kind/namespace/name
    _text("code"),  # of the finding that led to it; empty by hand
    _text("fault_level"),
    Column("rung", SmallInteger, nullable=False),
    Column("plan", JSONB, nullable=False),
    _text("requested_by"),
    _text("reason"),
    _text("approved_by"),
    _instant("approval_expires_at", nullable=True),
    _instant("created_at"),
    _instant("updated_at"),
    _instant("started_at", nullable=True),
    _instant("ended_at", nullable=True),
    _instant("verifying_at", nullable=True),
    _instant("recurred_at", nullable=True),  # the same finding on the same owner, within a day of being healed
    Column("place", JSONB, nullable=False),  # owner, node, zone, pool and the like, for the guards of later runs
    Column("approver_groups", JSONB, nullable=False),
    _text("undo_by"),  # who wants it undone: a person, or the service itself; empty: nobody
    _text("undo_reason"),
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
    _text("state"),
    _text("action"),
    *_object(),
    _text("uid"),
    _instant("started_at", nullable=True),
    _instant("ended_at", nullable=True),
    Column("tries", Integer, nullable=False),
    Column("outcome", JSONB, nullable=True),
)

# Every decision, in order and for good. `hash` covers the row and the hash before it.
ledger = Table(
    "ledger",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # gap-free
    _instant("at"),
    _text("event"),  # what happened: proposed, declined, step-started, healed, ...
    Column("run_id", Uuid, nullable=True),
    *_object(),
    _text("code"),  # of the finding
    _text("action"),
    _text("outcome"),
    _text("actor"),  # "policy", a person, or the service itself
    _text("guard"),
    _text("message"),
    Column("data", JSON, nullable=False),  # not JSONB, which would not keep the text that `hash` covers
    Column("hash", LargeBinary, nullable=False),
    Index("ix_ledger_at", "at"),
    Index("ix_ledger_object", "kind", "namespace", "name", "seq"),
    Index("ix_ledger_run", "run_id", "seq", postgresql_where=text("run_id IS NOT NULL")),
)

# One row: the newest entry of the ledger. Its lock puts writers in order; it also tells when the newest are missing.
ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="single"),
)

# What a removed beginning of the ledger ended with, so that the rest can still be proved.
ledger_anchor = Table(
    "ledger_anchor",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    _instant("rotated_at"),
    Column("removed", BigInteger, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Uuid, primary_key=True),
    _run(),
    *_object(),
    _text("uid"),
    _instant("at"),
    Column("content", LargeBinary, nullable=False),  # zlib over JSON
    Index("ix_evidence_object", "kind", "namespace", "name", "at"),
)

manifest = Table(
    "manifest",
    metadata,
    Column("id", Uuid, primary_key=True),
    _run(),
    *_object(),
    _text("uid"),
    _instant("at"),
    Column("content", JSON, nullable=False),  # not JSONB, which takes no text with an escaped NUL
    _instant("restored_at", nullable=True),
    _text("restored_by", nullable=True),
)

# Temporary changes, stored before they are made.
change = Table(
    "change",
    metadata,
    Column("id", Uuid, primary_key=True),
    _run(),
    *_object(),
    _text("uid"),
    _text("what"),
    Column("path", JSONB, nullable=False),
    Column("before", JSONB, nullable=True),
    Column("after", JSONB, nullable=True),
    _instant("made_at"),
    _instant("until"),
    _text("state"),  # held, returned, conflict, gone
    _instant("ended_at", nullable=True),
    _text("reason"),
    Index("ix_change_held", "until", postgresql_where=text("state = 'held'")),
)

pause = Table(
    "pause",
    metadata,
    _text("namespace", primary_key=True),  # empty: everywhere
    _text("reason"),
    _text("by"),
    _instant("since"),
    _instant("until", nullable=True),
)

# Cleanup's first phase: what has been found unused, and for how many looks in a row.
tombstone = Table(
    "tombstone",
    metadata,
    _text("rule", primary_key=True),
    *_object(primary_key=True),
    _text("uid", primary_key=True),
    _instant("first_seen_at"),
    _instant("last_seen_at"),
    Column("scans", Integer, nullable=False),
    _text("reason"),
    Column("told", Boolean, nullable=False),  # the owner, by an event on the object
    _instant("due_at", nullable=True),  # when it had been found often and long enough; null: it has not yet
    Index("ix_tombstone_object", "kind", "namespace", "name"),
)

# One row for each cleanup rule: its last look, and what a person has asked for that the leader has yet to do.
cleanup = Table(
    "cleanup",
    metadata,
    _text("rule", primary_key=True),
    _instant("looked_at", nullable=True),
    Column("result", JSONB, nullable=True),
    _text("asked", nullable=True),  # "scan" or "run"
    _text("asked_by", nullable=True),
    _instant("asked_at", nullable=True),
)

# Earned autonomy: what would have been done in the shadow, and whether the trouble went away by itself.
shadow = Table(
    "shadow",
    metadata,
    Column("id", Uuid, primary_key=True),
    _text("rule"),
    _text("action"),
    *_object(),
    _text("code"),
    _instant("at"),
    Column("declined", Boolean, nullable=False),  # a guard would have stopped it
    Column("fits", Boolean, nullable=True),  # what it displaces would have found a place
    _instant("resolved_at", nullable=True),
    _instant("given_up_at", nullable=True),  # it outlived the time within which it may count as resolved by itself
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

"""Intake, runs, ledger, evidence, temporary changes, pauses, cleanup and what was observed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    _cleanup()
    _election()
    _finding()
    _inbox()
    _intake()
    _leader()
    _ledger()
    _ledger_anchor()
    _ledger_head()
    _pause()
    _run()
    _shadow()
    _tombstone()
    _change()
    _evidence()
    _manifest()
    _step()
    op.execute("INSERT INTO healing.leader (id, epoch, holder) VALUES (1, 0, '')")
    op.execute("INSERT INTO healing.election (id, holder, expires_at) VALUES (1, '', '-infinity')")
    op.execute("INSERT INTO healing.intake (id, cursor) VALUES (1, 0)")
    op.execute("INSERT INTO healing.ledger_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'))")
    op.execute(_ONLY_ROTATED)
    op.execute(_ANCHOR_IS_TRUE)
    for statement in _PROTECTION:
        op.execute(statement)


def _cleanup() -> None:
    op.create_table(
        "cleanup",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", JSONB, nullable=True),
        sa.Column("asked", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_cleanup")),
        schema="healing",
    )


def _election() -> None:
    op.create_table(
        "election",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_election_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_election")),
        schema="healing",
    )


def _finding() -> None:
    op.create_table(
        "finding",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("object_score", sa.Double(), nullable=True),
        sa.Column("finding", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("code", "kind", "namespace", "name", "part", name=op.f("pk_finding")),
        schema="healing",
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_inbox")),
        schema="healing",
    )
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["cursor"],
        unique=False,
        schema="healing",
        postgresql_where=sa.text("decided_at IS NULL"),
    )


def _intake() -> None:
    op.create_table(
        "intake",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_intake_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake")),
        schema="healing",
    )


def _leader() -> None:
    op.create_table(
        "leader",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_leader_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leader")),
        schema="healing",
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("guard", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger")),
        schema="healing",
    )
    op.create_index("ix_ledger_at", "ledger", ["at"], unique=False, schema="healing")
    op.create_index("ix_ledger_object", "ledger", ["kind", "namespace", "name", "seq"], unique=False, schema="healing")
    op.create_index(
        "ix_ledger_run",
        "ledger",
        ["run_id", "seq"],
        unique=False,
        schema="healing",
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )


def _ledger_anchor() -> None:
    op.create_table(
        "ledger_anchor",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger_anchor")),
        schema="healing",
    )


def _ledger_head() -> None:
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_head_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_head")),
        schema="healing",
    )


def _pause() -> None:
    op.create_table(
        "pause",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("namespace", name=op.f("pk_pause")),
        schema="healing",
    )


def _run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("fault_level", sa.Text(), nullable=False),
        sa.Column("rung", sa.SmallInteger(), nullable=False),
        sa.Column("plan", JSONB, nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approval_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verifying_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("place", JSONB, nullable=False),
        sa.Column("approver_groups", JSONB, nullable=False),
        sa.Column("undo_by", sa.Text(), nullable=False),
        sa.Column("undo_reason", sa.Text(), nullable=False),
        sa.Column("previous", sa.Uuid(), nullable=True),
        sa.Column("score_before", sa.Double(), nullable=True),
        sa.Column("score_after", sa.Double(), nullable=True),
        sa.Column("seconds_to_heal", sa.Double(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        schema="healing",
    )
    op.create_index("ix_run_created", "run", ["created_at", "id"], unique=False, schema="healing")
    op.create_index("ix_run_object", "run", ["kind", "namespace", "name", "created_at"], unique=False, schema="healing")
    op.create_index("ix_run_state", "run", ["state"], unique=False, schema="healing")
    op.create_index(
        "uq_run_active_target",
        "run",
        ["kind", "namespace", "name"],
        unique=True,
        schema="healing",
        postgresql_where=sa.text("state IN ('awaiting-approval', 'approved', 'running', 'verifying')"),
    )


def _shadow() -> None:
    op.create_table(
        "shadow",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("declined", sa.Boolean(), nullable=False),
        sa.Column("fits", sa.Boolean(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow")),
        schema="healing",
    )
    op.create_index("ix_shadow_at", "shadow", ["at"], unique=False, schema="healing")
    op.create_index(
        "uq_shadow_open",
        "shadow",
        ["rule", "code", "kind", "namespace", "name"],
        unique=True,
        schema="healing",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _tombstone() -> None:
    op.create_table(
        "tombstone",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("rule", "kind", "namespace", "name", "uid", name=op.f("pk_tombstone")),
        schema="healing",
    )
    op.create_index("ix_tombstone_object", "tombstone", ["kind", "namespace", "name"], unique=False, schema="healing")


def _change() -> None:
    op.create_table(
        "change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("path", JSONB, nullable=False),
        sa.Column("before", JSONB, nullable=True),
        sa.Column("after", JSONB, nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["healing.run.id"], name=op.f("fk_change_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
        schema="healing",
    )
    op.create_index(
        "ix_change_held",
        "change",
        ["until"],
        unique=False,
        schema="healing",
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index(op.f("ix_change_run_id"), "change", ["run_id"], unique=False, schema="healing")


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["healing.run.id"], name=op.f("fk_evidence_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        schema="healing",
    )
    op.create_index(
        "ix_evidence_object", "evidence", ["kind", "namespace", "name", "at"], unique=False, schema="healing"
    )
    op.create_index(op.f("ix_evidence_run_id"), "evidence", ["run_id"], unique=False, schema="healing")


def _manifest() -> None:
    op.create_table(
        "manifest",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["healing.run.id"], name=op.f("fk_manifest_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifest")),
        schema="healing",
    )
    op.create_index(op.f("ix_manifest_run_id"), "manifest", ["run_id"], unique=False, schema="healing")


def _step() -> None:
    op.create_table(
        "step",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", JSONB, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["healing.run.id"], name=op.f("fk_step_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_step")),
        schema="healing",
    )


# Entries are never changed, and go only behind an anchor, which has to say what they ended with.
_ONLY_ROTATED = """
CREATE FUNCTION healing.ledger_only_rotated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'ledger' THEN
        IF OLD.seq <= (SELECT max(seq) FROM healing.ledger_anchor) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING HINT = 'old entries are removed by rotation only; see the setting that says how long entries are kept';
END $$
"""
_ANCHOR_IS_TRUE = """
CREATE FUNCTION healing.ledger_anchor_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM healing.ledger WHERE seq = NEW.seq AND hash = NEW.hash) THEN
        RAISE EXCEPTION 'an anchor has to repeat the hash of an entry of the ledger';
    END IF;
    RETURN NEW;
END $$
"""
_PROTECTION = (
    """CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON healing.ledger
       FOR EACH ROW EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER never_emptied BEFORE TRUNCATE ON healing.ledger
       FOR EACH STATEMENT EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON healing.ledger_anchor
       FOR EACH ROW EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER never_emptied BEFORE TRUNCATE ON healing.ledger_anchor
       FOR EACH STATEMENT EXECUTE FUNCTION healing.ledger_only_rotated()""",
    """CREATE TRIGGER of_an_entry BEFORE INSERT ON healing.ledger_anchor
       FOR EACH ROW EXECUTE FUNCTION healing.ledger_anchor_is_true()""",
)

"""Intake, incidents, deliveries, clicks, silences, heartbeats and rehearsals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    _click()
    _election()
    _healing()
    _heartbeat()
    _inbox()
    _incident()
    _intake()
    _leader()
    _rehearsal()
    _storm()
    _used_link()
    _card()
    _delivery()
    _member()
    _silence()
    _tie()
    _timeline()
    _vote()
    op.execute("INSERT INTO alerts.leader (id, epoch, holder) VALUES (1, 0, '')")
    op.execute("INSERT INTO alerts.election (id, holder, expires_at) VALUES (1, '', '-infinity')")


def _click() -> None:
    op.create_table(
        "click",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_click")),
        schema="alerts",
    )
    op.create_index(
        "ix_click_waiting",
        "click",
        ["received_at"],
        unique=False,
        schema="alerts",
        postgresql_where=sa.text("done_at IS NULL"),
    )


def _election() -> None:
    op.create_table(
        "election",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_election_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_election")),
        schema="alerts",
    )


def _healing() -> None:
    op.create_table(
        "healing",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("kind", "namespace", "name", name=op.f("pk_healing")),
        schema="alerts",
    )
    op.create_index("ix_healing_at", "healing", ["at"], unique=False, schema="alerts")


def _heartbeat() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
        schema="alerts",
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        schema="alerts",
    )
    op.create_index("ix_inbox_done_at", "inbox", ["done_at"], unique=False, schema="alerts")
    op.create_index(
        "ix_inbox_waiting", "inbox", ["id"], unique=False, schema="alerts", postgresql_where=sa.text("done_at IS NULL")
    )


def _incident() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_namespace", sa.Text(), nullable=False),
        sa.Column("subject_name", sa.Text(), nullable=False),
        sa.Column("value", JSONB, nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["alerts.incident.id"], name=op.f("fk_incident_parent_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        schema="alerts",
    )
    op.create_index(
        "ix_incident_due",
        "incident",
        ["next_at"],
        unique=False,
        schema="alerts",
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("ix_incident_key", "incident", ["key", "opened_at"], unique=False, schema="alerts")
    op.create_index("ix_incident_listing", "incident", ["opened_at", "id"], unique=False, schema="alerts")
    op.create_index(op.f("ix_incident_parent_id"), "incident", ["parent_id"], unique=False, schema="alerts")
    op.create_index(
        "ix_incident_subject",
        "incident",
        ["subject_kind", "subject_namespace", "subject_name"],
        unique=False,
        schema="alerts",
    )
    op.create_index(
        "uq_incident_open",
        "incident",
        ["key"],
        unique=True,
        schema="alerts",
        postgresql_where=sa.text("state <> 'resolved'"),
    )


def _intake() -> None:
    op.create_table(
        "intake",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_intake")),
        schema="alerts",
    )


def _leader() -> None:
    op.create_table(
        "leader",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_leader_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leader")),
        schema="alerts",
    )


def _rehearsal() -> None:
    op.create_table(
        "rehearsal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("report", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rehearsal")),
        schema="alerts",
    )
    op.create_index("ix_rehearsal_listing", "rehearsal", ["started_at"], unique=False, schema="alerts")


def _storm() -> None:
    op.create_table(
        "storm",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("incidents", sa.Integer(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("apart", sa.Integer(), nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storm")),
        schema="alerts",
    )
    op.create_index(
        "uq_storm_now", "storm", ["channel"], unique=True, schema="alerts", postgresql_where=sa.text("ended_at IS NULL")
    )


def _used_link() -> None:
    op.create_table(
        "used_link",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_used_link")),
        schema="alerts",
    )


def _card() -> None:
    op.create_table(
        "card",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["alerts.incident.id"], name=op.f("fk_card_incident_id_incident"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel", "subject", name=op.f("pk_card")),
        schema="alerts",
    )
    op.create_index(op.f("ix_card_incident_id"), "card", ["incident_id"], unique=False, schema="alerts")


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("mentions", JSONB, nullable=False),
        sa.Column("loud", sa.Boolean(), nullable=False),
        sa.Column("quiet", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("conversation", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("error_reason", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fallback_of", sa.Uuid(), nullable=True),
        sa.Column("fallback_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["alerts.incident.id"], name=op.f("fk_delivery_incident_id_incident"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        schema="alerts",
    )
    op.create_index(
        "ix_delivery_card",
        "delivery",
        ["channel", "subject"],
        unique=False,
        schema="alerts",
        postgresql_where=sa.text("state IN ('queued', 'failed', 'sending')"),
    )
    op.create_index(
        "ix_delivery_dead",
        "delivery",
        ["channel"],
        unique=False,
        schema="alerts",
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["channel", "due_at"],
        unique=False,
        schema="alerts",
        postgresql_where=sa.text("state IN ('queued', 'failed', 'sending')"),
    )
    op.create_index("ix_delivery_incident", "delivery", ["incident_id", "number"], unique=False, schema="alerts")
    op.create_index("ix_delivery_listing", "delivery", ["number"], unique=False, schema="alerts")
    op.create_index("ix_delivery_message", "delivery", ["conversation", "message_id"], unique=False, schema="alerts")
    op.create_index(
        "ix_delivery_unconfirmed",
        "delivery",
        ["channel", "queued_at"],
        unique=False,
        schema="alerts",
        postgresql_where=sa.text(
            "fallback_at IS NULL AND state IN ('queued', 'failed', 'sending', 'accepted', 'dead')"
        ),
    )


def _member() -> None:
    op.create_table(
        "member",
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("alertname", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("alert", JSONB, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["alerts.incident.id"], name=op.f("fk_member_incident_id_incident"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "fingerprint", name=op.f("pk_member")),
        schema="alerts",
    )
    op.create_index("ix_member_fingerprint", "member", ["fingerprint", "starts_at"], unique=False, schema="alerts")
    op.create_index(
        "ix_member_firing",
        "member",
        ["starts_at", "incident_id", "fingerprint"],
        unique=False,
        schema="alerts",
        postgresql_where=sa.text("status = 'firing'"),
    )


def _silence() -> None:
    op.create_table(
        "silence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("matchers", JSONB, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_resolved", sa.Boolean(), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["alerts.incident.id"], name=op.f("fk_silence_incident_id_incident"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
        schema="alerts",
    )
    op.create_index(op.f("ix_silence_incident_id"), "silence", ["incident_id"], unique=False, schema="alerts")


def _tie() -> None:
    op.create_table(
        "tie",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reach", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["alerts.incident.id"], name=op.f("fk_tie_incident_id_incident"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", "incident_id", name=op.f("pk_tie")),
        schema="alerts",
    )
    op.create_index(op.f("ix_tie_incident_id"), "tie", ["incident_id"], unique=False, schema="alerts")


def _timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fingerprints", JSONB, nullable=False),
        sa.Column("details", JSONB, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["alerts.incident.id"], name=op.f("fk_timeline_incident_id_incident"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline")),
        schema="alerts",
    )
    op.create_index("ix_timeline_at", "timeline", ["at"], unique=False, schema="alerts")
    op.create_index("ix_timeline_incident", "timeline", ["incident_id", "id"], unique=False, schema="alerts")


def _vote() -> None:
    op.create_table(
        "vote",
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("alertname", sa.Text(), nullable=False),
        sa.Column("noisy", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["alerts.incident.id"], name=op.f("fk_vote_incident_id_incident"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "person", name=op.f("pk_vote")),
        schema="alerts",
    )

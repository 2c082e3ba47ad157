"""The tables of schema `alerts`, as SQLAlchemy Core."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from common.database.columns import election_table, epochs_table, instant, object_key, string
from common.database.naming import metadata as metadata_of

SCHEMA = "alerts"

metadata = metadata_of(SCHEMA)

leader = epochs_table("leader", metadata)
election = election_table(metadata)

# What came in, as it came, stored before it is acknowledged. `done_at` is null until it has taken effect.
inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    string("source"),  # alertmanager, health or healing
    string("key"),  # the same for the same content: retries and peers repeat themselves
    Column("body", LargeBinary, nullable=False),
    instant("received_at"),
    instant("done_at", nullable=True),
    string("error", nullable=True),  # why it took no effect
    Index("ix_inbox_waiting", "id", postgresql_where=text("done_at IS NULL")),
    Index("ix_inbox_done_at", "done_at"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", Uuid, primary_key=True),
    string("key"),
    string("source"),
    string("group_key"),
    string("state"),
    string("severity"),
    string("title"),
    Column("revision", Integer, nullable=False),
    instant("opened_at"),
    instant("changed_at"),
    instant("resolved_at", nullable=True),
    instant("next_at", nullable=True),  # when a timer of it is due
    Column("parent_id", Uuid, ForeignKey("incident.id"), nullable=True, index=True),
    string("cluster"),
    string("subject_kind"),
    string("subject_namespace"),
    string("subject_name"),
    Column("value", JSONB, nullable=False),  # the incident without its members
    # One incident is open for each group.
    Index("uq_incident_open", "key", unique=True, postgresql_where=text("state <> 'resolved'")),
    Index("ix_incident_key", "key", "opened_at"),
    Index("ix_incident_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    Index("ix_incident_listing", "opened_at", "id"),
    Index("ix_incident_subject", "subject_kind", "subject_namespace", "subject_name"),
)

# The alerts of an incident, each in its newest episode.
member = Table(
    "member",
    metadata,
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    string("fingerprint", primary_key=True),
    string("alertname"),
    string("status"),
    string("severity"),
    instant("starts_at"),
    instant("ends_at", nullable=True),
    instant("joined_at"),
    instant("seen_at"),
    Column("revision", Integer, nullable=False),  # of the incident, when it joined
    Column("alert", JSONB, nullable=False),
    Index("ix_member_fingerprint", "fingerprint", "starts_at"),
    Index("ix_member_firing", "starts_at", "incident_id", "fingerprint", postgresql_where=text("status = 'firing'")),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    instant("at"),
    string("kind"),
    string("by"),
    string("text"),
    Column("fingerprints", JSONB, nullable=False),
    Column("details", JSONB, nullable=False),
    Index("ix_timeline_incident", "incident_id", "id"),
    Index("ix_timeline_at", "at"),
)

# Every message, from queued to the press of its button.
delivery = Table(
    "delivery",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False),  # in the order of queueing
    string("channel"),
    string("kind"),
    string("reason"),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=True),
    string("subject"),  # which card it is about: the incident's id, `storm:<id>`, or its own id
    string("text"),
    Column("mentions", JSONB, nullable=False),
    Column("loud", Boolean, nullable=False),
    Column("quiet", Boolean, nullable=False),
    string("state"),
    Column("revision", Integer, nullable=True),  # of the incident, as sent
    Column("attempts", Integer, nullable=False),
    instant("received_at", nullable=True),  # when what led to it came in
    instant("queued_at"),
    instant("due_at"),
    instant("sent_at", nullable=True),  # the last attempt
    instant("accepted_at", nullable=True),
    instant("posted_at", nullable=True),
    instant("acted_at", nullable=True),
    string("conversation", nullable=True),
    string("message_id", nullable=True),
    string("error_reason", nullable=True),
    string("error", nullable=True),
    Column("fallback_of", Uuid, nullable=True),
    instant("fallback_at", nullable=True),  # when another channel was asked to stand in
    Index("ix_delivery_due", "channel", "due_at", postgresql_where=text("state IN ('queued', 'failed', 'sending')")),
    Index("ix_delivery_dead", "channel", postgresql_where=text("state = 'dead'")),
    Index("ix_delivery_card", "channel", "subject", postgresql_where=text("state IN ('queued', 'failed', 'sending')")),
    Index("ix_delivery_incident", "incident_id", "number"),
    Index("ix_delivery_listing", "number"),
    Index("ix_delivery_message", "conversation", "message_id"),
    Index(
        "ix_delivery_unconfirmed",
        "channel",
        "queued_at",
        postgresql_where=text("fallback_at IS NULL AND state IN ('queued', 'failed', 'sending', 'accepted', 'dead')"),
    ),
)

# Where a card is on a channel, so that it can be changed in place.
card = Table(
    "card",
    metadata,
    string("channel", primary_key=True),
    string("subject", primary_key=True),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), nullable=True, index=True),
    string("conversation"),
    string("message_id"),
    Column("revision", Integer, nullable=False),
    instant("posted_at"),
)

# What incidents may have in common, so that those that belong together find each other by an index.
tie = Table(
    "tie",
    metadata,
    string("key", primary_key=True),  # such as node:prod/node-7
    Column("reach", Integer, nullable=False),  # how much of the cluster the incident is about
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True, index=True),
)

# What auto_healing last told of each object: an incident about it may open later.
healing = Table(
    "healing",
    metadata,
    *object_key(primary_key=True),
    instant("at"),
    Column("value", JSONB, nullable=False),
    Index("ix_healing_at", "at"),
)

# How many incidents have begun to escalate by round robin: the next person of each is found by it.
rota = Table(
    "rota",
    metadata,
    string("escalation", primary_key=True),
    Column("taken", BigInteger, nullable=False),
)

storm = Table(
    "storm",
    metadata,
    Column("id", Uuid, primary_key=True),
    string("channel"),
    instant("started_at"),
    instant("ended_at", nullable=True),
    instant("changed_at"),
    Column("incidents", Integer, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("apart", Integer, nullable=False),  # critical incidents with a card of their own
    Column("counts", JSONB, nullable=False),  # by namespace, node and alertname
    Index("uq_storm_now", "channel", unique=True, postgresql_where=text("ended_at IS NULL")),
)

# A press of a button, stored before it is acknowledged. The id is what the vendor signed: a replay has the same.
click = Table(
    "click",
    metadata,
    string("id", primary_key=True),
    instant("received_at"),
    instant("done_at", nullable=True),
    Column("payload", JSONB, nullable=False),
    Column("incident_id", Uuid, nullable=True),
    string("person", nullable=True),
    string("answer", nullable=True),
    Index("ix_click_waiting", "received_at", postgresql_where=text("done_at IS NULL")),
)

# Signed links that were used: each acts once.
used_link = Table(
    "used_link",
    metadata,
    string("id", primary_key=True),
    instant("used_at"),
    instant("expires_at"),
    string("person"),
    string("answer"),
)

# Silences in Alertmanager that were made here.
silence = Table(
    "silence",
    metadata,
    string("id", primary_key=True),
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="SET NULL"), nullable=True, index=True),
    Column("matchers", JSONB, nullable=False),
    string("created_by"),
    string("comment"),
    instant("created_at"),
    instant("starts_at"),
    instant("ends_at"),
    Column("until_resolved", Boolean, nullable=False),
    instant("reminded_at", nullable=True),
    instant("ended_at", nullable=True),
)

heartbeat = Table(
    "heartbeat",
    metadata,
    string("name", primary_key=True),
    instant("heard_at"),
    instant("missing_since", nullable=True),
)

vote = Table(
    "vote",
    metadata,
    Column("incident_id", Uuid, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    string("person", primary_key=True),
    string("alertname"),
    Column("noisy", Boolean, nullable=False),
    instant("at"),
)

# Rehearsals and canaries, with what arrived when.
rehearsal = Table(
    "rehearsal",
    metadata,
    Column("id", Uuid, primary_key=True),
    string("kind"),  # rehearsal or canary
    instant("started_at"),
    instant("ended_at", nullable=True),
    Column("passed", Boolean, nullable=True),
    Column("report", JSONB, nullable=False),
    Index("ix_rehearsal_listing", "started_at"),
)

# One row for each source that is read by cursor.
intake = Table(
    "intake",
    metadata,
    string("source", primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    instant("heard_at", nullable=True),
)

"""Intake, runs, ledger, evidence, temporary changes, pauses, cleanup and what was observed."""

from alembic import op

from auto_healing.storage.models import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    op.execute("INSERT INTO healing.leader (id, epoch, holder) VALUES (1, 0, '')")
    op.execute("INSERT INTO healing.election (id, holder, expires_at) VALUES (1, '', '-infinity')")
    op.execute("INSERT INTO healing.intake (id, cursor) VALUES (1, 0)")

"""Intake, incidents, deliveries, clicks, silences, heartbeats and rehearsals."""

from alembic import op

from alert_service.storage.models import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    op.execute("INSERT INTO alerts.leader (id, epoch, holder) VALUES (1, 0, '')")
    op.execute("INSERT INTO alerts.election (id, holder, expires_at) VALUES (1, '', '-infinity')")

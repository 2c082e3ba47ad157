"""How far alert_service was told, and who passed an approval on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "notified",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_notified_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notified")),
        schema="healing",
    )
    op.execute("INSERT INTO healing.notified (id) VALUES (1)")
    op.add_column("run", sa.Column("vouched_by", sa.Text, nullable=False, server_default=""), schema="healing")

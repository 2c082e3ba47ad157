"""Whose turn it is in escalations by round robin."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "rota",
        sa.Column("escalation", sa.Text(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("escalation", name=op.f("pk_rota")),
        schema="alerts",
    )

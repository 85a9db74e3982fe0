"""Budgets that workers lease from, that tell of themselves, and that degrade before they refuse."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Tables more, and columns that older code leaves empty."""
    op.add_column("budgets", sa.Column("name", sa.Text))
    op.add_column("budgets", sa.Column("degrade", JSON))
    op.create_table(
        "budget_leases",
        sa.Column("budget_id", sa.Text, nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("renewed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("budget_id", "starts_at", "worker"),
    )
    op.create_table(
        "alerts",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", MOMENT),
        sa.PrimaryKeyConstraint("event_id", "channel"),
    )
    op.create_index("ix_alerts_due", "alerts", ["due_at"])


def downgrade() -> None:
    """Without them."""
    for table in ("alerts", "budget_leases"):
        op.drop_table(table)
    for name in ("degrade", "name"):
        op.drop_column("budgets", name)

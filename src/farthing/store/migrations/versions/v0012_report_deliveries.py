"""Reports that wait for their channels, and why a channel did not take what it was given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """A table and a column that older code does not know."""
    op.create_table(
        "report_deliveries",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("event_id", "channel")),
        sa.Column("payload", JSON, nullable=False),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("created_at", "due_at")),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", MOMENT),
        sa.Column("failure", sa.Text),
    )
    op.create_index("ix_report_deliveries_due", "report_deliveries", ["due_at"])
    op.add_column("alerts", sa.Column("failure", sa.Text))


def downgrade() -> None:
    """Without them."""
    op.drop_column("alerts", "failure")
    op.drop_table("report_deliveries")

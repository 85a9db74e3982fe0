"""Answers of two models to the same question, and what a judge thought of both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
IDENTIFIER = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")
TEXTS = ("tenant", "rule", "pattern", "served_model", "other_model", "baseline_model", "source")


def upgrade() -> None:
    """A table that older code does not know."""
    op.create_table(
        "comparisons",
        sa.Column("request_id", IDENTIFIER, nullable=False),
        sa.Column("other_request_id", IDENTIFIER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in TEXTS),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("served_quality", "other_quality")),
        sa.Column("short", sa.Double),
        sa.Column("cost", sa.BigInteger),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("ix_comparisons_created", "comparisons", ["created_at"])
    op.create_index("ix_comparisons_rule", "comparisons", ["rule", "created_at"])


def downgrade() -> None:
    """Without it."""
    op.drop_table("comparisons")

"""What is learned from, and what was learned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IDENTIFIER = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    """Tables and a column that older code does not know."""
    op.create_table(
        "lessons",
        sa.Column("request_id", IDENTIFIER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "model")),
        sa.Column("cost", sa.BigInteger),
        sa.Column("cache_key", sa.Text),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("ix_lessons_created", "lessons", ["created_at"])
    op.create_index("ix_lessons_cache_key", "lessons", ["cache_key"])
    op.create_table(
        "learning_snapshots",
        sa.Column("snapshot_id", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("summary", JSON, nullable=False),
        sa.Column("payload", sa.LargeBinary),
        sa.PrimaryKeyConstraint("snapshot_id"),
    )
    op.create_index("ix_learning_snapshots_created", "learning_snapshots", ["created_at"])
    op.add_column("response_feedback", sa.Column("answer_key", sa.Text))
    op.create_index("ix_response_feedback_created", "response_feedback", ["created_at"])
    op.create_index("ix_response_feedback_answer", "response_feedback", ["answer_key"])


def downgrade() -> None:
    """Without them."""
    for index in ("ix_response_feedback_answer", "ix_response_feedback_created"):
        op.drop_index(index, table_name="response_feedback")
    op.drop_column("response_feedback", "answer_key")
    for table in ("learning_snapshots", "lessons"):
        op.drop_table(table)

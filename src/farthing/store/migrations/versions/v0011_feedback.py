"""Whose opinion a rating is, what kind of question it is about, and who asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Columns that older code does not know."""
    op.add_column("response_feedback", sa.Column("source", sa.Text, nullable=False, server_default="explicit"))
    op.add_column("response_feedback", sa.Column("pattern", sa.Text))
    for name in ("asker", "context"):
        op.add_column("lessons", sa.Column(name, sa.Text))
    op.add_column("lessons", sa.Column("answered_at", MOMENT))
    op.create_index("ix_lessons_asker", "lessons", ["asker", "answered_at"])


def downgrade() -> None:
    """Without them, and without what no person has said."""
    feedback = sa.table("response_feedback", sa.column("source"))
    op.execute(sa.delete(feedback).where(feedback.c.source != "explicit"))
    op.drop_index("ix_lessons_asker", table_name="lessons")
    for column in ("answered_at", "context", "asker"):
        op.drop_column("lessons", column)
    for column in ("pattern", "source"):
        op.drop_column("response_feedback", column)

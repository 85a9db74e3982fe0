"""What a cascade has found of its first answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """A column that older code does not know, and an index over the rows that have it."""
    op.add_column("lessons", sa.Column("checked", JSON))
    is_checked = sa.column("checked").is_not(None)
    op.create_index(
        "ix_lessons_checked", "lessons", ["created_at"], sqlite_where=is_checked, postgresql_where=is_checked
    )


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_lessons_checked", table_name="lessons")
    op.drop_column("lessons", "checked")

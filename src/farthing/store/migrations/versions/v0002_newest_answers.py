"""Kept answers can be read from the newest on."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index more; older code does not notice."""
    op.create_index("ix_response_cache_created", "response_cache", ["created_at"])


def downgrade() -> None:
    """Without it."""
    op.drop_index("ix_response_cache_created", "response_cache")

"""The requests of a session are found without reading the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index over the rows that have a session; older code does not notice."""
    has_session = sa.column("session").is_not(None)
    op.create_index(
        "ix_requests_session",
        "requests",
        ["session", "created_at", "request_id"],
        sqlite_where=has_session,
        postgresql_where=has_session,
    )


def downgrade() -> None:
    """Without it."""
    op.drop_index("ix_requests_session", table_name="requests")

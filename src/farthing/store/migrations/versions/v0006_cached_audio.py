"""Audio that was read from a vendor's cache is a token class of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column that older code leaves at its default; older rows have such tokens among the cached ones."""
    op.add_column("requests", sa.Column("cached_audio_tokens", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    """Without it; the tokens count as cached, as older code counts them."""
    op.execute("UPDATE requests SET cached_tokens = cached_tokens + cached_audio_tokens WHERE cached_audio_tokens > 0")
    op.drop_column("requests", "cached_audio_tokens")

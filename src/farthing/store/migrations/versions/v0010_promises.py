"""What was found of promises."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0011"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """A table that older code does not know."""
    op.create_table(
        "promises",
        sa.Column("rule", sa.Text, nullable=False),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("tested_at", "since")),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("points", "confidence")),
        sa.Column("baseline", sa.Text, nullable=False),
        sa.Column("pairs", sa.BigInteger, nullable=False),
        sa.Column("margin", sa.Double),
        sa.Column("challengers", JSON, nullable=False),
        sa.Column("share", sa.Double, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("loss", "most")),
        sa.PrimaryKeyConstraint("rule"),
    )


def downgrade() -> None:
    """Without it."""
    op.drop_table("promises")

"""Rates and requests under way, counted where there is no Redis; answers that an idempotency key names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Tables that older code does not know."""
    op.create_table(
        "rates",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("arrival_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "slots",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.Column("renewed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", "worker"),
    )
    op.create_table(
        "idempotent_answers",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_idempotent_answers_expires", "idempotent_answers", ["expires_at"])


def downgrade() -> None:
    """Without them."""
    for table in ("idempotent_answers", "slots", "rates"):
        op.drop_table(table)

"""What tenants pay since when, and what one request of a key may cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """A table and a column that older code does not know: it puts nothing on record, and heeds no such bound."""
    op.create_table(
        "plan_terms",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("plan", sa.Text),
        sa.Column("price", sa.BigInteger),
        sa.Column("markup", sa.BigInteger),
        sa.PrimaryKeyConstraint("tenant", "since"),
    )
    op.add_column("keys", sa.Column("max_cost", sa.BigInteger))


def downgrade() -> None:
    """Without them."""
    op.drop_column("keys", "max_cost")
    op.drop_table("plan_terms")

"""Experiments and the results of their requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Tables that older code does not know."""
    op.create_table(
        "experiments",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("experiment_id", "tenant", "status")),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.Column("definition", JSON, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
            for name in ("n", "duplicates", "invalid", "ratings")
        ),
        sa.Column("lost", JSON),
        sa.Column("decided_n", sa.BigInteger),
        sa.Column("verdict", JSON),
        sa.Column("aftermath", JSON),
        sa.Column("rolled_back_at", MOMENT),
        sa.Column("rolled_back_for", sa.Text),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id"),
    )
    op.create_index("ix_experiments_changed", "experiments", ["changed"])
    op.create_index("ix_experiments_status", "experiments", ["status"])
    op.create_index("ix_experiments_tenant_created", "experiments", ["tenant", "created_at", "experiment_id"])
    op.create_table(
        "experiment_results",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("experiment_id", "request_id")),
        sa.Column("seq", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("user_id", "arm")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("phase", "cost", "latency_us")),
        sa.Column("quality", sa.BigInteger),
        sa.Column("is_error", sa.Boolean, nullable=False),
        sa.Column("covariate", sa.BigInteger),
        *(sa.Column(name, sa.Text) for name in ("provider", "model")),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "request_id"),
        sa.UniqueConstraint("experiment_id", "seq", name="uq_experiment_results_seq"),
    )


def downgrade() -> None:
    """Without them."""
    for table in ("experiment_results", "experiments"):
        op.drop_table(table)

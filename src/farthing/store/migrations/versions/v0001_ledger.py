"""The ledger, its sums, kept answers and their votes, keys and budgets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
IDENTIFIER = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Into an empty schema, or beside other people's tables."""
    _create_requests()
    _create_value_metrics()
    _create_answers()
    _create_tenancy()


def _create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("request_id", IDENTIFIER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("status", "route", "dialect", "tenant")),
        *(sa.Column(name, sa.Text) for name in ("key_id", "team", "user_id", "session", "app")),
        sa.Column("requested_model", sa.Text, nullable=False),
        sa.Column("stream", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("provider", "model", "upstream_id", "strategy", "tier")),
        sa.Column("score", sa.Double),
        *(sa.Column(name, sa.Text) for name in ("confidence", "reason", "experiment_id", "arm")),
        *(
            sa.Column(f"{name}_tokens", sa.BigInteger, nullable=False)
            for name in ("prompt", "cached", "cache_write_5m", "cache_write_1h", "audio_in", "image_in")
        ),
        *(
            sa.Column(f"{name}_tokens", sa.BigInteger, nullable=False)
            for name in ("completion", "reasoning", "audio_out", "image_out")
        ),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("cost", sa.BigInteger),
        sa.Column("baseline_cost", sa.BigInteger),
        sa.Column("price_version", sa.Text),
        sa.Column("cache", sa.Text, nullable=False),
        sa.Column("cache_level", sa.Text),
        sa.Column("cache_key", sa.Text),
        sa.Column("http_status", sa.BigInteger, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("finish", sa.Text),
        sa.Column("duration_us", sa.BigInteger, nullable=False),
        sa.Column("first_token_us", sa.BigInteger),
        sa.Column("upstream_us", sa.BigInteger, nullable=False),
        sa.Column("savings", sa.BigInteger, nullable=False),
        *(sa.Column(name, JSON) for name in ("tags", "decision", "attempts")),
        sa.PrimaryKeyConstraint("request_id", "created_at"),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("ix_requests_created", "requests", ["created_at", "request_id"])
    op.create_index("ix_requests_tenant_created", "requests", ["tenant", "created_at", "request_id"])


def _create_value_metrics() -> None:
    counters = ("requests", "errors", "cache_hits", "tokens_in", "tokens_out")
    money = ("cost", "unpriced", "baseline_cost", "savings", "duration_us")
    op.create_table(
        "value_metrics",
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("grain", sa.SmallInteger, nullable=False),
        sa.Column("bucket", MOMENT, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in (*counters, *money)),
        sa.PrimaryKeyConstraint("dimension", "grain", "bucket", "tenant", "value"),
        sqlite_with_rowid=False,
    )


def _create_answers() -> None:
    op.create_table(
        "response_cache",
        sa.Column("key", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "provider", "model")),
        *(sa.Column(name, sa.Text) for name in ("strategy", "tier")),
        sa.Column("prompt", sa.Text, nullable=False),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("created_at", "expires_at")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("hits", "saved")),
        sa.Column("score", sa.Double),
        sa.Column("votes", sa.BigInteger, nullable=False),
        sa.Column("invalidated", sa.Boolean, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_response_cache_expires", "response_cache", ["expires_at"])
    op.create_index(
        "ix_response_cache_invalidated",
        "response_cache",
        ["key"],
        postgresql_where=sa.text("invalidated"),
        sqlite_where=sa.text("invalidated IS 1"),
    )
    op.create_table(
        "response_feedback",
        sa.Column("feedback_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("principal", "cache_key")),
        sa.Column("request_id", IDENTIFIER),
        sa.Column("quality", sa.Double, nullable=False),
        *(sa.Column(name, sa.Boolean) for name in ("is_correct", "is_helpful")),
        *(sa.Column(name, sa.Text) for name in ("comment", "provider", "model", "strategy", "tier")),
        sa.PrimaryKeyConstraint("feedback_id"),
        sa.UniqueConstraint("cache_key", "principal", name="uq_response_feedback_vote"),
        sa.UniqueConstraint("request_id", "principal", name="uq_response_feedback_rating"),
    )


def _create_tenancy() -> None:
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "hint", "tenant")),
        *(sa.Column(name, sa.Text) for name in ("team", "user_id")),
        sa.Column("allowed_models", JSON),
        sa.Column("is_admin", sa.Boolean, nullable=False),
        sa.Column("cache", sa.Boolean),
        sa.Column("is_blocked", sa.Boolean, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.PrimaryKeyConstraint("key_id"),
        sa.UniqueConstraint("digest", name="uq_keys_digest"),
    )
    op.create_table(
        "budgets",
        sa.Column("budget_id", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "scope", "subject", "period")),
        sa.Column("limit_nano", sa.BigInteger, nullable=False),
        sa.Column("is_hard", sa.Boolean, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("budget_id"),
    )


def downgrade() -> None:
    """Takes everything that Farthing made, and nothing else."""
    for table in ("budgets", "keys", "response_feedback", "response_cache", "value_metrics", "requests"):
        op.drop_table(table)

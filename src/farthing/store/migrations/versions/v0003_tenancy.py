"""Tenants, teams, people and their sessions, what keys may do, and providers' keys at rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")


def upgrade() -> None:
    """Tables more, and columns that older code leaves empty."""
    op.add_column("keys", sa.Column("role", sa.Text))
    op.add_column("keys", sa.Column("created_by", sa.Text))
    for name in LIMITS:
        op.add_column("keys", sa.Column(name, sa.BigInteger))
    op.create_table(
        "tenants",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "name")),
        sa.Column("plan", sa.Text),
        sa.Column("is_blocked", sa.Boolean, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "teams",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "team", "name")),
        *(sa.Column(name, sa.BigInteger) for name in LIMITS),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "team"),
    )
    _create_people()
    op.create_table(
        "provider_credentials",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant", "credential_id", "provider", "origin")),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "credential_id"),
        sa.UniqueConstraint("tenant", "provider", name="uq_provider_credentials_provider"),
    )


def _create_people() -> None:
    op.create_table(
        "people",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("person_id", "tenant", "issuer", "subject", "role")),
        *(sa.Column(name, sa.Text) for name in ("team", "email", "name")),
        sa.Column("is_blocked", sa.Boolean, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
        sa.UniqueConstraint("issuer", "subject", name="uq_people_subject"),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("person_id", sa.Text, nullable=False),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("created_at", "seen_at", "expires_at")),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_sessions_person", "sessions", ["person_id"])


def downgrade() -> None:
    """Without them."""
    for table in ("provider_credentials", "sessions", "people", "teams", "tenants"):
        op.drop_table(table)
    for name in (*reversed(LIMITS), "created_by", "role"):
        op.drop_column("keys", name)

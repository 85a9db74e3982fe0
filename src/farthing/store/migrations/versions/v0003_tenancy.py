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
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name"),
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
    _extend_keys()


def _extend_keys() -> None:
    """Last, for from here on whoever reads keys waits until all of this is committed."""
    for name, kind in (("role", sa.Text), ("created_by", sa.Text), ("revoked_at", MOMENT), ("changed", sa.BigInteger)):
        op.add_column("keys", sa.Column(name, kind))
    for name in LIMITS:
        op.add_column("keys", sa.Column(name, sa.BigInteger))
    op.create_index("ix_keys_changed", "keys", ["changed"])
    _take_over()


def _take_over() -> None:
    """What older code has: keys that it blocked were revoked, and their owners are tenants and teams by name alone."""
    op.execute("UPDATE keys SET changed = 0")
    op.execute("UPDATE keys SET revoked_at = created_at WHERE is_blocked")
    op.execute(
        "INSERT INTO tenants (tenant, name, is_blocked, created_at)"
        " SELECT tenant, tenant, false, min(created_at) FROM keys GROUP BY tenant"
    )
    op.execute(
        "INSERT INTO teams (tenant, team, name, created_at)"
        " SELECT tenant, team, team, min(created_at) FROM keys WHERE team IS NOT NULL GROUP BY tenant, team"
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
    for table in ("provider_credentials", "sessions", "people", "counters", "teams", "tenants"):
        op.drop_table(table)
    op.drop_index("ix_keys_changed", "keys")
    for name in (*reversed(LIMITS), "changed", "revoked_at", "created_by", "role"):
        op.drop_column("keys", name)

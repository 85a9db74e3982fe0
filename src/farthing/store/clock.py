"""The time as the database tells it: the clocks of workers may differ by more than a turn lasts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import sqlalchemy as sa

NOW_US: Mapping[str, sa.ColumnElement[int]] = MappingProxyType(
    {
        "postgresql": sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger),
        "sqlite": sa.literal_column("CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)", sa.BigInteger),
    }
)
"""Microseconds since 1970 in UTC, by the backend's name. Goes on within a transaction."""

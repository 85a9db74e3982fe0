"""How the month is read."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from farthing.ports import Stretch
from farthing.store.queries.month import estimates


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_estimates_are_found_without_reading_other_rows(migrated_file: Path, tenant: str | None) -> None:
    """SQLite takes the index of estimates only for a query that says it in the index's own words."""
    asked = estimates(tenant, Stretch(1_793_491_200_000_000, 1_796_083_200_000_000))
    sql = asked.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with contextlib.closing(sqlite3.connect(migrated_file)) as connection:
        plan = [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert plan == ["SEARCH requests USING INDEX ix_requests_estimated (created_at>? AND created_at<?)"]

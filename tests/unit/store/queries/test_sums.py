"""A stretch of time is covered by few buckets, exactly."""

from __future__ import annotations

import contextlib
import sqlite3
from itertools import pairwise

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from farthing.ports import Stretch
from farthing.store.aggregates import MINUTE_US
from farthing.store.queries.sums import LAST_US, Sums, covered, pieces
from farthing.store.schema import value_metrics
from tests.conformance.store.samples import DAY_US, HOUR_US, NOON_US

MOMENTS = st.integers(0, 2 * 10**15)


@given(first=MOMENTS, second=MOMENTS)
def test_the_pieces_cover_the_minutes_touched_once(first: int, second: int) -> None:
    """One piece follows the other from the first minute to the last, each aligned to its grain, few in number."""
    start, end = sorted((first, second))
    found = pieces(Stretch(start, end))
    if start == end and start % MINUTE_US == 0:
        assert found == []
        return
    assert found[0][1] == start - start % MINUTE_US
    assert found[-1][2] == end + -end % MINUTE_US
    assert all(before[2] == after[1] for before, after in pairwise(found))
    assert all(first % (grain * MINUTE_US) == last % (grain * MINUTE_US) == 0 for grain, first, last in found)
    assert sum((last - first) // (grain * MINUTE_US) for grain, first, last in found if grain < 1440) <= 2 * (59 + 23)
    assert len(found) <= 5


def test_the_pieces_of_a_working_week() -> None:
    """Minutes to the hour, hours to midnight, days, and the same way down again."""
    start, end = NOON_US - 30 * MINUTE_US, NOON_US + 2 * DAY_US + HOUR_US + 1
    assert pieces(Stretch(start, end)) == [
        (1, start, NOON_US),
        (60, NOON_US, NOON_US + 12 * HOUR_US),
        (1440, NOON_US + 12 * HOUR_US, NOON_US + 36 * HOUR_US),
        (60, NOON_US + 36 * HOUR_US, NOON_US + 49 * HOUR_US),
        (1, NOON_US + 49 * HOUR_US, NOON_US + 49 * HOUR_US + MINUTE_US),
    ]


def test_open_ends_need_days_only() -> None:
    """All time is one piece."""
    assert pieces(Stretch()) == [(1440, 0, LAST_US)]
    assert pieces(Stretch(5, 5 - 10**18)) == []


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_each_piece_is_found_by_the_key_of_the_table(tenant: str | None) -> None:
    """SQLite looks for grain and moments in the index, and so reads no bucket that was not asked for."""
    stretch = Stretch(NOON_US - 30 * MINUTE_US, NOON_US + 2 * DAY_US + HOUR_US + 1)
    rows = covered(["model", "total"], tenant, pieces(stretch))
    asked = sa.select(rows.c.value, sa.func.sum(rows.c.cost)).group_by(rows.c.value)
    sql = asked.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(str(sa.schema.CreateTable(value_metrics).compile(dialect=sqlite.dialect())))
        plan = [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    searches = [step for step in plan if "value_metrics" in step]
    assert len(searches) == 5
    assert all("(dimension=? AND grain=? AND bucket>? AND bucket<?)" in step for step in searches)


def test_sums_add_and_subtract_field_by_field() -> None:
    """And nothing divided by nothing is nothing."""
    some = Sums(*range(1, 11))
    assert some + some - some == some
    assert (some.avg_latency_ms, Sums().avg_latency_ms) == (0.01, 0.0)

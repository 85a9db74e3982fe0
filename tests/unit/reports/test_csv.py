"""The report as CSV."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.reports.csv import COLUMNS, write
from tests.unit.reports.months import CHARGE, MadeUp, whole

NANO = st.integers(-(10**15), 10**18)


async def rows(month: MadeUp) -> list[dict[str, str]]:
    """The file as a spreadsheet reads it."""
    return list(csv.DictReader(io.StringIO((await whole(write(month))).decode())))


async def test_a_charge_is_a_row() -> None:
    """Its day, names, tags as JSON, and amounts to the nano-dollar."""
    (row,) = await rows(MadeUp([CHARGE]))
    assert row == {
        "day": "2026-11-02",
        "tenant": "acme",
        "provider": "openai",
        "model": "small",
        "key": "key-1",
        "team": "support",
        "tags": '{"feature": "triage"}',
        "basis": "counted",
        "requests": "3",
        "tokens_in": "700",
        "tokens_out": "300",
        "cost_usd": "1.234567891",
        "baseline_cost_usd": "2.00",
        "savings_usd": "0.765432109",
    }


async def test_an_unknown_cost_is_an_empty_cell() -> None:
    """Unknown is never zero; and what has no value is empty."""
    (row,) = await rows(MadeUp([replace(CHARGE, basis="unpriced", cost=0, team=None, tags=())]))
    assert (row["cost_usd"], row["team"], row["tags"]) == ("", "", "")


async def test_a_month_without_requests_is_a_header() -> None:
    """The columns stand in every file."""
    assert await whole(write(MadeUp())) == ",".join(COLUMNS).encode() + b"\n"


@given(st.lists(st.tuples(NANO, NANO, NANO), max_size=20))
async def test_no_nano_dollar_is_lost(amounts: list[tuple[int, int, int]]) -> None:
    """The cells sum to what the charges sum to."""
    charges = [replace(CHARGE, cost=cost, baseline_cost=base, savings=saved) for cost, base, saved in amounts]
    found = await rows(MadeUp(charges[:7], charges[7:]))
    for place, column in enumerate(("cost_usd", "baseline_cost_usd", "savings_usd")):
        assert sum(Decimal(row[column]) for row in found) * 10**9 == sum(each[place] for each in amounts)

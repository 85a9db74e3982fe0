"""Calendar months by their names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from farthing.domain.budget import Span
from farthing.domain.months import last_due, month_before, month_span, month_title


def at(text: str) -> int:
    """A moment in UTC as microseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def test_a_month_has_a_beginning_an_end_a_predecessor_and_a_title() -> None:
    """Over the end of the year, and in a leap year."""
    assert month_span("2026-12") == Span(at("2026-12-01"), at("2027-01-01"))
    assert month_span("2028-02") == Span(at("2028-02-01"), at("2028-03-01"))
    assert (month_before("2026-01"), month_before("2026-12")) == ("2025-12", "2026-11")
    assert month_title("2026-01") == "January 2026"


@pytest.mark.parametrize(
    ("now", "day", "hour", "due"),
    [
        ("2026-11-01T00:00:00", 1, 0, "2026-10"),
        ("2026-10-31T23:59:59", 1, 0, "2026-09"),
        ("2026-11-05T05:59:59", 5, 6, "2026-09"),
        ("2026-11-05T06:00:00", 5, 6, "2026-10"),
        ("2026-01-28T22:59:59", 28, 23, "2025-11"),
        ("2026-01-28T23:00:00", 28, 23, "2025-12"),
    ],
)
def test_a_months_report_is_due_in_the_month_after(now: str, day: int, hour: int, due: str) -> None:
    """From the hour on, to the second; until then it is the month before."""
    assert last_due(at(now), day=day, hour=hour) == due

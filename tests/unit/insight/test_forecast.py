"""This month's forecast beside what it would have been in months before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from farthing.domain.budget import DAY_US
from farthing.insight.forecast import told


def moment(*parts: int) -> int:
    """Microseconds since 1970 of a moment in UTC."""
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type,misc]


def test_a_steady_spender() -> None:
    """Ten a day since August: each month ends where it was foretold on its eleventh."""
    first, today = moment(2026, 8, 1), moment(2026, 11, 11)
    costs = dict.fromkeys(range(first, today, DAY_US), 10) | {today: 4}
    found = told(costs, today + 3_600_000_000)
    assert (found.month, found.spent, found.days) == ("2026-11", 104, 102)
    assert found.forecast is not None
    assert found.forecast.expected == pytest.approx(300)
    past = [(one.month, one.actual, round(one.forecast.expected), round(one.error_percent, 9)) for one in found.past]
    assert past == [("2026-10", 310, 310, 0.0), ("2026-09", 300, 300, 0.0), ("2026-08", 310, 310, 0.0)]


def test_a_month_that_doubles_is_foretold_too_low() -> None:
    """The error says by how much, and which way."""
    first, rise, today = moment(2026, 9, 1), moment(2026, 10, 16), moment(2026, 11, 16)
    costs = {day: 10 if day < rise else 20 for day in range(first, today, DAY_US)}
    newest = told(costs, today).past[0]
    assert (newest.month, newest.actual) == ("2026-10", 150 + 16 * 20)
    assert newest.error_percent == pytest.approx(100 * (310 - 470) / 470)


def test_who_has_spent_nothing() -> None:
    """No forecast, and no months."""
    found = told({}, moment(2026, 11, 11))
    assert (found.spent, found.forecast, found.days, found.past) == (0, None, 0, ())


def test_on_the_last_day_a_shorter_month_is_looked_at_on_its_last() -> None:
    """The 31st of January is compared with the 30th of November."""
    today = moment(2027, 1, 31)
    costs = dict.fromkeys(range(moment(2026, 11, 1), today, DAY_US), 10)
    assert [(one.month, round(one.forecast.expected)) for one in told(costs, today).past] == [
        ("2026-12", 310),
        ("2026-11", 300),
    ]

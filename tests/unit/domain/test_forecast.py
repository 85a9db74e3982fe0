"""What a month will have cost."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from farthing.domain.forecast import FEWEST_DAYS, expected, month_end

WEEK = [10.0, 10.0, 10.0, 10.0, 10.0, 4.0, 2.0]


def test_weekdays_keep_their_share() -> None:
    """After many like weeks nearly as they were: each is drawn to a usual day by two weeks' worth of it."""
    days = WEEK * 8
    assert expected(days, 7) == pytest.approx(56)
    assert expected(days, 1) == pytest.approx((8 * 10 + 2 * 8) / 10)
    assert expected([*days, *WEEK[:5]], 2) == pytest.approx((8 * 4 + 2 * 8) / 10 + (8 * 2 + 2 * 8) / 10)


def test_the_level_is_that_of_the_last_weeks() -> None:
    """What was spent before is past."""
    assert expected([1.0] * 28 + [5.0] * 28, 10) == pytest.approx(50)
    assert expected([0.0] * 30, 10) == 0


def test_a_steady_month_is_foretold_exactly() -> None:
    """With an interval without width, for no earlier forecast was off; days before the first request are no history."""
    found = month_end([0.0] * 50 + [3.0] * 40, 60, 10, 1.0)
    assert found is not None
    assert found.interval is not None
    assert [found.expected, *found.interval] == pytest.approx([90, 90, 90])


def test_the_interval_is_what_earlier_forecasts_were_off_by() -> None:
    """Of as many days ahead, by Student's t with as many of them as fit one after the other."""
    days = [10.0] * 7 + [20.0] * 3
    errors = [log(came / expected(days[:origin], 1)) for origin, came in ((7, 20), (8, 20), (9, 20))]
    found = month_end(days, 130, 1, 0.0)
    assert found is not None
    assert found.interval is not None
    half = stats.t.ppf(0.975, 3) * (sum(error**2 for error in errors) / 3) ** 0.5
    rest = expected(days, 1)
    assert list(found.interval) == pytest.approx([130 + rest * exp(-half), 130 + rest * exp(half)])


def test_little_history_says_less() -> None:
    """Nothing before a week of whole days, and no interval before there are forecasts to look back on."""
    assert month_end([5.0] * (FEWEST_DAYS - 1), 30, 3, 0.0) is None
    assert month_end([], 0, 3, 7.0) is None
    for days in ([5.0] * 7, [5.0] * 7 + [0.0] * 9, [1.0] * 7 + [1e9, 1.0, 1e9]):
        found = month_end(days, 30, 3, 0.0)
        assert found is not None
        assert found.interval is None


@given(
    history=st.lists(st.integers(0, 10**15), min_size=8, max_size=70),
    ahead=st.integers(1, 31),
    today=st.integers(0, 10**15),
)
def test_never_less_than_was_spent(history: list[int], ahead: int, today: int) -> None:
    """Whatever was spent, the interval holds what is expected."""
    found = month_end(history, 5.0, ahead, today)
    if found is not None:
        assert found.expected >= 5.0 + today
        if found.interval is not None:
            low, high = found.interval
            assert 5.0 + today <= low <= found.expected * (1 + 1e-9)
            assert found.expected <= high * (1 + 1e-9)

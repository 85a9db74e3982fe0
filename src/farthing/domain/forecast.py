"""What a month will have cost at its end, from what its days and those before it have cost."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt

from msgspec import Struct

from farthing.domain.stats import distributions as dist

WEEK = 7
FEWEST_DAYS = 7
"""Whole days, from the first that cost something, with which a forecast begins."""
LEVEL_DAYS = 28
"""The last whole days, whose mean is gone on with."""
SEASON_DAYS = 56
"""The last whole days, which tell how a weekday differs from the others."""
LEVEL = 0.95
_PRIOR = 2
"""Weeks' worth of a usual day that each weekday is drawn to."""
_LARGEST_LOG = 20.0
"""Half the width of an interval of logarithms beyond which it says nothing."""


class Forecast(Struct, frozen=True, kw_only=True):
    """Of a month, in nano-dollars; both include what was spent already."""

    expected: float
    interval: tuple[float, float] | None
    """In which it ends up 95 times of 100; None where no earlier forecast can be held against what came."""


def expected(days: Sequence[float], ahead: int) -> float:
    """What the next `ahead` days will cost: the level of the last weeks, times each weekday's usual share of it.

    `days` are whole days in their order, the last one yesterday.
    """
    shares = _weekdays(days[-SEASON_DAYS:], len(days))
    first = max(0, len(days) - LEVEL_DAYS)
    usual = sum(shares[day % WEEK] for day in range(first, len(days)))
    return sum(days[first:]) / usual * sum(shares[day % WEEK] for day in range(len(days), len(days) + ahead))


def _weekdays(days: Sequence[float], end: int) -> list[float]:
    """How much dearer than a usual day each weekday is; `end` is the number of the day after the last."""
    mean = sum(days) / len(days)
    if not mean:
        return [1.0] * WEEK
    sums, counts = [_PRIOR * mean] * WEEK, [_PRIOR] * WEEK
    for number, cost in enumerate(days, start=end - len(days)):
        sums[number % WEEK] += cost
        counts[number % WEEK] += 1
    return [total / (count * mean) for total, count in zip(sums, counts, strict=True)]


def month_end(history: Sequence[float], spent: float, ahead: int, today: float) -> Forecast | None:
    """What a month will have cost; None with fewer than `FEWEST_DAYS` whole days.

    Args:
        history: Cost of whole days in their order, the last one yesterday.
        spent: By the month's whole days so far.
        ahead: Days of the month that are not over, today among them.
        today: What has been spent today so far; today will not cost less.
    """
    first = next((number for number, cost in enumerate(history) if cost), len(history))
    days = history[first:]
    if len(days) < FEWEST_DAYS:
        return None
    least, rest = spent + today, expected(days, ahead)
    half = _half(days, ahead)
    low, middle, high = (max(least, spent + rest * exp(sign * (half or 0.0))) for sign in (-1, 0, 1))
    return Forecast(expected=middle, interval=None if half is None else (low, high))


def _half(days: Sequence[float], ahead: int) -> float | None:
    """Half the width of the interval around a forecast's logarithm: what earlier ones were off by, by Student's t.

    Where not even three that far ahead can be looked back on, nearer ones are, and their error grows with √days.
    Forecasts that overlap are not independent: there are as many as fit one after the other.
    """
    reach = min(ahead, (len(days) - FEWEST_DAYS) // 3)
    if reach < 1:
        return None
    errors = []
    for origin in range(FEWEST_DAYS, len(days) - reach + 1):
        foretold, came = expected(days[:origin], reach), sum(days[origin : origin + reach])
        if foretold and came:
            errors.append(log(came) - log(foretold))
    if len(errors) <= reach:
        return None
    error = sqrt(sum(one * one for one in errors) / len(errors)) * sqrt(ahead / reach)
    half = dist.student_quantile((1 + LEVEL) / 2, len(errors) / reach) * error
    return half if half < _LARGEST_LOG else None

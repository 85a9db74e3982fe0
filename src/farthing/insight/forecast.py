"""The forecast of a month's spending, and what the same forecast would have said in months that are over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from farthing.domain.budget import DAY_US, Span, span
from farthing.domain.forecast import Forecast, month_end

HISTORY_DAYS = 240
"""Days that are looked back on."""
PAST_MONTHS = 6


class Past(Struct, frozen=True, kw_only=True):
    """A month that is over, forecast on the day of the month that it is now."""

    month: str
    forecast: Forecast
    actual: int
    """Nano-dollars."""

    @property
    def error_percent(self) -> float:
        """Of what it cost; above 0 where too much was foretold."""
        return 100 * (self.forecast.expected - self.actual) / self.actual


class Told(Struct, frozen=True, kw_only=True):
    """This month. Money in nano-dollars."""

    month: str
    spent: int
    forecast: Forecast | None
    days: int
    """Whole days of history, from the first that cost something."""
    past: tuple[Past, ...]


def told(costs: Mapping[int, int], now_us: int) -> Told:
    """By what each day cost, in nano-dollars by its start in µs since 1970; days without an entry cost nothing."""
    today = now_us - now_us % DAY_US
    month, begin = span("month", now_us), min(costs, default=today)
    return Told(
        month=_name(month),
        spent=_sum(costs, month.start_us, today + DAY_US),
        forecast=_forecast(costs, month, today, costs.get(today, 0)),
        days=max(0, (today - begin) // DAY_US),
        past=tuple(_past(costs, month, today, begin)),
    )


def _past(costs: Mapping[int, int], month: Span, today: int, begin: int) -> Iterator[Past]:
    """Months that are over, the newest first, each as if it were that day of it at midnight."""
    day = today - month.start_us
    for _ in range(PAST_MONTHS):
        month = span("month", month.start_us - 1)
        end = month.end_us or 0
        at = min(month.start_us + day, end - DAY_US)
        found = _forecast(costs, month, at, 0) if at > begin else None
        actual = _sum(costs, month.start_us, end)
        if found is not None and actual:
            yield Past(month=_name(month), forecast=found, actual=actual)


def _forecast(costs: Mapping[int, int], month: Span, today: int, today_cost: int) -> Forecast | None:
    first = min(costs, default=today)
    history = [float(costs.get(day, 0)) for day in range(first, today, DAY_US)]
    ahead = ((month.end_us or today) - today) // DAY_US
    return month_end(history, _sum(costs, month.start_us, today), ahead, today_cost)


def _sum(costs: Mapping[int, int], start_us: int, end_us: int) -> int:
    return sum(cost for day, cost in costs.items() if start_us <= day < end_us)


def _name(month: Span) -> str:
    return datetime.fromtimestamp(month.start_us // 1_000_000, UTC).strftime("%Y-%m")

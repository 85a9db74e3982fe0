"""Calendar months in UTC, by names such as `2026-11`."""

from __future__ import annotations

from datetime import UTC, datetime

from farthing.domain.budget import DAY_US, Span, span
from farthing.domain.report import date_of

_HOUR_US = DAY_US // 24
_MONTH = len("2026-11")


def month_span(month: str) -> Span:
    """From its first moment up to but without the next month's. Raises ValueError for a name that is none."""
    first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    return span("month", int(first.timestamp()) * 1_000_000)


def month_before(month: str) -> str:
    """The one that ends where this begins."""
    return date_of(month_span(month).start_us - 1)[:_MONTH]


def last_due(now_us: int, *, day: int, hour: int) -> str:
    """The newest month whose report is due: on this day of the month after, 1 to 28, from this hour on."""
    shifted_us = now_us - (day - 1) * DAY_US - hour * _HOUR_US
    return month_before(date_of(shifted_us)[:_MONTH])


def month_title(month: str) -> str:
    """As people write it, such as `November 2026`."""
    return datetime.fromisoformat(f"{month}-01").strftime("%B %Y")

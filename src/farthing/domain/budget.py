"""What may be spent by whom, and in which stretch of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from farthing.domain.pricing import NANO

Scope = Literal["key", "team", "tenant"]
Window = Literal["day", "week", "month", "total"]

DAY_US = 86_400_000_000
_MONDAY_US = 4 * DAY_US
"""1970 began on a Thursday; its first Monday was the 5th of January."""


class Budget(Struct, frozen=True, kw_only=True):
    """A limit in nano-dollars for one key, team or tenant within each window. Windows begin at midnight UTC."""

    id: str
    tenant: str
    scope: Scope
    subject: str
    """The key's id, the team's name within the tenant, or the tenant itself."""
    window: Window
    limit: int
    is_hard: bool = True
    """A soft budget is watched and refuses nothing."""


class Span(Struct, frozen=True):
    """A window in time, from `start_us` up to but without `end_us`, which is None for a window that never resets."""

    start_us: int
    end_us: int | None

    def holds(self, moment_us: int) -> bool:
        """Whether the moment, in microseconds since 1970 UTC, lies in this window."""
        return self.start_us <= moment_us and (self.end_us is None or moment_us < self.end_us)


def span(window: Window, moment_us: int) -> Span:
    """The window around a moment given in microseconds since 1970 UTC; weeks begin on Monday."""
    if window == "day":
        start = moment_us - moment_us % DAY_US
        return Span(start, start + DAY_US)
    if window == "week":
        start = moment_us - (moment_us - _MONDAY_US) % (7 * DAY_US)
        return Span(start, start + 7 * DAY_US)
    if window == "month":
        day = datetime.fromtimestamp(moment_us // 1_000_000, UTC)
        year, month = day.year + day.month // 12, day.month % 12 + 1
        return Span(_first_of(day.year, day.month), _first_of(year, month))
    return Span(0, None)


def _first_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000


def dollars(nano: int) -> str:
    """The exact amount as text with at least two decimals: 12_500_000 is `$0.0125`."""
    whole, rest = divmod(abs(nano), NANO)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}${whole}.{decimals}"

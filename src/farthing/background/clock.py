"""The machine's clock, and one that tests turn by hand."""

from __future__ import annotations

import time


class SystemClock:
    """The time of this machine. Implements `ports.Clock`."""

    monotonic = staticmethod(time.monotonic)
    """Seconds on a clock that never goes back."""

    def now_us(self) -> int:
        """Microseconds since 1970 in UTC."""
        return time.time_ns() // 1000


class ManualClock:
    """Stands still until it is turned. Implements `ports.Clock`."""

    def __init__(self, now_us: int = 1_764_547_200_000_000) -> None:
        """Starts at `now_us`, by default at midnight of 1 December 2025 UTC."""
        self._now_us = now_us
        self._monotonic = 0.0

    def now_us(self) -> int:
        """Microseconds since 1970 in UTC."""
        return self._now_us

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Lets time pass on both scales."""
        self._monotonic += seconds
        self._now_us += round(seconds * 1_000_000)

    def set(self, now_us: int) -> None:
        """Changes what the wall shows, forwards or back, while no time passes."""
        self._now_us = now_us

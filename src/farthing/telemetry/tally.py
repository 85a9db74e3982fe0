"""Running sums over finished requests in plain numbers: counting costs next to nothing, and reading pays for it."""

from __future__ import annotations

from bisect import bisect_left

from farthing.domain.exchange import Exchange

BOUNDS_US = (
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
)
"""Upper bounds of the buckets of durations, in µs, each inclusive; a last bucket has none."""


class Distribution:
    """Durations by bucket."""

    __slots__ = ("counts", "total_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_US) + 1)
        """How many fell into each bucket and no earlier one."""
        self.total_us = 0

    def observe(self, duration_us: int) -> None:
        """Counts one."""
        self.counts[bisect_left(BOUNDS_US, duration_us)] += 1
        self.total_us += duration_us


class Tally:
    """What the requests to one model came to. Money in nano-dollars."""

    __slots__ = (
        "baseline",
        "cost",
        "duration",
        "ended",
        "first_token",
        "priced",
        "tokens_in",
        "tokens_out",
        "unpriced",
    )

    def __init__(self) -> None:
        self.ended: dict[tuple[str, str], int] = {}
        """Requests by status and by what the cache did."""
        self.tokens_in = 0
        self.tokens_out = 0
        self.priced = 0
        self.unpriced = 0
        """Requests whose cost is known, and those whose cost is not."""
        self.cost = 0
        self.baseline = 0
        self.duration = Distribution()
        self.first_token = Distribution()

    @property
    def is_asked(self) -> bool:
        """Whether there is a model behind it; requests that came to none are counted by their end alone."""
        return bool(self.priced or self.unpriced)

    def count(self, exchange: Exchange) -> None:
        """Counts how one request ended, and where a model was involved what it took."""
        end = exchange.status, exchange.cache
        self.ended[end] = self.ended.get(end, 0) + 1
        if exchange.provider is None:
            return
        usage, cost = exchange.usage, exchange.cost
        self.tokens_in += usage.tokens_in
        self.tokens_out += usage.tokens_out
        if cost is None:
            self.unpriced += 1
        else:
            self.priced += 1
            self.cost += cost
        self.baseline += exchange.baseline_cost or 0
        self.duration.observe(exchange.duration_us)
        if exchange.first_token_us is not None:
            self.first_token.observe(exchange.first_token_us)

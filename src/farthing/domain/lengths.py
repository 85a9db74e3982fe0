"""How long answers are: a histogram that forgets, and its 95th percentile."""

from __future__ import annotations

from math import ceil, floor, log2

FINENESS = 4
"""Buckets for each doubling: a percentile is at most 19% too high, and never too low."""
BUCKETS = 25 * FINENESS
"""The last one ends at 33 million tokens."""
ENOUGH = 30
"""Answers before anything is said of them."""
HORIZON = 1_024
"""Answers after which every count is halved, so that the last thousand or two tell."""


class Lengths:
    """Output tokens of the answers of one kind."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._total = 0

    def add(self, tokens: int) -> None:
        """One more answer of so many tokens."""
        self._counts[_bucket(tokens)] += 1
        self._total += 1
        if self._total >= HORIZON:
            self._counts = [count // 2 for count in self._counts]
            self._total = sum(self._counts)

    @property
    def p95(self) -> int | None:
        """Tokens that 95 of 100 answers do not exceed, rounded up; None while too few are known."""
        if self._total < ENOUGH:
            return None
        wanted, seen, bucket = ceil(self._total * 0.95), 0, -1
        while seen < wanted:
            bucket += 1
            seen += self._counts[bucket]
        return floor(2 ** (bucket / FINENESS))


def _bucket(tokens: int) -> int:
    """The first bucket whose end, 2^(bucket / FINENESS), is not below."""
    return min(BUCKETS - 1, ceil(log2(max(tokens, 1)) * FINENESS))

"""How long answers are: a histogram that forgets, and its 95th percentile."""

from __future__ import annotations

from functools import lru_cache
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

    __slots__ = ("_below", "_counts", "_total", "_upper")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._total = 0
        self._upper = 0
        """The bucket in which the percentile was found last."""
        self._below = 0
        """Answers in the buckets before it."""

    def add(self, tokens: int) -> None:
        """One more answer of so many tokens."""
        bucket = _bucket(tokens)
        self._counts[bucket] += 1
        self._total += 1
        if bucket < self._upper:
            self._below += 1
        if self._total >= HORIZON:
            self._counts = [count // 2 for count in self._counts]
            self._total = sum(self._counts)
            self._below = sum(self._counts[: self._upper])

    @property
    def p95(self) -> int | None:
        """Tokens that 95 of 100 answers do not exceed, rounded up; None while too few are known."""
        if self._total < ENOUGH:
            return None
        counts, upper, below = self._counts, self._upper, self._below
        wanted = ceil(self._total * 0.95)
        # From one answer to the next it hardly moves.
        while below >= wanted:
            upper -= 1
            below -= counts[upper]
        while below + counts[upper] < wanted:
            below += counts[upper]
            upper += 1
        self._upper, self._below = upper, below
        return _ENDS[upper]


_ENDS = tuple(floor(2 ** (bucket / FINENESS)) for bucket in range(BUCKETS))


@lru_cache(maxsize=1024)
def _bucket(tokens: int) -> int:
    """The first bucket whose end, 2^(bucket / FINENESS), is not below."""
    return min(BUCKETS - 1, ceil(log2(max(tokens, 1)) * FINENESS))

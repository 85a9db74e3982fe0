"""How many tokens a stream has said so far, kept up to date at the price of an addition."""

from __future__ import annotations

from functools import lru_cache

from farthing.domain.tokens import weigh

THOUSAND = 1_000
"""Weights are in thousandths of a token."""
SHORT = 12
"""Characters of a text that is looked up: most vendors send a token at a time, and few tokens make up most texts."""
KNOWN = 4_096
BATCH = 16
"""Longer texts that are weighed together: to weigh one alone costs a third of a streamed event."""
FIRST_RATE = 250
"""Thousandths of a token that a character is taken for while no longer text was weighed."""


class Gauge:
    """Weighs short texts one by one, and longer ones in batches.

    Until its batch is weighed, a longer one is taken for as heavy, by its length, as the batch before.
    """

    __slots__ = ("_batch", "_due", "_guessed", "_rate", "weight")

    def __init__(self) -> None:
        self.weight = 0
        """Of everything said so far."""
        self._batch: list[str] = []
        self._guessed = 0
        """What of the weight is a guess."""
        self._rate = FIRST_RATE
        self._due = 1

    def add(self, text: str) -> int:
        """The weight of everything with this text, which is not empty."""
        weight = self.weight + (_short(text) if len(text) <= SHORT else self._long(text))
        self.weight = weight
        return weight

    def _long(self, text: str) -> int:
        """What the weight grows by."""
        batch = self._batch
        batch.append(text)
        if len(batch) < self._due:
            guess = self._rate * len(text)
            self._guessed += guess
            return guess
        together = "".join(batch)
        batch.clear()
        weight = _weight(together)
        correction = weight - self._guessed
        self._guessed = 0
        self._rate = weight // len(together)
        # The beginning is often like nothing that follows: it soon stops being the measure.
        self._due = min(2 * self._due, BATCH)
        return correction


def _weight(text: str) -> int:
    return round(weigh(text) * THOUSAND)


_short = lru_cache(maxsize=KNOWN)(_weight)


def tokens(weight: int) -> int:
    """As many whole tokens as hold `weight`."""
    return -(-weight // THOUSAND)

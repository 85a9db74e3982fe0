"""Tells which answers the database surely does not have, so that a request with a new question need not ask it."""

from __future__ import annotations

BITS = 24
"""Binary digits of a position: 2^24 places in 2 MiB, of which memory takes only those pages that were touched."""
POSITIONS = 4
"""Positions for each key. With n keys a fraction (1 - e^(-4n/2^24))^4 of strangers passes (Bloom, 1970): 0.2% at a
million keys, 14% at four million."""
_MASK = (1 << BITS) - 1


class Sieve:
    """A Bloom filter over texts, of this process only: Python's own hash differs from process to process."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << (BITS - 3))

    def add(self, key: str) -> None:
        """From now on the key passes."""
        bits = self._bits
        for digits in _digits(key):
            place = digits & _MASK
            bits[place >> 3] |= 1 << (place & 7)

    def lacks(self, key: str) -> bool:
        """Whether the key was surely never added."""
        bits = self._bits
        for digits in _digits(key):
            place = digits & _MASK
            if not bits[place >> 3] >> (place & 7) & 1:
                return True
        return False


def _digits(key: str) -> range:
    """Numbers whose last `BITS` digits are the positions, all made of two (Kirsch and Mitzenmacher, 2006)."""
    number = hash(key)
    # Small numbers, which Python adds in half the time of large ones.
    first, step = number & _MASK, number >> BITS & _MASK | 1
    return range(first, first + POSITIONS * step, step)

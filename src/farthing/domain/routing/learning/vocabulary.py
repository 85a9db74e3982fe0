"""Pieces of words in the order of how common they are, each with a vector that tells what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

INNER = "##"
"""Marks a piece that begins inside a word."""
_LONGEST_WORD = 40
"""Letters; what is longer is no word."""


class Vocabulary(Struct, frozen=True):
    """A table of pieces, read once and shared by all predictors."""

    numbers: Mapping[str, int]
    """By piece: its row in `vectors`, the more common the lower."""
    vectors: NDArray[Any]
    """int8, pieces by dimensions."""

    def pieces_of(self, tokens: list[str]) -> list[int]:
        """The rows of the pieces that tokens are made of, the longest that fits first; what fits none is left out."""
        found: list[int] = []
        numbers = self.numbers
        for token in tokens:
            whole = numbers.get(token)
            if whole is not None:
                found.append(whole)
            elif len(token) <= _LONGEST_WORD:
                self._split(token, found)
        return found

    def _split(self, token: str, found: list[int]) -> None:
        start, end = 0, len(token)
        while start < end:
            number = self.numbers.get(f"{INNER}{token[start:end]}" if start else token[:end])
            if number is not None:
                found.append(number)
                start, end = end, len(token)
            else:
                end -= 1
                if end == start:
                    start, end = start + 1, len(token)

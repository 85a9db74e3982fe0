"""How many rated answers there are to prompts like one, whatever else was rated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farthing.domain.routing.learning.encoder import meaning

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNLIKE, _ALIKE = 0.2, 0.6
"""Cosine of two meanings up to which prompts have nothing to do with each other, and from which they are of a kind."""


class Nearness(Struct, frozen=True):
    """Prompts that stand for all that were rated, told apart as those of many kinds are.

    A predictor tells apart what it was fitted to. Where that is all of one kind, its prompts are as far from each other
    to it as any; here they are alike.
    """

    rarity: NDArray[Any]
    """float32, by piece of the vocabulary, in prompts of many kinds."""
    vectors: NDArray[Any]
    """int8, pieces by dimensions: the vocabulary's."""
    centre: NDArray[Any]
    """float32, by dimension: the mean meaning of prompts of many kinds."""
    meanings: NDArray[Any]
    """float32, landmarks by dimensions."""
    rated: NDArray[Any]
    """float32, landmarks by models: the rated answers to prompts that are nearest to each."""

    def near(self, pieces: Sequence[int]) -> NDArray[Any]:
        """By model: rated answers to prompts of a kind with this one, and parts of those to prompts less like it."""
        import numpy as np

        counted = np.clip((self.alike([pieces])[0] - _UNLIKE) / (_ALIKE - _UNLIKE), 0, 1)
        found: NDArray[Any] = counted @ self.rated
        return found

    def alike(self, pieces: Sequence[Sequence[int]]) -> NDArray[Any]:
        """Cosines, prompts by landmarks."""
        found: NDArray[Any] = meaning(pieces, self.rarity, self.vectors, self.centre) @ self.meanings.T
        return found

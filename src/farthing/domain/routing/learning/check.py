"""Judges a first answer: what is expected of each model once one of them has spoken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farthing.domain.routing.learning.answers import signs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FARTHEST = 4.0
"""Standard deviations from the mean that a sign counts for at most."""


class Check(Struct, frozen=True):
    """A linear function of the signs in an answer and of what was expected before it."""

    models: tuple[str, ...]
    first: str
    """The model whose answers it judges."""
    means: NDArray[Any]
    """float64, by input: the signs of an answer, then the expected quality of each model."""
    scales: NDArray[Any]
    """float64, by input: one over its standard deviation."""
    weights: NDArray[Any]
    """float64, inputs by models."""
    offsets: NDArray[Any]
    """float64, by model."""

    def revise_many(self, prompts: Sequence[str], answers: Sequence[str], quality: NDArray[Any]) -> NDArray[Any]:
        """The expected quality 0..1 of each model after each answer, from that before it; rows by models."""
        import numpy as np

        inputs = np.clip((inputs_of(prompts, answers, quality) - self.means) * self.scales, -_FARTHEST, _FARTHEST)
        revised: NDArray[Any] = np.clip(quality + self.offsets + inputs @ self.weights, 0.0, 1.0)
        return revised


def inputs_of(prompts: Sequence[str], answers: Sequence[str], quality: NDArray[Any]) -> NDArray[Any]:
    """Signs of each answer and the quality that was expected, rows by inputs."""
    import numpy as np

    return np.column_stack([[signs_of(*pair) for pair in zip(prompts, answers, strict=True)], quality])

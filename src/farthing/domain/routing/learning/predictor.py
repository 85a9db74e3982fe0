"""Quality and cost of each model for a prompt, foretold from what was recorded of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from farthing.domain.routing.learning.encoder import Encoder
from farthing.domain.routing.learning.forest import Forest
from farthing.domain.routing.learning.reading import read
from farthing.domain.routing.learning.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Forecast(NamedTuple):
    """What is expected of one model."""

    quality: float
    """0..1."""
    cost: float
    """US dollars for the answer; 0 where no cost was recorded of the model."""


class Predictor(Struct, frozen=True):
    """Tells the quality and the logarithm of the cost of each model, half by a linear function and half by a forest."""

    models: tuple[str, ...]
    vocabulary: Vocabulary
    encoder: Encoder
    of_terms: NDArray[Any]
    """float32, places by outputs; outputs are the models' qualities, then the logarithms of their costs."""
    of_likeness: NDArray[Any]
    """float32, landmarks by outputs."""
    forest: Forest
    """Of the same outputs, by traits and meaning."""
    means: NDArray[Any]
    """float64, by output."""
    levels: NDArray[Any]
    """float64, by model: mean cost over the exponential of the mean logarithm; 0 where no cost is known."""

    def predict(self, text: str) -> dict[str, Forecast]:
        """What is expected of each model for a prompt."""
        quality, cost = self.predict_many([text])
        found = zip(self.models, quality[0].tolist(), cost[0].tolist(), strict=True)
        return {model: Forecast(*forecast) for model, *forecast in found}

    def predict_many(self, texts: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Qualities 0..1 and costs in US dollars, both texts by models."""
        import numpy as np

        outputs = np.empty((len(texts), len(self.means)))
        for row, text in enumerate(texts):
            seen = self.encoder.encode(read(text, self.vocabulary))
            linear = seen.weights @ self.of_terms[seen.places] + seen.likeness @ self.of_likeness
            outputs[row] = linear + self.forest.predict(seen.numbers)
        outputs = self.means + outputs / 2
        models = len(self.models)
        return np.clip(outputs[:, :models], 0, 1), np.exp(outputs[:, models:]) * self.levels

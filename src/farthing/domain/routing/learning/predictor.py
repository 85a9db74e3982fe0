"""Quality and cost of each model for a prompt, foretold from what was recorded of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from farthing.domain.routing.learning.encoder import Encoder, Seen
from farthing.domain.routing.learning.forest import Forest
from farthing.domain.routing.learning.nearness import Nearness
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


class Outlook(NamedTuple):
    """What is expected for a prompt, and what that rests on."""

    forecasts: dict[str, Forecast]
    """By model."""
    near: dict[str, float]
    """By model: its rated answers to prompts of a kind with this one, and parts of those to prompts less like it."""
    is_whole: bool = True
    """Whether all was there that the predictor reads: False where it was fitted to embeddings and there was none."""


class Predictor(Struct, frozen=True):
    """Tells the quality and the logarithm of the cost of each model, half by a linear function and half by a forest."""

    models: tuple[str, ...]
    vocabulary: Vocabulary
    encoder: Encoder
    of_terms: NDArray[Any]
    """float16, places by outputs; outputs are the models' qualities, then the logarithms of their costs."""
    of_likeness: NDArray[Any]
    """float32, landmarks by outputs."""
    forest: Forest
    """Of the same outputs, by traits and meaning."""
    nearness: Nearness
    """Of the rated answers to the prompts that it was fitted to, by model."""
    means: NDArray[Any]
    """float64, by output."""
    levels: NDArray[Any]
    """float64, by model: mean cost over the exponential of the mean logarithm; 0 where no cost is known."""

    @property
    def reads_embeddings(self) -> bool:
        """Whether it was fitted to embeddings: without that of a prompt it tells less of it."""
        return self.encoder.embeddings is not None

    def predict(self, text: str, embedding: NDArray[Any] | None = None) -> dict[str, Forecast]:
        """What is expected of each model for a prompt."""
        return self.outlook(text, embedding).forecasts

    def outlook(self, text: str, embedding: NDArray[Any] | None = None) -> Outlook:
        """What is expected of each model for a prompt, and how many rated answers speak for it."""
        reading = read(text, self.vocabulary)
        quality, cost = self._foretold(self._outputs(self.encoder.encode(reading, embedding))[None])
        forecasts = map(Forecast, quality[0].tolist(), cost[0].tolist())
        return Outlook(
            dict(zip(self.models, forecasts, strict=True)),
            dict(zip(self.models, self.nearness.near(reading.pieces).tolist(), strict=True)),
            is_whole=embedding is not None or not self.reads_embeddings,
        )

    def predict_many(
        self, texts: Sequence[str], embeddings: NDArray[Any] | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Qualities 0..1 and costs in US dollars, both texts by models; `embeddings` are texts by dimensions."""
        import numpy as np

        outputs = np.empty((len(texts), len(self.means)))
        for row, text in enumerate(texts):
            embedding = None if embeddings is None else embeddings[row]
            outputs[row] = self._outputs(self.encoder.encode(read(text, self.vocabulary), embedding))
        return self._foretold(outputs)

    def _outputs(self, seen: Seen) -> NDArray[Any]:
        """What is added to the means for a prompt."""
        of_terms = self.of_terms[seen.places].astype(seen.weights.dtype)
        linear = seen.weights @ of_terms + seen.likeness @ self.of_likeness
        added: NDArray[Any] = (linear + self.forest.predict(seen.numbers)) / 2
        return added

    def _foretold(self, outputs: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Qualities and costs, both prompts by models."""
        import numpy as np

        outputs, models = self.means + outputs, len(self.models)
        return np.clip(outputs[:, :models], 0, 1), np.exp(outputs[:, models:]) * self.levels

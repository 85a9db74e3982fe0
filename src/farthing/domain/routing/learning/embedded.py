"""A predictor that is told the embedding of each prompt it is asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from farthing.domain.routing.learning.predictor import Outlook, Predictor

    Recall = Callable[[str], NDArray[Any] | None]
    """A prompt's embedding, or None."""


class Embedded:
    """Foretells by what is recalled of a prompt; of one that nothing is recalled of, as well as it can without."""

    def __init__(self, predictor: Predictor, recall: Recall) -> None:
        self._predictor = predictor
        self._recall = recall

    @property
    def models(self) -> tuple[str, ...]:
        """Those it tells of."""
        return self._predictor.models

    def outlook(self, text: str) -> Outlook:
        """What is expected of each model for a prompt, and how many rated answers speak for it."""
        return self._predictor.outlook(text, self._recall(text))

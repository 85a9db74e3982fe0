"""How much a prompt asks of a model, as far as anybody's prompts tell: what is known before the first rated answer."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farthing.domain.routing.learning.encoder import likeness, meaning
from farthing.domain.routing.learning.reading import read
from farthing.domain.routing.learning.traits import NAMES
from farthing.domain.routing.learning.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

_USUAL = -1.4
"""Of a usual prompt, one in five is beyond the cheapest model: the logarithm of these odds."""

_LENGTH = NAMES.index("characters")


class Prior(Struct, frozen=True):
    """By how much more a dear model is worth than a cheap one, within the kind of prompts that a prompt is of."""

    vocabulary: Vocabulary
    piece_rarity: NDArray[Any]
    """float32, by piece of the vocabulary."""
    centre: NDArray[Any]
    """float32, by dimension: the mean meaning."""
    meanings: NDArray[Any]
    """float32, landmarks by dimensions."""
    of_likeness: NDArray[Any]
    """float32, by landmark."""
    usual: tuple[float, float]
    """Mean of what the meaning says, and of the logarithm of the length."""
    steps: tuple[float, float]
    """By how many standard deviations the excess rises with each."""

    def demand(self, text: str) -> float:
        """0..1: the share of such prompts that are beyond the cheapest model and not beyond the dearest."""
        return 1 / (1 + exp(-_USUAL - self.excess(text)))

    def excess(self, text: str) -> float:
        """In standard deviations, about: how much more than a usual prompt it asks for; longer ones ask for more."""
        reading = read(text, self.vocabulary)
        about = meaning([reading.pieces], self.piece_rarity, self.vocabulary.vectors, self.centre)
        told = float(likeness(about, self.meanings)[0] @ self.of_likeness)
        return self.steps[0] * (told - self.usual[0]) + self.steps[1] * (reading.traits[_LENGTH] - self.usual[1])

"""What ratings say of a predictor since it was fitted: by how much models turn out better or worse than expected."""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p
from typing import TYPE_CHECKING, Any, get_args

from msgspec import Struct

from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.routing.features import read_features
from farthing.domain.routing.patterns import Pattern, pattern_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from farthing.domain.routing.foresight import Foreteller
    from farthing.domain.routing.learning.predictor import Outlook

FORGETTING = 0.997
"""What each rating leaves of the weight of those before it, whichever models they are of: some three hundred count."""
RIDGE = 30.0
"""As many ratings speak for it that a predictor is right."""
WIDTH = 0.8
"""The part of a correction that may be chance, in units of its width `√(xᵀA⁻¹x)`; only what is beyond it counts."""
MOST = 0.5
"""Points of 0..1 by which an expected quality is corrected at most."""
_PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
_PARTS = ("length", "code", "mathematics", "reasoning", "constraints", "language")
_LONGEST = 10.0
"""Logarithm of a long prompt's characters."""
TRAITS = 1 + len(_PATTERNS) + len(_PARTS) + 4
_MINOR = 0.3
"""How much is made of what sets a prompt apart from others, beside what all have in common."""


def traits_of(text: str) -> list[float]:
    """Eighteen numbers, each 0..1: one that all prompts have in common, then the pattern, the look and the extent."""
    parts, _ = read_features(ChatRequest(model="", messages=(Message("user", (Text(text),)),)))
    pattern, chars = pattern_of(text), len(text) or 1
    apart = [
        *(float(name == pattern) for name in _PATTERNS),
        *(parts[name] for name in _PARTS),
        min(1.0, log1p(chars) / _LONGEST),
        min(1.0, text.count("\n") / 50),
        sum(map(str.isdigit, text[:1_000])) / min(chars, 1_000),
        float(text.rstrip().endswith("?")),
    ]
    return [1.0, *(_MINOR * value for value in apart)]


class Correction(Struct, frozen=True):
    """By how much to correct what is expected of each model."""

    models: tuple[str, ...]
    weights: NDArray[Any]
    """float64, models by traits."""
    inverses: NDArray[Any]
    """float64, models by traits by traits: A⁻¹."""

    def of(self, text: str) -> dict[str, float]:
        """By model, -`MOST`..`MOST`, for a prompt; 0 where what ratings tell may be chance."""
        import numpy as np

        traits = np.array(traits_of(text))
        told = self.weights @ traits
        width = WIDTH * np.sqrt(np.einsum("i,mij,j->m", traits, self.inverses, traits))
        sure = np.copysign(np.clip(np.abs(told) - width, 0, MOST), told)
        return dict(zip(self.models, sure.tolist(), strict=True))


class Residual:
    """Ridge regression with forgetting, for each model, of what ratings were off what had been expected.

    The confidence width is that of LinUCB (Li et al. 2010, algorithm 1), the forgetting that of D-LinUCB (Russac et al.
    2019). The same ratings in the same order give the same corrections.
    """

    def __init__(self, models: Sequence[str]) -> None:
        """Nothing is corrected yet."""
        import numpy as np

        self._models = tuple(models)
        self._squares = np.zeros((len(models), TRAITS, TRAITS))
        self._sums = np.zeros((len(models), TRAITS))

    def learn(self, text: str, model: str, missed: float) -> None:
        """Takes in a rating of a model's answer, less what was expected of it (-1..1)."""
        import numpy as np

        traits, place = np.array(traits_of(text)), self._models.index(model)
        self._squares *= FORGETTING
        self._sums *= FORGETTING
        self._squares[place] += np.outer(traits, traits)
        self._sums[place] += missed * traits

    @property
    def correction(self) -> Correction:
        """As of the ratings so far."""
        import numpy as np

        inverses = np.linalg.inv(self._squares + RIDGE * np.eye(TRAITS))
        return Correction(self._models, np.einsum("mij,mj->mi", inverses, self._sums), inverses)


class Corrected:
    """A predictor whose qualities are corrected by what was rated since."""

    def __init__(self, predictor: Foreteller, correction: Correction) -> None:
        self._predictor = predictor
        self._correction = correction

    @property
    def models(self) -> tuple[str, ...]:
        """Those it tells of."""
        return self._predictor.models

    def outlook(self, text: str) -> Outlook:
        """The predictor's, each quality corrected within 0..1."""
        told, by = self._predictor.outlook(text), self._correction.of(text)
        forecasts = {
            model: one._replace(quality=min(1.0, max(0.0, one.quality + by[model])))
            for model, one in told.forecasts.items()
        }
        return told._replace(forecasts=forecasts)

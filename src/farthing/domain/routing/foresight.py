"""What can be expected of each model that could answer: its quality, and its cost at today's price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from farthing.domain.catalogue import Model
from farthing.domain.pricing import NANO
from farthing.domain.routing.plan import Confidence, Needs
from farthing.domain.tokens import estimate

if TYPE_CHECKING:
    from farthing.domain.routing.learning.predictor import Outlook

MEDIUM_FROM, HIGH_FROM = 5, 10
"""Rated answers to prompts like the one that is asked about; a model with fewer than the first of any is not known."""
_Z = 1.96
"""Standard errors that a 95 % interval reaches to either side."""
_MOST_TIMES = 8
"""An answer is expected to be at most so many times longer or shorter than what is likely of its tier."""


class Foreteller(Protocol):
    """What recorded outcomes were learned by: a `Predictor`."""

    @property
    def models(self) -> tuple[str, ...]:
        """Those it tells of."""

    def outlook(self, text: str) -> Outlook:
        """Quality and cost of each of them for a prompt, and how many rated answers speak for it."""


class Expected(Struct, frozen=True):
    """What is expected of one model."""

    model: Model
    quality: float
    """0..1."""
    cost: int | None
    """Nano-dollars; None where the model is unpriced."""
    near: float
    """Its rated answers to prompts like this one."""

    @property
    def interval(self) -> tuple[float, float]:
        """Where its mean quality on prompts like this one lies, by how many of its answers to them are rated: 95 %.

        Wilson's score interval (1927). It holds for any ratings of 0..1, since none vary more than all or nothing.
        """
        count, square = self.near, _Z * _Z
        middle = (count * self.quality + square / 2) / (count + square)
        half = _Z / (count + square) * sqrt(count * self.quality * (1 - self.quality) + square / 4)
        return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


class Foresight:
    """A predictor, and how much it knows of each model. Pure but for what it remembers of the last prompt."""

    def __init__(self, predictor: Foreteller, rated: Mapping[str, int]) -> None:
        """`rated` is the number of rated answers that it has learned from, by model."""
        self._predictor = predictor
        self._known = frozenset(model for model in predictor.models if rated.get(model, 0) >= MEDIUM_FROM)
        # An experiment asks for the plans of all its arms, one after the other, for one prompt.
        self._last: tuple[str, Outlook, int] | None = None

    def knows(self, models: Iterable[Model]) -> bool:
        """Whether anything is known of any of them."""
        return any(model.name in self._known for model in models)

    def expect(self, text: str, models: Iterable[Model], needs: Needs) -> dict[str, Expected]:
        """What is expected of those models that something is known of, for this prompt, by name."""
        last = self._last
        if last is None or text != last[0]:
            last = text, self._predictor.outlook(text), estimate(text)
            # What was missing may be there when the prompt is asked about once more.
            self._last = last if last[1].is_whole else None
        _, outlook, words = last
        found = {}
        for model in models:
            if model.name in self._known:
                quality, usd = outlook.forecasts[model.name]
                cost = _cost(model, usd, needs, words)
                found[model.name] = Expected(model, quality, cost, outlook.near[model.name])
        return found


def confidence_in(compared: Iterable[Expected]) -> Confidence:
    """How sure a choice between these models is: by the one of which the fewest answers to such prompts are rated."""
    near = min(one.near for one in compared)
    if near >= HIGH_FROM:
        return "high"
    return "medium" if near >= MEDIUM_FROM else "low"


def _cost(model: Model, usd: float, needs: Needs, words: int) -> int | None:
    """Nano-dollars at today's price, for an answer as long as what was recorded of answers says.

    `usd` is what an answer to such a prompt has cost, 0 where that is not known; `words` are the tokens of the prompt,
    which that has paid for as well.
    """
    price = model.price
    if price is None:
        return None
    likely = tokens_out = needs.tokens_out
    rates = price.rates(needs.tokens_in)
    if usd > 0 and rates.completion:
        told = (usd * NANO * 1_000_000 - words * rates.prompt) / rates.completion * needs.answers
        most = likely * _MOST_TIMES if needs.longest is None else min(likely * _MOST_TIMES, needs.longest)
        tokens_out = round(min(max(told, likely / _MOST_TIMES), most))
    return price.estimate(needs.tokens_in, tokens_out)

"""Strategies that order candidate models for a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from farthing.domain.routing.cold import COLD
from farthing.domain.routing.complexity import Complexity
from farthing.domain.routing.foresight import Foresight, Foreteller
from farthing.domain.routing.hybrid import Hybrid
from farthing.domain.routing.learned import Learned
from farthing.domain.routing.passthrough import concrete
from farthing.domain.routing.plan import Strategy
from farthing.domain.routing.unlearned import Unlearned

QUALITY_FLOOR = 0.02
"""The most quality, in points of 0..1, that a cheaper answer may cost where nobody says otherwise."""

_COMPLEXITY, _COLD = Complexity(), Complexity(COLD)

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {strategy.name: strategy for strategy in (_COMPLEXITY, Unlearned("learning", _COLD), Unlearned("hybrid", _COLD))}
)
"""Every strategy by its name, before anything is learned."""


def strategies_with(
    predictor: Foreteller | None, *, rated: Mapping[str, int] | None = None, floor: float = QUALITY_FLOOR
) -> Mapping[str, Strategy]:
    """Every strategy by its name; with None nothing is learned.

    `rated` is the number of rated answers that the predictor has learned from, by model: of one with fewer than five
    nothing counts as known. `floor` (0..1) holds for requests that have none of their own.
    """
    if predictor is None:
        return STRATEGIES
    learned = Learned(_COMPLEXITY, Foresight(predictor, rated or {}), floor)
    return {**STRATEGIES, Learned.name: learned, Hybrid.name: Hybrid(_COMPLEXITY, learned)}


def strategy_for(model: str, configured: str) -> str:
    """Name of the strategy behind a virtual model: `farthing/NAME` names it, `auto` leaves it to the configuration."""
    name = model.removeprefix("farthing/")
    return name if name in STRATEGIES else configured


__all__ = ["QUALITY_FLOOR", "STRATEGIES", "concrete", "strategies_with", "strategy_for"]

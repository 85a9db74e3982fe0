"""Strategies that order candidate models for a prompt."""

from collections.abc import Mapping
from types import MappingProxyType

from farthing.domain.routing.complexity import Complexity
from farthing.domain.routing.passthrough import concrete
from farthing.domain.routing.plan import Strategy
from farthing.domain.routing.unlearned import Unlearned

_COMPLEXITY = Complexity()

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (_COMPLEXITY, Unlearned("learning", _COMPLEXITY), Unlearned("hybrid", _COMPLEXITY))
    }
)
"""Every strategy by its name."""


def strategy_for(model: str, configured: str) -> str:
    """Name of the strategy behind a virtual model: `farthing/NAME` names it, `auto` leaves it to the configuration."""
    name = model.removeprefix("farthing/")
    return name if name in STRATEGIES else configured


__all__ = ["STRATEGIES", "concrete", "strategy_for"]

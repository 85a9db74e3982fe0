"""How many results an experiment needs, and what it could have seen with those it has."""

from __future__ import annotations

from math import ceil, sqrt

from msgspec import Struct

from farthing.domain.stats import distributions as dist

EARLY_COST = 1.016
"""An early stop needs this much more sample at most, for the same power (b = 2.5)."""
USUAL_POWER = 0.8
LARGEST_PLAN = 10**15
"""Results that nobody will ever have; also the answer where the effect looked for is 0."""


class Wish(Struct, frozen=True, kw_only=True):
    """What a planned experiment should be able to see."""

    variance: float
    """Of the metric between requests, in its unit squared."""
    effect: float
    """The smallest difference of means worth seeing, in the metric's unit."""
    alpha: float = 0.05
    power: float = USUAL_POWER
    share: float = 0.5
    """The treatment's share of control's and its own results."""
    requests_per_user: float = 1
    correlation: float = 0
    """Between the requests of one user, 0 to 1."""
    early_stop: bool = False


def sample_size(wish: Wish) -> int:
    """Results over both arms: (z_{1−α/2}+z_power)²·σ²/δ²·(1/w+1/(1−w)), times the design effect 1+(m−1)ρ."""
    crowding = 1 + (wish.requests_per_user - 1) * wish.correlation
    early = EARLY_COST if wish.early_stop else 1
    if not wish.effect:
        return LARGEST_PLAN
    ratio = _reach(wish.alpha, wish.power) * sqrt(wish.variance) / wish.effect
    needed = ratio * ratio / (wish.share * (1 - wish.share)) * crowding * early
    return max(2, ceil(min(needed, LARGEST_PLAN)))


def power_at(effect: float, se: float, *, alpha: float = 0.05) -> float:
    """Chance that a two-sided test sees an effect with this standard error: Φ(δ/SE − z) + Φ(−δ/SE − z).

    The effect is the planned one: at the observed one this says nothing but the p-value again.
    """
    if not se:
        return 1.0 if effect else alpha
    z, far = dist.normal_quantile(1 - alpha / 2), dist.held(effect / se)
    return min(1.0, dist.normal_cdf(far - z) + dist.normal_cdf(-far - z))


def smallest_effect(se: float, *, alpha: float = 0.05, power: float = USUAL_POWER) -> float:
    """The effect that is seen with this power: (z_{1−α/2}+z_power)·SE, in the unit of the standard error."""
    return _reach(alpha, power) * se


def smallest_relative_effect(coefficient: float, *, alpha: float = 0.05, power: float = USUAL_POWER) -> float | None:
    """The relative effect δ that is seen with this power, None where there is none: δ = z·k·√(1+(1+δ)²).

    Args:
        coefficient: k, an arm's standard error over its mean.
        alpha: Two-sided level.
        power: Chance to see it.
    """
    reach = _reach(alpha, power) * coefficient
    k = reach * reach
    return (k + sqrt(k * k + 2 * k * (1 - k))) / (1 - k) if k < 1 else None


def results_needed(effect: float, se: float, results: int, *, alpha: float = 0.05, power: float = USUAL_POWER) -> int:
    """Results in all that see this (planned) effect, if the error shrinks as it did for the results at hand."""
    if not effect:
        return LARGEST_PLAN
    ratio = _reach(alpha, power) * se / abs(effect)
    return ceil(min(ratio * ratio * results, LARGEST_PLAN))


def _reach(alpha: float, power: float) -> float:
    return dist.normal_quantile(1 - alpha / 2) + dist.normal_quantile(power)

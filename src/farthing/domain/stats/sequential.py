"""When an experiment may decide, and intervals that hold at every look (Waudby-Smith et al. 2021)."""

from __future__ import annotations

from math import exp, log, log1p, sqrt

from msgspec import Struct

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.means import Effect, Side

EARLY = 2.5
"""b at α = .05: |z|·√t from here on decides before the plan is full."""
EARLIEST = 0.5
"""Share of the plan before which no boundary is looked at."""
EARLY_USERS = 25
"""Users in each arm below which no boundary is looked at."""
_USUAL = 0.05


class Anytime(Struct, frozen=True):
    """What may be read at any look without a false alarm in more than α of all experiments."""

    p: float
    low: float
    high: float


def anytime(found: Effect, *, n: int, planned: int, alpha: float = 0.05) -> Anytime:
    """The asymptotic confidence sequence around an effect, tightest when the plan is full.

    Δ ± SE_z·√(2q/(nρ²)·ln(√q/α)) with q = nρ²+1 and ρ² from the plan; SE_z widens SE for few degrees of freedom.

    Args:
        found: The effect at this look.
        n: Results in both arms.
        planned: Results that were planned.
        alpha: Share of experiments in which the interval may ever miss.
    """
    spread = _tuned(planned, alpha) * max(1, n)
    q = spread + 1
    half = _normal_se(found) * sqrt(2 * q / spread * log(sqrt(q) / alpha)) if n else dist.LARGEST
    p = dist.clamped(exp(min(0.0, 0.5 * log(q) - found.z**2 * spread / (2 * q)))) if n else 1.0
    return Anytime(p, dist.held(found.estimate - half), dist.held(found.estimate + half))


def anytime_bound(found: Effect, side: Side, *, n: int, planned: int, alpha: float = 0.05) -> float:
    """The bound of one side that holds at every look: the lower one for "greater", the upper one for "less"."""
    spread = _tuned(planned, 2 * alpha) * max(1, n)
    q = spread + 1
    half = _normal_se(found) * sqrt(2 * q / spread * log1p(sqrt(q) / (2 * alpha))) if n else dist.LARGEST
    return dist.held(found.estimate - half if side == "greater" else found.estimate + half)


def _tuned(planned: int, alpha: float) -> float:
    """ρ² = (−2 ln α + ln(1 − 2 ln α))/planned: the interval is tightest there."""
    return (-2 * log(alpha) + log(1 - 2 * log(alpha))) / max(1, planned)


def _normal_se(found: Effect) -> float:
    """SE·max(|T|/|z|, t_{.975,ν}/1.96): as wide as the p-value says and the degrees of freedom ask."""
    wide = found.se * dist.student_quantile(0.975, found.freedom) / dist.normal_quantile(0.975)
    return max(wide, abs(found.estimate / found.z)) if found.z else wide


def information(control: int, treatment: int, *, planned: int, shares: tuple[float, float] = (0.5, 0.5)) -> float:
    """t, the share of the planned information at hand, harmonic in the arms' results; over 1 after the plan.

    Args:
        control: Results of control.
        treatment: Results of the arm it is compared with.
        planned: Results planned over all arms.
        shares: Planned shares of these two arms.
    """
    if not control or not treatment:
        return 0.0
    first, second = shares
    return control * treatment / (control + treatment) / (planned * first * second / (first + second))


class Rule(Struct, frozen=True):
    """What |z| has to reach."""

    alpha: float
    final: float
    """At the planned size."""
    early: float | None = None
    """|z|·√t before it; None where looking decides nothing."""

    @property
    def level(self) -> float:
        """The p-value at or below which the planned size decides."""
        return self.alpha if self.early is None else dist.normal_p(self.final)

    def stops(self, found: Effect, fraction: float, *, users: int) -> bool:
        """Whether a look before the plan is full decides; never where neither arm varies.

        Args:
            found: The effect at this look.
            fraction: t, from `information`.
            users: Of the smaller arm.
        """
        if self.early is None or not found.se or fraction < EARLIEST or users < EARLY_USERS:
            return False
        return abs(found.z) * sqrt(min(1.0, fraction)) >= self.early


def planned_rule(alpha: float = 0.05) -> Rule:
    """Decide once, at the planned size."""
    return Rule(alpha, dist.normal_quantile(1 - alpha / 2))


def early_rule(alpha: float = 0.05) -> Rule:
    """Decide from half the plan on where |z|·√t ≥ b, and at the planned size at z ≥ c.

    2[(1−Φ(c)) + (1−Φ(2b−c))] = α by the reflection principle for Brownian motion, so it holds for a look after every
    result. b = 2.5 at α = .05, and in proportion to the usual critical value elsewhere, but never so low that looking
    alone would spend α.
    """
    usual = dist.normal_quantile(1 - alpha / 2)
    b = max(EARLY * (usual / dist.normal_quantile(1 - _USUAL / 2)), dist.normal_quantile(1 - alpha / 4))
    low, high = usual, b
    for _ in range(60):
        c = (low + high) / 2
        crossed = 2 * (dist.normal_cdf(-c) + dist.normal_cdf(c - 2 * b))
        low, high = (c, high) if crossed > alpha else (low, c)
    return Rule(alpha, high, b)

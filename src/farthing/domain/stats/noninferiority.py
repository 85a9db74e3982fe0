"""Whether a guardrail holds: the treatment is not worse than control by more than a margin."""

from __future__ import annotations

from typing import Literal

from farthing.domain.stats.means import Effect, one_sided

Direction = Literal["lower", "higher"]
"""Which way the metric is better."""
Guard = Literal["pass", "fail", "unclear"]


def non_inferiority(
    found: Effect, *, margin: float, better: Direction, alpha: float = 0.05, policy: str = "default"
) -> Guard:
    """Compares the one-sided bounds of an effect with the margin.

    pass: the bound on the bad side is within the margin. fail: even the bound on the good side is worse than 0, or,
    by the default policy, the estimate is beyond the margin. A constant metric of too few users for the level is
    unclear, whatever it shows.

    Args:
        found: Treatment − control, absolute or relative.
        margin: By how much it may be worse, ≥ 0, in the effect's unit.
        better: Which way the metric is better.
        alpha: One-sided level.
        policy: "default", or "strict" where only the bounds fail a guardrail.
    """
    if found.p_floor / 2 > alpha:
        return "unclear"
    sign = 1.0 if better == "higher" else -1.0
    worst = sign * one_sided(found, "greater" if better == "higher" else "less", alpha=alpha).bound
    best = sign * one_sided(found, "less" if better == "higher" else "greater", alpha=alpha).bound
    if worst > -margin:
        return "pass"
    if best < 0 or (policy == "default" and sign * found.estimate < -margin):
        return "fail"
    return "unclear"

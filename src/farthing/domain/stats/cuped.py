"""Less noise: the part of a metric that its covariate foretold is taken out (Deng, Xu, Kohavi and Walker 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farthing.domain.stats.columns import LARGEST_VALUE, Numbers, total
from farthing.domain.stats.means import NEGLIGIBLE, Comparison, arm_mean, compare, present
from farthing.domain.stats.ratios import residuals

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Covaried(Struct, frozen=True):
    """One arm: for each user the metric's sum, the number of requests, and the covariate's sum over them."""

    sums: Numbers
    requests: Numbers
    covariates: Numbers


class Adjusted(Struct, frozen=True):
    """A comparison after the covariate is taken out."""

    comparison: Comparison
    theta: float
    """By how much the metric rises with the covariate."""
    variance_removed: float
    """Share of the difference's variance that is gone, at most 1; below 0 where it grew."""


def adjusted(control: Covaried, treatment: Covaried, *, alpha: float = 0.05) -> Adjusted | None:
    """The comparison with the covariate taken out; None where there is nothing to take out, or too few to compare.

    s_i − θ(x_i − X̄·n_i) takes the place of s_i, X̄ being the covariate's mean over both arms' requests. A relative
    effect stays relative to control's mean as it was.
    """
    plain = _compared([(arm.sums, arm.requests) for arm in (control, treatment)], alpha, None)
    if plain is None or plain.degenerate:
        return None
    arms = [present(arm.sums, arm.requests, arm.covariates) for arm in (control, treatment)]
    left = [(residuals(s, n), residuals(x, n)) for s, n, x in arms]
    moved = max(_largest(residual) for _, residual in left)
    slope = theta(left) if moved > NEGLIGIBLE * max(_largest(x) for _, _, x in arms) else 0.0
    common = sum(float(total(x)) for _, _, x in arms) / sum(float(total(n)) for _, n, _ in arms)
    taken = [(s - slope * (x - common * n), n) for s, n, x in arms]
    if not slope or max(_largest(sums) for sums, _ in taken) > LARGEST_VALUE:
        return None
    found = _compared(taken, alpha, plain.control.mean)
    if found is None:
        return None
    return Adjusted(found, slope, 1 - (found.absolute.se / plain.absolute.se) ** 2)


def theta(arms: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Pooled slope of the arms' residuals on those of their covariates; 0 where neither, or only one, varies."""
    import numpy as np

    size = max(_largest(x) for _, x in arms)
    if not size:
        return 0.0
    both = [(residual, x / size) for residual, x in arms]
    return float(sum(np.dot(s, x) for s, x in both) / sum(np.dot(x, x) for _, x in both)) / size


def _compared(arms: Sequence[tuple[Numbers, Numbers]], alpha: float, baseline: float | None) -> Comparison | None:
    control, treatment = (arm_mean(sums, requests) for sums, requests in arms)
    if control is None or treatment is None:
        return None
    return compare(control, treatment, alpha=alpha, baseline=baseline)


def _largest(values: NDArray[Any]) -> float:
    import numpy as np

    return float(np.abs(values).max())

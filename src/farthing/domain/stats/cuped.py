"""Less noise: the part of a metric that its covariate foretold is taken out (Deng, Xu, Kohavi and Walker 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, isfinite
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.stats.columns import LARGEST_VALUE, Numbers, squares
from farthing.domain.stats.means import (
    FEWEST_USERS,
    NEGLIGIBLE,
    ArmMean,
    Comparison,
    compared,
    left_out,
    mean_by_user,
    p_floor,
    present,
    relative_effect,
    spread,
)
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


class Moved(Struct, frozen=True):
    """One arm, with what its mean and its covariate's mean move by when one user is left out, for each user."""

    arm: ArmMean
    covariate: float
    """Mean of the covariate per request."""
    moved: NDArray[Any]
    covariate_moved: NDArray[Any]


def adjusted(control: Covaried, treatment: Covaried, *, alpha: float = 0.05) -> Adjusted | None:
    """The comparison with the covariate taken out; None where there is nothing to take out, or too few to compare.

    s_i − θ(x_i − X̄·n_i) takes the place of s_i, X̄ being the covariate's mean over both arms' requests. A relative
    effect stays relative to control's mean as it was.
    """
    columns = [present(arm.sums, arm.requests, arm.covariates) for arm in (control, treatment)]
    if min(n.size for _, n, _ in columns) < FEWEST_USERS:
        return None
    left = [(residuals(s, n), residuals(x, n)) for s, n, x in columns]
    moved = max(_largest(residual) for _, residual in left)
    slope = theta(left) if moved > NEGLIGIBLE * max(_largest(x) for _, _, x in columns) else 0.0
    arms = [_moved(s, n, x) for s, n, x in columns]
    before = hypot(*(arm.arm.se for arm in arms))
    if not slope or not before:
        return None
    found = taken_out(arms[0], arms[1], slope, alpha=alpha)
    return Adjusted(found, slope, 1 - (found.absolute.se / before) ** 2)


def theta(arms: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Pooled slope of the arms' residuals on those of their covariates; 0 where either does not vary."""
    size = max(_largest(x) for _, x in arms)
    if not size:
        return 0.0
    both = [(residual, x / size) for residual, x in arms]
    slope = sum(float((s * x).sum()) for s, x in both) / sum(squares(x) for _, x in both) / size
    return slope if abs(slope) < LARGEST_VALUE else 0.0


def taken_out(control: Moved, treatment: Moved, slope: float, *, alpha: float = 0.05) -> Comparison:
    """The comparison of R − θ·X, errors by the jackknife of that difference.

    The relative effect g = Δ/R_c has control's mean in it twice, once adjusted and once not, so control's part of its
    variance is that of (1+g)·R − θ·X.
    """
    requests = [arm.arm.requests for arm in (control, treatment)]
    common = (control.covariate * requests[0] + treatment.covariate * requests[1]) / sum(requests)
    before, after = (_without(arm, slope, common) for arm in (control, treatment))
    plain = compared(before, after, alpha=alpha, floor=p_floor(before.users, after.users))
    base, relative = control.arm.mean, None
    if base and isfinite(ratio := plain.absolute.estimate / base):
        own = spread((1 + ratio) * control.moved - slope * control.covariate_moved, base)
        relative = relative_effect(plain.absolute, after.se, own, base, alpha=alpha)
    return replace(plain, relative=relative)


def _moved(s: NDArray[Any], n: NDArray[Any], x: NDArray[Any]) -> Moved:
    arm, covariate = mean_by_user(s, n), mean_by_user(x, n)
    return Moved(arm, covariate.mean, left_out(s, n), left_out(x, n))


def _without(arm: Moved, slope: float, common: float) -> ArmMean:
    mean = arm.arm.mean - slope * (arm.covariate - common)
    se = spread(arm.moved - slope * arm.covariate_moved, arm.arm.mean)
    return ArmMean(arm.arm.users, arm.arm.requests, mean, se, arm.arm.effective_users)


def _largest(values: NDArray[Any]) -> float:
    import numpy as np

    return float(np.abs(values).max())

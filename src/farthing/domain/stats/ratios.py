"""The delta method for a ratio of two sums, beside the jackknife that decides: residuals, and errors from moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farthing.domain.stats.columns import Numbers, column, total
from farthing.domain.stats.means import ArmMean, mean_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Moments(Struct, frozen=True):
    """Of two figures of each user, the numerator's and the denominator's."""

    users: int
    mean: float
    """Of the numerator."""
    over: float
    """Mean of the denominator, not 0."""
    variance: float
    over_variance: float
    covariance: float


def residuals(numerators: Numbers, denominators: Numbers) -> NDArray[Any]:
    """For each user s_i − R·n_i, what is left when everybody has the ratio of the sums; their sum is 0.

    Raises:
        ZeroDivisionError: The denominators sum to 0.
    """
    s, n = column(numerators), column(denominators)
    left: NDArray[Any] = s - total(s) / total(n) * n
    return left


def ratio_mean(moments: Moments) -> ArmMean:
    """Ratio of means with variance (V_m − 2R·C + R²·V_d)/(n·d̄²) (Deng, Knoblich and Lu 2018, section 3)."""
    ratio = moments.mean / moments.over
    variance = moments.variance - 2 * ratio * moments.covariance + ratio**2 * moments.over_variance
    return mean_of(moments.users, ratio, max(0.0, variance) / moments.over**2)

"""A quantile of all requests, such as p95 latency, with an error that knows that a user's requests are alike."""

from __future__ import annotations

from math import ceil, floor, sqrt
from typing import TYPE_CHECKING, Any

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.columns import Numbers, column, counts
from farthing.domain.stats.means import ArmMean, mean_by_user

if TYPE_CHECKING:
    from numpy.typing import NDArray

ADVISED = 400
"""Requests in each arm from which a p95 is worth reading."""


def fewest_requests(share: float = 0.95) -> float:
    """4p/(1−p), 76 for p95: with no more requests the order statistics say nothing."""
    return round(4 * share / (1 - share), 9)


def arm_quantile(values: Numbers, users: Numbers, *, share: float = 0.95, alpha: float = 0.05) -> ArmMean | None:
    """The quantile with its standard error, as an arm to `compare`; None with too few requests.

    The error is that of the order statistics at ±z ranks around the quantile, for independent requests, times what
    clustering adds to the error of the share of requests at or below it (Deng, Knoblich and Lu 2018, section 4).

    Args:
        values: One for each request, in any unit.
        users: For each request a small integer, the same for all requests of a user.
        share: Which quantile, between 0 and 1.
        alpha: Level at which the ranks are taken.
    """
    import numpy as np

    found, owners = column(values), counts(users)
    n = int(found.size)
    if n <= fewest_requests(share):
        return None
    middle, error = _order_statistics(found, share, alpha)
    requests = np.bincount(owners)
    here = requests > 0
    within = mean_by_user(np.bincount(owners, weights=found <= middle).astype(np.int64)[here], requests[here])
    alone = sqrt(within.mean * (1 - within.mean) / n)
    excess = within.se / alone if alone and within.se else 1.0
    return ArmMean(within.users, n, middle, error * excess, within.effective_users)


def _order_statistics(found: NDArray[Any], share: float, alpha: float) -> tuple[float, float]:
    """The quantile, and the standard error that the ranks around it tell; ranks further away where those are equal."""
    import numpy as np

    n, reach = found.size, dist.normal_quantile(1 - alpha / 2)
    while True:
        away = reach * sqrt(share * (1 - share) / n)
        ends = floor(n * (share - away)) - 1, ceil(n * share) - 1, ceil(n * (share + away)) - 1
        ranks = [min(n - 1, max(0, rank)) for rank in ends]
        ordered = np.partition(found, ranks)
        low, middle, high = (float(ordered[rank]) for rank in ranks)
        if low < high or ranks[2] - ranks[0] == n - 1:
            return middle, (high - low) / (2 * reach)
        reach *= 2

"""A quantile of all requests, such as p95 latency, with an error that knows that a user's requests are alike."""

from __future__ import annotations

from math import ceil, floor, sqrt

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.columns import Numbers, column, counts
from farthing.domain.stats.means import ArmMean, arm_mean

ADVISED = 400
"""Requests in each arm from which a p95 is worth reading."""


def fewest_requests(share: float = 0.95) -> float:
    """4p/(1−p), 76 for p95: with no more requests the order statistics say nothing."""
    return 4 * share / (1 - share)


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
    reach = dist.normal_quantile(1 - alpha / 2)
    away = reach * sqrt(share * (1 - share) / n)
    ranks = [
        max(0, floor(n * (share - away)) - 1),
        min(n - 1, ceil(n * share) - 1),
        min(n - 1, ceil(n * (share + away))),
    ]
    ordered = np.partition(found, ranks)
    low, middle, high = (float(ordered[rank]) for rank in ranks)
    per_user = np.bincount(owners)
    within = np.bincount(owners, weights=found <= middle).astype(np.int64)
    clustered = arm_mean(within, per_user)
    if clustered is None:
        return None
    excess = clustered.se / sqrt(share * (1 - share) / n)
    se = (high - low) / (2 * reach) * excess
    return ArmMean(clustered.users, n, middle, se, clustered.effective_users)

"""The same data with its most expensive users capped, to see whether a handful of them made the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from farthing.domain.stats.columns import Numbers, column, counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAP = 0.99
"""Quantile of all arms' users at which means per request are capped."""


def winsorised(arms: Sequence[tuple[Numbers, Numbers]], *, share: float = CAP) -> list[NDArray[Any]]:
    """For each arm the users' sums, where no user's mean per request is over the pooled quantile of such means.

    Args:
        arms: For each arm the users' sums and their numbers of requests.
        share: Which quantile.
    """
    import numpy as np

    read = [(column(sums), counts(requests)) for sums, requests in arms]
    pooled = np.concatenate([np.zeros(0), *(sums[requests > 0] / requests[requests > 0] for sums, requests in read)])
    if not pooled.size:
        return [sums for sums, _ in read]
    cap = float(np.quantile(pooled, share))
    return [np.minimum(sums, cap * requests) for sums, requests in read]

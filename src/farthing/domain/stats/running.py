"""A mean as it stood at several moments, from sums by moment and user."""

from __future__ import annotations

from collections.abc import Iterator

from farthing.domain.stats.columns import Numbers, column, counts
from farthing.domain.stats.means import ArmMean, arm_mean


def running_means(moments: Numbers, users: Numbers, sums: Numbers, requests: Numbers) -> Iterator[ArmMean | None]:
    """The mean clustered by user up to and including each moment, None before anybody has a request.

    Args:
        moments: For each line its moment, whole and rising from 0; the last one says how many there are.
        users: For each line any whole number that tells users apart.
        sums: For each line the metric's sum.
        requests: For each line how many requests that were.
    """
    import numpy as np

    at, added, many = counts(moments), column(sums), counts(requests)
    _, place = np.unique(counts(users), return_inverse=True)
    held = np.zeros(int(place.max()) + 1 if place.size else 0, dtype=added.dtype)
    count = np.zeros(held.size, dtype=np.int64)
    start = 0
    for moment in range(int(at[-1]) + 1 if at.size else 0):
        end = int(np.searchsorted(at, moment, side="right"))
        np.add.at(held, place[start:end], added[start:end])
        np.add.at(count, place[start:end], many[start:end])
        start = end
        yield arm_mean(held, count)

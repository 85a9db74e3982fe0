"""The curve of a router: which model it picks for each prompt, at every price of quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farthing.insight.evaluation.table import Array, Table

POINTS = 256
"""On a curve; between two of them figures are interpolated, as if it were left to chance which one serves."""

_BELOW = 1 - 1e-9
"""A trade-off at which two models tie is passed by this little, so that the better one is picked."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What was got for what, at each point of a curve from the cheapest to the best."""

    quality: NDArray[np.float32]
    """Points by rows."""
    cost: NDArray[np.float32]
    """Points by rows, US dollars."""


def sweep(quality: Array, cost: Array, table: Table) -> Sweep:
    """The outcomes of argmax p - λc for predicted quality and cost, rows by models, while λ falls from infinity."""
    prices = trade_offs(quality, cost)
    chosen = np.empty((len(prices) + 1, len(quality)), dtype=np.int16)
    chosen[0] = _cheapest(quality, cost)
    for point, price in enumerate(prices.tolist(), 1):
        chosen[point] = np.argmax(quality - price * cost, axis=1)
    return taken(chosen, table)


def taken(chosen: NDArray[np.integer[Any]], table: Table) -> Sweep:
    """The outcomes of what was chosen: the column of a model, points by rows."""
    every = np.arange(len(table.rows))
    quality, cost = table.quality.astype(np.float32), table.cost.astype(np.float32)
    return Sweep(quality=quality[every, chosen], cost=cost[every, chosen])


def trade_offs(quality: Array, cost: Array) -> Array:
    """The λ at which choices change, falling; of many `POINTS`, with equally many changes between any two."""
    slopes = _slopes(quality, cost)
    if not slopes.size:
        return np.zeros(0)
    picked = slopes if slopes.size <= POINTS else np.quantile(slopes, np.linspace(1, 0, POINTS))
    return np.unique(picked)[::-1] * _BELOW


def _slopes(quality: Array, cost: Array) -> Array:
    """Quality gained per dollar at each step up every row's own hull."""
    at = _cheapest(quality, cost)
    every = np.arange(len(quality))
    found = []
    for _ in range(quality.shape[1] - 1):
        more_quality, more_cost = quality - quality[every, at, None], cost - cost[every, at, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.where((more_cost > 0) & (more_quality > 0), more_quality / more_cost, 0.0)
        steepest = slopes.argmax(axis=1)
        slope = slopes[every, steepest]
        found.append(slope[slope > 0])
        at = np.where(slope > 0, steepest, at)
    return np.concatenate(found)


def _cheapest(quality: Array, cost: Array) -> NDArray[np.int64]:
    """For each row the column of the lowest cost; of equals the best."""
    found: NDArray[np.int64] = np.where(cost == cost.min(axis=1, keepdims=True), quality, -np.inf).argmax(axis=1)
    return found


def singles(table: Table) -> Sweep:
    """Each model of the hull, for all rows: mixing them is ZERO."""
    return taken(np.repeat(np.array(hull(table))[:, None], len(table.rows), axis=1), table)


def hull(table: Table) -> list[int]:
    """The columns of the models on the non-decreasing concave hull of mean cost and quality, the cheapest first."""
    at = 0
    quality, cost = table.quality.mean(axis=0), table.cost.mean(axis=0)
    columns = [at]
    while True:
        more_quality, more_cost = quality - quality[at], cost - cost[at]
        better = (more_quality > 0) & (more_cost > 0)
        if not better.any():
            return columns
        at = int(np.divide(more_quality, more_cost, out=np.zeros_like(quality), where=better).argmax())
        columns.append(at)

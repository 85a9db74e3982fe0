"""Routing before and after a first answer: ask a cheap model, judge what it said, and ask another where that pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farthing.insight.evaluation.sweep import Sweep, taken, trade_offs
from farthing.insight.evaluation.table import Array, Table

_POINTS = 128
"""Of the curve."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is foretold of each model, before and after one of them was asked."""

    first: int
    """The column of the model that is asked first."""
    quality: Array
    """Rows by models: after its answer was read."""
    moves: Array
    """Samples by models: by how much the quality foretold has moved on other rows, once they were answered."""


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """The rows of one part, all by routers that have not seen them."""

    rows: NDArray[np.int64]
    """Their places in the table."""
    quality: Array
    """Rows by models, before anything was asked."""
    cost: Array
    """Rows by models, US dollars."""
    judged: Sequence[Judged]
    """One for each model that may be asked first."""


def cascade(parts: Sequence[Foretold], table: Table) -> Sweep:
    """The outcomes at falling λ of whatever is worth most: one model at once, or a first one and perhaps another.

    One model is worth p - λc. A first one is worth what is expected of the better of its answer and of any other model
    at its price, once the answer is read, less its own cost. Both answers are paid for.
    """
    prices = np.sort(np.concatenate([trade_offs(one, part.cost) for part in parts for one in _views(part)]))[::-1]
    if prices.size > _POINTS:
        prices = np.quantile(prices, np.linspace(1, 0, _POINTS))
    cheapest = np.empty(len(table.rows), dtype=np.int64)
    for part in parts:
        cheapest[part.rows] = part.cost.argmin(axis=1)
    begun = taken(cheapest[None], table)
    quality = np.empty((len(prices) + 1, len(table.rows)), dtype=np.float32)
    cost = np.empty_like(quality)
    quality[0], cost[0] = begun.quality[0], begun.cost[0]
    for point, price in enumerate(prices.tolist(), 1):
        for part in parts:
            first, last = _picked(part, price)
            asked = last != first
            quality[point, part.rows] = table.quality[part.rows, last]
            cost[point, part.rows] = table.cost[part.rows, last] + asked * table.cost[part.rows, first]
    return Sweep(quality=quality, cost=cost)


def _views(part: Foretold) -> list[Array]:
    return [part.quality, *(one.quality for one in part.judged)]


def _picked(part: Foretold, price: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The model that is asked first for each row, and the one whose answer is taken."""
    net = part.quality - price * part.cost
    first, worth = net.argmax(axis=1), net.max(axis=1)
    last = first.copy()
    for one in part.judged:
        expected = _expected(part, one, price)
        better = expected > worth
        worth = np.where(better, expected, worth)
        after = one.quality - price * part.cost
        after[:, one.first] = one.quality[:, one.first]
        first, last = np.where(better, one.first, first), np.where(better, after.argmax(axis=1), last)
    return first, last


def _expected(part: Foretold, judged: Judged, price: float) -> Array:
    """What asking this model first is worth."""
    paid = part.cost.copy()
    paid[:, judged.first] = 0.0
    net = part.quality - price * paid
    best = np.zeros(len(net))
    for move in judged.moves:
        best += (net + move).max(axis=1)
    return best / len(judged.moves) - price * part.cost[:, judged.first]

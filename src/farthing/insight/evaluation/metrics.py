"""Figures of a curve, as they are published; every function takes many resamples at once, one a line."""

from __future__ import annotations

import numpy as np

from farthing.insight.evaluation.table import Array

BINS = 10
"""RouteLLM's evaluation compares routers at as many equally large steps of the share of strong calls."""


def cost_to_reach(quality: Array, cost: Array, target: Array) -> Array:
    """The least cost at which each curve, resamples by points, has the target; infinite where it never has."""
    return _least(cost, quality - target[:, None])


def quality_within(quality: Array, cost: Array, budget: float) -> Array:
    """The highest quality that each curve, resamples by points, has for at most this cost; NaN where it has none."""
    found = -_least(-quality, budget - cost)
    return np.where(np.isfinite(found), found, np.nan)


def _least(value: Array, margin: Array) -> Array:
    """The least value on each broken line where its margin is not negative."""
    least = np.where(margin >= 0, value, np.inf).min(axis=1)
    before, after = margin[:, :-1], margin[:, 1:]
    crosses = before * after < 0
    share = np.divide(before, before - after, out=np.zeros_like(before), where=crosses)
    between = np.where(crosses, value[:, :-1] + share * np.diff(value, axis=1), np.inf)
    found: Array = np.minimum(least, between.min(axis=1, initial=np.inf))
    return found


def aiq(quality: Array, cost: Array, cheapest: Array, dearest: Array) -> Array:
    """Average improvement in quality: the mean height of the non-decreasing convex hull between two costs.

    RouterBench (arXiv 2403.12031), section 3: the hull begins at no cost and no quality, and stays level after its
    last point. The bounds are the mean cost of the cheapest and of the dearest model.
    """
    lines = zip(quality, cost, cheapest, dearest, strict=True)
    return np.array([_height(*_hull(line, at), float(low), float(high)) for line, at, low, high in lines])


def _hull(quality: Array, cost: Array) -> tuple[Array, Array]:
    """Costs and qualities of the corners."""
    corners = [(0.0, 0.0)]
    for at, height in sorted(zip(cost.tolist(), quality.tolist(), strict=True)):
        if height <= corners[-1][1]:
            continue
        while len(corners) > 1 and _is_under(corners[-2], corners[-1], (at, height)):
            corners.pop()
        corners.append((at, height))
    found = np.array(corners)
    return found[:, 0], found[:, 1]


def _is_under(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the middle point lies on or under the line from the first to the last."""
    rise, run = middle[1] - first[1], middle[0] - first[0]
    return rise * (last[0] - first[0]) <= (last[1] - first[1]) * run


def _height(cost: Array, quality: Array, low: float, high: float) -> float:
    if high <= low:
        return float(np.interp(high, cost, quality))
    inside = cost[(cost > low) & (cost < high)]
    at = np.concatenate(([low], inside, [high]))
    return float(np.trapezoid(np.interp(at, cost, quality), at) / (high - low))


def call_edges(score: Array) -> Array:
    """The thresholds, falling, that split the scores of the rows into `BINS` equally large parts."""
    return np.unique(np.quantile(score, np.linspace(0, 1, BINS + 1), method="inverted_cdf"))[::-1]


def apgr(share: Array, recovered: Array) -> Array:
    """Average performance gap recovered, the area under the recovered gap over the share of strong calls.

    RouteLLM (arXiv 2406.18665), section 2.3. Both are resamples by points, from no strong call to only such.
    """
    found: Array = np.asarray(np.trapezoid(recovered, share, axis=1))
    return found


def cpt(share: Array, recovered: Array, wanted: float) -> Array:
    """Call-performance threshold: the least share of strong calls, in per cent, that recovers this part of the gap."""
    return 100 * cost_to_reach(recovered, share, np.full(len(share), wanted))

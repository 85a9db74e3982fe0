"""The published figures of a router's curve, each with an interval by bootstrap over prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from farthing.insight.evaluation import metrics
from farthing.insight.evaluation.sweep import Sweep
from farthing.insight.evaluation.table import Array, Table

CONFIDENCE = 0.95
"""Of the intervals: percentiles of the resamples."""
PUBLISHED_BUDGETS = (0.000235, 0.00065)
"""US dollars per request at which ParetoBandit's routers are compared."""

_SHARES = {"cost@95": 0.95, "cost@99": 0.99, "cost@100": 1.0}
_FIXED = 0.99
_MOST_RESAMPLES, _LEAST_RESAMPLES, _MOST_WEIGHTS = 500, 100, 10_000_000
_DIGITS = {"aiq": 4, "apgr": 4}
_PERCENT_DIGITS, _REWARD_DIGITS = 2, 4
_ROUNDING = 1 - 1e-6
"""Outcomes are kept in single precision: what misses a target by less has it."""


class Figure(Struct, frozen=True):
    """A figure and where it lies in 95% of resamples; `None` where it is not defined, or never reached."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A router's curve, and how much better it takes the strong model to be than the weak, for each row."""

    sweep: Sweep
    gain: Array


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What all routers are scored on."""

    table: Table
    folds: NDArray[np.int64]
    """Of each row."""
    weights: NDArray[np.float32]
    """How often each resample holds each row, resamples by rows; the first is the sample as it is."""

    def mean(self, values: NDArray[np.float32]) -> Array:
        """Of points by rows, or of rows alone, in every resample: resamples by points."""
        return (self.weights @ values.T).astype(np.float64) / len(self.table.rows)


def sample(table: Table, folds: Sequence[int]) -> Sample:
    """Draws the resamples: up to 500, fewer where there are many rows."""
    count = len(table.rows)
    resamples = min(max(_MOST_WEIGHTS // count, _LEAST_RESAMPLES), _MOST_RESAMPLES)
    chance = np.random.default_rng(0)
    weights = np.empty((resamples + 1, count), dtype=np.float32)
    weights[0] = 1
    for line in weights[1:]:
        line[:] = np.bincount(chance.integers(count, size=count), minlength=count)
    return Sample(table=table, folds=np.array(folds), weights=weights)


def figures(scored: Scored, of: Sample, budgets: Sequence[float]) -> Mapping[str, Figure | Mapping[str, Figure]]:
    """Every figure by its name.

    - `cost@95`, `cost@99`, `cost@100`: the cost for this share of the best single model's quality, in per cent of that
      model's cost.
    - `op99`: the cost where the trade-off is fixed on the other folds so that it reaches 99% there; `op99_quality`: the
      quality that it then has, in per cent of the best single model's.
    - `aiq` of RouterBench; `apgr`, `cpt50`, `cpt80` of RouteLLM, between the cheapest and the best single model.
    - `reward_at`: quality for at most so many US dollars per request, by the amount.
    """
    table = of.table
    quality, cost = of.mean(scored.sweep.quality), of.mean(scored.sweep.cost)
    every_quality, every_cost = of.mean(table.quality.T.astype(np.float32)), of.mean(table.cost.T.astype(np.float32))
    bests = every_quality.argmax(axis=1)
    lines = np.arange(len(bests))
    best_quality, best_cost = every_quality[lines, bests], every_cost[lines, bests]
    found = {
        name: _percent(metrics.cost_to_reach(quality, cost, share * best_quality * _ROUNDING), best_cost)
        for name, share in _SHARES.items()
    }
    points = _fixed(scored.sweep, of)
    every = np.arange(len(points))
    is_fixed = len(np.unique(of.folds)) > 1
    found["op99"] = _percent(of.mean(scored.sweep.cost[points, every]), best_cost * is_fixed)
    found["op99_quality"] = _percent(of.mean(scored.sweep.quality[points, every]), best_quality * is_fixed)
    found["aiq"] = metrics.aiq(quality, cost, every_cost.min(axis=1), every_cost.max(axis=1))
    found |= _call_figures(scored.gain, of)
    rewards = {
        _amount(budget): _figure(metrics.quality_within(quality, cost, budget), _REWARD_DIGITS) for budget in budgets
    }
    shown = {name: _figure(values, _DIGITS.get(name, _PERCENT_DIGITS)) for name, values in found.items()}
    return {**shown, "reward_at": rewards}


def _percent(part: Array, whole: Array) -> Array:
    """NaN where the whole is nothing."""
    found: Array = np.divide(100 * part, whole, out=np.full_like(part, np.nan), where=whole > 0)
    return found


def _fixed(swept: Sweep, of: Sample) -> NDArray[np.int64]:
    """For each row the cheapest point that keeps 99% on the other folds, else the best there."""
    points = np.zeros(len(of.folds), dtype=np.int64)
    for fold in np.unique(of.folds):
        others = of.folds != fold
        if not others.any():
            break
        quality, cost = swept.quality[:, others].mean(axis=1), swept.cost[:, others].mean(axis=1)
        target = _FIXED * of.table.quality[others].mean(axis=0).max() * _ROUNDING
        reaching = np.where(quality >= target, cost, np.inf)
        points[~others] = reaching.argmin() if np.isfinite(reaching).any() else quality.argmax()
    return points


def _call_figures(gain: Array, of: Sample) -> dict[str, Array]:
    """RouteLLM's, which count calls of the best single model, not dollars."""
    strong = of.table.best
    better = (of.table.quality[:, strong] - of.table.quality[:, 0]).astype(np.float32)
    edges = metrics.call_edges(gain)
    strong_calls = np.vstack([np.zeros_like(gain), *(gain >= edge for edge in edges)]).astype(np.float32)
    share, got = of.mean(strong_calls), of.mean(strong_calls * better)
    gap = got[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        recovered = np.where(gap > 0, got / gap, np.nan)
    if not gap[0] > 0:
        recovered = np.full_like(recovered, np.nan)
    undefined = np.isnan(recovered[:, 0])
    return {
        "apgr": metrics.apgr(share, recovered),
        "cpt50": np.where(undefined, np.nan, metrics.cpt(share, recovered, 0.5)),
        "cpt80": np.where(undefined, np.nan, metrics.cpt(share, recovered, 0.8)),
    }


def _figure(values: Array, digits: int) -> Figure:
    """The first is the figure, the others its resamples."""
    spread = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not spread.size:
        return Figure(None, None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(spread, [tail, 1 - tail], method="inverted_cdf")
    return Figure(*(round(float(value), digits) if np.isfinite(value) else None for value in (values[0], low, high)))


def _amount(usd: float) -> str:
    return f"{usd:.9f}".rstrip("0").rstrip(".")

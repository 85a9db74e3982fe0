"""`make validate-replay`: whether a replay's intervals cover the truth, on public data with every outcome recorded.

A policy with a floor of 0.02 and some exploration answers 10,000 requests, some of which are rated, some kinds of
questions more often than others. A replay tells what a floor of 0.15 would have been worth; the recorded outcomes tell
what is true. What is foretold is also made wrong on purpose: that may cost width, but not the truth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import store
from benchmarks.routing.promise import foreseen
from benchmarks.routing.sets import absent, folder, path_of
from benchmarks.tables import aligned
from farthing.domain.routing.patterns import pattern_of
from farthing.domain.stats.offpolicy import Comparison, Replayed, compare_choices
from farthing.insight.learning.labels import read_labels

Array = NDArray[Any]

SETS: Mapping[str, tuple[str, ...] | None] = {
    "pareto4": None,
    "uiuc9": (
        "llama-3.3-nemotron-super-49b-v1",
        "llama-3.1-nemotron-51b-instruct",
        "gemma-2-9b-it",
        "mistral-7b-instruct-v0.3",
    ),
}
"""The models to choose from; None for all."""
REQUESTS = 10_000
RUNS = 300
EXPLORED = (0.02, 0.05, 0.1)
RATED = (0.1, 0.3)
"""On average of all kinds of questions."""
UNEVEN = (0.5, 1.0, 1.5, 1.0, 0.7, 1.3, 1.0)
"""Times as often as on average, by kind."""
FLOORS = (0.02, 0.15)
"""Of the policy that answered, and of the one that is asked about."""
WRONG: Mapping[str, Callable[[Array], Array]] = {
    "as learned": lambda quality: quality,
    "half of it, and 0.2": lambda quality: quality / 2 + 0.2,
    "the same for all": lambda quality: np.full_like(quality, quality.mean()),
}
"""What is foretold, made of what was learned from other requests."""
LEAST_COVERED = 0.93
NORMAL_95 = 1.96
ENOUGH = 100
"""Effective ratings from which the error must be less than that of a mean of ratings."""


@dataclass(frozen=True)
class World:
    """All outcomes of the requests of a set."""

    quality: Array
    """Requests by models, the cheapest first."""
    learned: Array
    """The same, foretold by what has learned from other requests."""
    kind: Array
    """Of each request's question, a number from 0."""


@dataclass(frozen=True)
class Row:
    """What became of the replays of one setting."""

    covered: float
    """Share of intervals of the quality that held the truth."""
    covered_difference: float
    """The same of the difference to what was."""
    width: float
    """Mean distance from the middle of an interval to its end."""
    error: float
    """Mean size of the error of the quality."""
    naive: float
    """The same of the mean rating of the requests where the choice is what answered."""
    covered_naive: float
    """Share of intervals of that mean that held the truth."""
    effective: float

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of intervals that held the truth."""
        return self.covered, self.covered_difference, self.covered_naive

    @property
    def is_kept(self) -> bool:
        """Whether the intervals cover what they should, and the error is less where there are ratings enough."""
        is_covered = min(self.covered, self.covered_difference) >= LEAST_COVERED
        return is_covered and (self.effective < ENOUGH or self.error < self.naive)


def main() -> int:
    """The exit code says whether the goals are reached."""
    data = folder(__doc__, SETS)
    if data is None:
        return absent()
    heads = ("covered", "difference", "naive", "error", "naive", "+-", "effective", "")
    lines: list[tuple[str, ...]] = [("set", "explored", "rated", "foretold", *heads)]
    rows = []
    for name, models in SETS.items():
        world = world_of(path_of(data, name), models)
        for explored in EXPLORED:
            for rated in RATED:
                for wrong, foretold in WRONG.items():
                    row = tried(world, explored, rated, foretold)
                    rows.append(row)
                    figures = (f"{100 * share:.1f} %" for share in row.shares)
                    points = (f"{100 * value:.2f}" for value in (row.error, row.naive, row.width))
                    said = (f"{row.effective:.0f}", "" if row.is_kept else "MISSED")
                    lines.append((name, f"{100 * explored:g} %", f"{100 * rated:g} %", wrong, *figures, *points, *said))
    covered = np.mean([row.covered for row in rows])
    missed = sum(not row.is_kept for row in rows) + int(covered < LEAST_COVERED)
    text = "\n".join(
        [*aligned(lines), "", f"{100 * covered:.1f} % of all intervals hold the truth; goals missed: {missed}"]
    )
    print(text)
    store("routing-replay", text)
    return missed > 0


def world_of(path: Path, names: tuple[str, ...] | None) -> World:
    """The outcomes of a file where those of all these models are recorded."""
    rows = read_labels(path)
    models = list(names or sorted({model for row in rows for model in row.outcomes}))
    rows = [row for row in rows if all(model in row.outcomes for model in models)]
    quality = np.array([[row.outcomes[model].quality for model in models] for row in rows])
    learned, _ = foreseen(rows, models)
    # What is dear is taken to be what is good: the policies choose between price and quality.
    order = quality.mean(axis=0).argsort()
    patterns = [pattern_of(row.prompt) for row in rows]
    kinds = sorted(set(patterns))
    return World(quality[:, order], learned[:, order], np.array([kinds.index(pattern) for pattern in patterns]))


def tried(world: World, explored: float, rated: float, foretold: Callable[[Array], Array]) -> Row:
    """The replays of one setting."""
    dice = np.random.default_rng(20261121)
    found = [_replay(world, explored, rated, foretold, dice) for _ in range(RUNS)]
    return Row(*np.array(found).mean(axis=0).tolist())


def _replay(
    world: World, explored: float, rated: float, foretold: Callable[[Array], Array], dice: np.random.Generator
) -> tuple[float, ...]:
    drawn = dice.integers(0, len(world.quality), REQUESTS)
    quality, learned, kind = world.quality[drawn], world.learned[drawn], world.kind[drawn]
    every, models = np.arange(REQUESTS), quality.shape[1]
    usual, choice = (cheapest(learned, floor) for floor in FLOORS)
    propensity = np.full(quality.shape, explored / (models - 1))
    propensity[every, usual] = 1 - explored
    model = (usual + (dice.random(REQUESTS) < explored) * dice.integers(1, models, REQUESTS)) % models
    chance = np.minimum(1, rated * np.array(UNEVEN)[kind % len(UNEVEN)])
    rating = np.where(dice.random(REQUESTS) < chance, quality[every, model], nan)
    is_rated, expected = ~np.isnan(rating), foretold(learned)
    found = compare_choices(
        Replayed(
            was=expected[every, model],
            would=expected[every, choice],
            rating=rating,
            is_same=model == choice,
            propensity=propensity[every, choice],
            rated=(np.bincount(kind, is_rated) / np.maximum(np.bincount(kind), 1))[kind],
            model=model,
            choice=choice,
        )
    )
    if found is None:
        raise ValueError("not one answer is rated: nothing can be tried")
    return _held(
        found, quality[every, choice].mean(), quality[every, model].mean(), rating[is_rated & (model == choice)]
    )


def _held(found: Comparison, would: float, was: float, matched: Array) -> tuple[float, ...]:
    """The fields of a row; `matched` are the ratings where the choice is what answered."""
    low, high = found.would.interval
    least, most = found.difference.interval
    naive = abs(float(matched.mean()) - would)
    return (
        low <= would <= high,
        least <= would - was <= most,
        (high - low) / 2,
        abs(found.would.mean - would),
        naive,
        naive <= NORMAL_95 * matched.std() / np.sqrt(len(matched)),
        found.would.effective,
    )


def cheapest(quality: Array, floor: float) -> Array:
    """The cheapest model within the floor of the best, for each request; models stand in the order of their price."""
    chosen: Array = (quality >= quality.max(axis=1, keepdims=True) - floor).argmax(axis=1)
    return chosen


if __name__ == "__main__":
    sys.exit(main())

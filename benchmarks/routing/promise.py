"""`python -m benchmarks.routing.promise`: how often promises of quality are broken, and what they save, on public data.

A set of recorded outcomes stands for all requests of a route: what a setting loses there is the truth. Samples of it
are what is rated; each chooses the boldest setting that it lets through, and is then held to the truth.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import store
from benchmarks.routing.sets import absent, folder, path_of
from benchmarks.tables import aligned
from farthing.domain.routing.promise import boldest
from farthing.domain.routing.rules import Promise
from farthing.insight.learning.labels import FOLDS, Labelled, fold_of, read_labels
from farthing.insight.learning.training import fit

Array = NDArray[np.float64]

BASELINES = {
    "mmlu_gpt4_mixtral": "gpt-4-1106-preview",
    "gsm8k_gpt4_mixtral": "gpt-4-1106-preview",
    "uiuc9": "llama-3.1-nemotron-51b-instruct",
}
FLOORS = [step / 100 for step in range(51)]
"""The settings: how much less quality than the baseline's may be expected of a cheaper model."""
PROMISES = [Promise(points=points) for points in (0.01, 0.02, 0.05)]
SIZES = (300, 1_000, 3_000)
"""Requests that are held back to be rated."""
SAMPLES = 1_000
GOAL = ("mmlu_gpt4_mixtral", 0.02, 1_000)
"""The set, points and size for which a saving is asked for."""
LEAST_SAVED = 0.26


@dataclass(frozen=True)
class Route:
    """What each setting does to a set, settings by requests."""

    loss: Array
    """The baseline's quality less that of the model that is chosen."""
    saved: Array
    """By setting: the share of the baseline's cost, or of its calls where no costs were recorded."""


@dataclass(frozen=True)
class Row:
    """What became of the samples of one size under one promise."""

    broken: float
    """Share of them that chose a setting which loses more than was promised."""
    tuned: float
    """The same, had the boldest setting been chosen that loses no more on the sample."""
    saved: float
    """On average of the samples."""


def main() -> int:
    """The exit code says whether the promises are kept and save what is asked for."""
    data = folder(__doc__, BASELINES)
    if data is None:
        return absent()
    lines: list[tuple[str, ...]] = [
        ("set", "points", "held back", "tuned: broken", "promise: broken", "saves", "at most")
    ]
    missed = False
    for name, baseline in BASELINES.items():
        route = route_of(read_labels(path_of(data, name)), baseline)
        for promise in PROMISES:
            most = max([0.0, *route.saved[route.loss.mean(axis=1) <= promise.points]])
            for size in SIZES:
                row = tried(route, promise, size)
                missed |= row.broken > limit(promise) or (
                    (name, promise.points, size) == GOAL and row.saved < LEAST_SAVED
                )
                shares = [f"{100 * share:.1f} %" for share in (row.tuned, row.broken, row.saved, most)]
                lines.append((name, f"{100 * promise.points:g}", f"{size:,}", *shares))
    text = "\n".join([*aligned(lines), "", "goals missed" if missed else "goals reached"])
    print(text)
    store("routing-promise", text)
    return missed


def limit(promise: Promise) -> float:
    """The share of samples that may break it: what it says, and twice the error of so many samples."""
    share = 1 - promise.confidence
    return share + 2 * float(np.sqrt(share * (1 - share) / SAMPLES))


def route_of(rows: Sequence[Labelled], baseline: str) -> Route:
    """What the settings of a predictor do that has learned from the other folds."""
    models = sorted({model for row in rows for model in row.outcomes})
    base = models.index(baseline)
    quality = np.array([[row.outcomes[model].quality for model in models] for row in rows])
    cost = np.array([[row.outcomes[model].cost or 0 for model in models] for row in rows])
    if not cost.any():
        cost[:, base] = 1
    expected, foretold = foreseen(rows, models)
    if not foretold.any():
        foretold = cost
    every = np.arange(len(rows))
    chosen = [np.where(expected >= expected[:, [base]] - floor, foretold, np.inf).argmin(axis=1) for floor in FLOORS]
    return Route(
        loss=np.array([quality[:, base] - quality[every, one] for one in chosen]),
        saved=np.array([1 - cost[every, one].sum() / cost[:, base].sum() for one in chosen]),
    )


def foreseen(rows: Sequence[Labelled], models: Sequence[str]) -> tuple[Array, Array]:
    """Expected quality and cost of each model, rows by models; no row is foretold by what has seen it."""
    folds = np.array([fold_of(row.id) for row in rows])
    quality, cost = np.zeros((len(rows), len(models))), np.zeros((len(rows), len(models)))
    for fold in range(FOLDS):
        learned = fit([row for row, its in zip(rows, folds, strict=True) if its != fold], models=models)
        here = np.flatnonzero(folds == fold)
        quality[here], cost[here] = learned.predict_many([rows[int(place)].prompt for place in here])
    return quality, cost


def tried(route: Route, promise: Promise, size: int) -> Row:
    """What becomes of samples that are drawn with replacement."""
    dice = np.random.default_rng(size)
    truth = route.loss.mean(axis=1)
    broken = tuned = 0
    saved = 0.0
    for _ in range(SAMPLES):
        drawn = dice.integers(0, route.loss.shape[1], size)
        kept = sum(verdict.is_kept for verdict in boldest(losses(route, drawn), promise))
        if kept:
            broken += bool(truth[kept - 1] > promise.points)
            saved += float(route.saved[kept - 1])
        naive = np.flatnonzero(route.loss[:, drawn].mean(axis=1) <= promise.points)
        tuned += bool(len(naive) and truth[naive[-1]] > promise.points)
    return Row(broken / SAMPLES, tuned / SAMPLES, saved / SAMPLES)


def losses(route: Route, drawn: NDArray[np.int64]) -> Iterator[list[float]]:
    """Of these requests under each setting, worked out as they are asked for."""
    for line in route.loss:
        yield line[drawn].tolist()


if __name__ == "__main__":
    sys.exit(main())

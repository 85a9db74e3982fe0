"""`python -m benchmarks.routing.online`: what is corrected and paced between two trainings, on recorded outcomes.

A predictor learns from the first prompts of a set, the others come one after the other. What most of them go to gets
worse without a word; or all of them together may cost less than they would.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.machine import store
from benchmarks.routing.sets import absent, folder, path_of
from benchmarks.tables import aligned
from farthing.domain.pricing import NANO
from farthing.domain.routing import QUALITY_FLOOR
from farthing.domain.routing.pace import Pace
from farthing.domain.routing.residual import Residual
from farthing.insight.learning.labels import Outcome, read_labels
from farthing.insight.learning.training import fit

SET, LEARNED, WORSE_FROM = "pareto4", 400, 300
"""The set, its prompts that are learned from, and of the others those before the fall."""
EXPLORED = 0.02
FALLS, RATED = (0.0, 0.1, 0.3, 0.5), (1.0, 0.2)
"""The share of its quality that the model loses, and the share of answers that are rated."""
ORDERS = 5
TARGETS = (0.8, 0.5, 0.3)
"""Shares of what requests cost without a pace."""
ROUND = 20
"""Requests after each of which the pace is worked out."""
SETTLED = 600


@dataclass(frozen=True)
class Asked:
    """A prompt, what was recorded of each model, and what is expected of it: quality and US dollars."""

    text: str
    outcomes: dict[str, Outcome]
    expected: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Told:
    """What became of the requests after the fall, on average."""

    quality: float
    share: float
    """Of them that went to the model that fell."""


def main() -> int:
    """The exit code says whether a fall is met and nothing is lost where there is none."""
    data = folder(__doc__, [SET])
    if data is None:
        return absent()
    stream = stream_of(data)
    lines: list[tuple[str, ...]] = [("falls by", "rated", "quality", "uncorrected", "still goes there", "uncorrected")]
    saved = []
    for fall in FALLS:
        before = [fallen(stream, fall, 0.0, seed) for seed in range(ORDERS)]
        for rated in RATED:
            after = [fallen(stream, fall, rated, seed) for seed in range(ORDERS)]
            told = [mean(after, "quality"), mean(before, "quality"), mean(after, "share"), mean(before, "share")]
            saved.append(told[0] - told[1])
            lines.append((f"{fall:.0%}", f"{rated:.0%}", *(f"{value:.3f}" for value in told)))
    paces: list[tuple[str, ...]] = [("target", "of the cost without one", "mean to target", "quality")]
    usual = sum(spent(stream, None)[0]) / len(stream)
    for share in TARGETS:
        costs, quality = spent(stream, share * usual)
        paces.append(
            (
                f"${share * usual:.6f}",
                f"{share:.0%}",
                f"{np.mean(costs[SETTLED:]) / usual / share:.3f}",
                f"{quality:.3f}",
            )
        )
    text = "\n".join([f"{SET}, {len(stream):,} prompts", "", *aligned(lines), "", *aligned(paces)])
    print(text)
    store("routing-online", text)
    return saved[0] < -QUALITY_FLOOR or saved[-1] < FALLS[-1] / 2


def mean(told: Sequence[Told], name: str) -> float:
    """Over the orders in which prompts come."""
    return float(np.mean([getattr(one, name) for one in told]))


def stream_of(data: Path) -> list[Asked]:
    """The prompts that were not learned from, of which every model's answer was recorded."""
    rows = read_labels(path_of(data, SET))
    models = sorted({model for row in rows for model in row.outcomes})
    rows = [row for row in rows if len(row.outcomes) == len(models)]
    Random(1).shuffle(rows)
    learned, rest = fit(rows[:LEARNED], models=models), rows[LEARNED:]
    quality, cost = learned.predict_many([row.prompt for row in rest])
    return [
        Asked(row.prompt, dict(row.outcomes), dict(zip(models, zip(*told, strict=True), strict=True)))
        for row, *told in zip(rest, quality.tolist(), cost.tolist(), strict=True)
    ]


def cheapest(expected: dict[str, tuple[float, float]]) -> str:
    """Of the models within the floor of the best."""
    best = max(quality for quality, _ in expected.values())
    within = [model for model, (quality, _) in expected.items() if quality >= best - QUALITY_FLOOR]
    return min(within, key=lambda model: expected[model][1])


def fallen(stream: Sequence[Asked], fall: float, rated: float, seed: int) -> Told:
    """The model that most requests went to loses a share of its quality; ratings correct what is expected."""
    random, order = Random(seed), list(stream)
    random.shuffle(order)
    models = tuple(order[0].expected)
    usual = [cheapest(asked.expected) for asked in order[:WORSE_FROM]]
    victim = max(models, key=usual.count)
    residual, found = Residual(models), []
    for place, asked in enumerate(order):
        shifts = residual.correction.of(asked.text) if rated else dict.fromkeys(models, 0.0)
        model = cheapest({name: (told[0] + shifts[name], told[1]) for name, told in asked.expected.items()})
        if random.random() < EXPLORED:
            model = random.choice(models)
        outcome = asked.outcomes[model]
        quality = outcome.quality * (1 - fall if place >= WORSE_FROM and model == victim else 1)
        if random.random() < rated:
            residual.learn(asked.text, model, quality - asked.expected[model][0])
        found.append((quality, model == victim))
    quality, share = np.mean(found[WORSE_FROM:], axis=0)
    return Told(float(quality), float(share))


def spent(stream: Sequence[Asked], target: float | None) -> tuple[list[float], float]:
    """US dollars of each request, and the mean quality, at a pace."""
    rounds, costs, qualities = list[tuple[int, int]](), list[float](), []
    points = 0.0
    for asked in stream:
        if target is not None and costs and len(costs) % ROUND == 0:
            rounds.append((ROUND, round(sum(costs[-ROUND:]) * NANO)))
            points = Pace.of(rounds, target).points_per_usd
        first = cheapest(asked.expected)
        most = asked.expected[first][1]
        cheaper = {model: told for model, told in asked.expected.items() if told[1] <= most}
        worth = {model: quality - points * usd for model, (quality, usd) in cheaper.items()}
        model = max(worth, key=worth.__getitem__) if points else first
        costs.append(asked.outcomes[model].cost or 0.0)
        qualities.append(asked.outcomes[model].quality)
    return costs, float(np.mean(qualities))


if __name__ == "__main__":
    sys.exit(main())

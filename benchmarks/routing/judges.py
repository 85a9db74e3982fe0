"""`python -m benchmarks.routing.judges`: promises held to a judge who errs, with and without people who rate.

Recorded outcomes stand for what people would say. A judge grades both answers and takes some wrong ones for right;
people rate a share of what was served.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import store
from benchmarks.routing.promise import foreseen
from benchmarks.routing.sets import absent, folder, path_of
from benchmarks.tables import aligned
from farthing.domain.routing.compared import Seen, by_judge, losses_of
from farthing.domain.routing.promise import boldest
from farthing.domain.routing.promised import MARGINS
from farthing.domain.routing.rules import Promise
from farthing.insight.learning.labels import Labelled, read_labels

Array = NDArray[np.float64]

SET, MODELS = "mmlu_gpt4_mixtral", ("gpt-4-1106-preview", "mixtral-8x7b-instruct")
"""The baseline and the cheaper model."""
PROMISES = [Promise(points=points) for points in (0.02, 0.05)]
SIZES = ((1_000, 0.3), (3_000, 0.3), (3_000, 1.0))
"""Pairs, and the share of them whose served answer people rate."""
ALWAYS_WRONG = 0.05
"""Share of the answers that a judge takes for the contrary of what they are."""
JUDGES = {"fair": ALWAYS_WRONG, "flatters": 0.3}
"""Share of the cheaper model's wrong answers that he takes for right."""
SERVED_WITHIN = 0.1
"""The margin that is in force where one is: within it the cheaper answer is served, beyond it the baseline's."""
SAMPLES = 200


@dataclass(frozen=True)
class Route:
    """Requests, each answered by both models."""

    quality: Array
    """Requests by models."""
    short: Array
    """By how much less is expected of the cheaper one, by request."""

    def lost(self, margin: float) -> float:
        """On average of all requests, in truth."""
        apart = self.quality[:, 0] - self.quality[:, 1]
        return float(np.where(self.short <= margin, apart, 0).mean())


def main() -> int:
    """The exit code is 1 only where data are missing that must be there."""
    data = folder(__doc__, [SET])
    if data is None:
        return absent()
    route = route_of(read_labels(path_of(data, SET)))
    lines: list[tuple[str, ...]] = [
        ("judge", "served", "points", "pairs", "rated", "judge alone: broken", "saves", "people too: broken", "saves")
    ]
    for judge, kindness in JUDGES.items():
        for is_by_margin in (False, True):
            for promise in PROMISES:
                for size, rated in SIZES:
                    found = tried(route, promise, size, rated, kindness=kindness, is_by_margin=is_by_margin)
                    shares = [f"{100 * share:.1f} %" for each in found for share in each]
                    served = "by margin" if is_by_margin else "by chance"
                    lines.append((judge, served, f"{100 * promise.points:g}", f"{size:,}", f"{rated:.0%}", *shares))
    text = "\n".join(aligned(lines))
    print(text)
    store("routing-judges", text)
    return 0


def route_of(rows: Sequence[Labelled]) -> Route:
    """Cross-fitted: no row is foretold by what has seen it."""
    expected, _ = foreseen(rows, MODELS)
    quality = np.array([[row.outcomes[model].quality for model in MODELS] for row in rows])
    return Route(quality, expected[:, 0] - expected[:, 1])


def tried(
    route: Route, promise: Promise, size: int, rated: float, *, kindness: float, is_by_margin: bool
) -> list[tuple[float, float]]:
    """Share of the samples that break the promise, and of the calls that are saved: by the judge, and with people."""
    dice = np.random.default_rng(size)
    truth = [route.lost(margin) for margin in MARGINS]
    saves = [float((route.short <= margin).mean()) for margin in MARGINS]
    broken, saved = [0, 0], [0.0, 0.0]
    for _ in range(SAMPLES):
        seen = drawn(route, size, rated, kindness=kindness, is_by_margin=is_by_margin, dice=dice)
        settings = (
            (by_judge(seen, margin) for margin in MARGINS),
            (losses_of(seen, margin, promise) for margin in MARGINS),
        )
        for place, losses in enumerate(settings):
            kept = sum(verdict.is_kept for verdict in boldest(losses, promise))
            if kept:
                broken[place] += truth[kept - 1] > promise.points
                saved[place] += saves[kept - 1]
    return [(bad / SAMPLES, good / SAMPLES) for bad, good in zip(broken, saved, strict=True)]


def drawn(
    route: Route, size: int, rated: float, *, kindness: float, is_by_margin: bool, dice: np.random.Generator
) -> list[Seen]:
    """Requests as the judge and people see them, drawn with replacement."""
    chosen = dice.integers(0, len(route.short), size)
    quality, short = route.quality[chosen], route.short[chosen]
    mistaken = np.where(quality > 0.5, ALWAYS_WRONG, [ALWAYS_WRONG, kindness])
    graded = np.where(dice.random(quality.shape) < mistaken, 1 - quality, quality)
    of_baseline = short > SERVED_WITHIN if is_by_margin else dice.random(size) < 0.5
    errors = np.where(of_baseline, *(quality - graded).T)
    is_rated = dice.random(size) < rated
    return [
        Seen(short=float(away), loss=float(loss), of_baseline=bool(side), error=float(error) if told else None)
        for away, loss, side, error, told in zip(
            short, graded[:, 0] - graded[:, 1], of_baseline, errors, is_rated, strict=True
        )
    ]


if __name__ == "__main__":
    sys.exit(main())

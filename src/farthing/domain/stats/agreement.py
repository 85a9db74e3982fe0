"""How far a judge and people are of one mind, and what people would say on average, told with the judge's help."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

from msgspec import Struct

from farthing.domain.stats.distributions import student_quantile
from farthing.domain.stats.proportions import Share, wilson

MIDDLE = 0.5
"""What is above it is good, by a judge as by people."""
FEWEST = 20
"""Of fewer answers that both have rated nothing is told."""

Both = tuple[float, float]
"""What a judge and what people thought of one answer, each 0..1."""


class Agreement(Struct, frozen=True):
    """How often both find an answer good, or both do not."""

    count: int
    """Answers that both have rated."""
    share: float
    """0..1."""
    low: float
    high: float
    """95% interval of the share (Wilson)."""
    kappa: float | None
    """Cohen (1960): 1 for always, 0 for no more than by chance; None where all are good or none is, to both."""


class Corrected(Struct, frozen=True):
    """A mean of people's ratings, 0..1, with its interval."""

    mean: float
    low: float
    high: float


def agreement(rated: Sequence[Both]) -> Agreement | None:
    """None for fewer than `FEWEST` answers."""
    count = len(rated)
    if count < FEWEST:
        return None
    judged, told = ([each[side] > MIDDLE for each in rated] for side in (0, 1))
    alike = Share(sum(one == other for one, other in zip(judged, told, strict=True)), count)
    j, t = sum(judged) / count, sum(told) / count
    chance = j * t + (1 - j) * (1 - t)
    low, high = wilson(alike)
    return Agreement(count, alike.mean, low, high, None if chance == 1 else (alike.mean - chance) / (1 - chance))


def corrected(judged_alone: Sequence[float], rated: Sequence[Both], *, alpha: float = 0.05) -> Corrected | None:
    """The mean of people's ratings of all answers, of which they have rated some and the judge all.

    What people said, moved by as much as the judge liked the other answers better, times a factor that makes the
    interval shortest: prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023) with power
    tuning (Angelopoulos, Duchi and Zrnic 2023, example 6.1). The rated answers must be like the others. None for fewer
    than `FEWEST` of them.
    """
    n, others = len(rated), len(judged_alone)
    if n < FEWEST:
        return None
    judged, told = [each[0] for each in rated], [each[1] for each in rated]
    spread, factor = _variance([*judged, *judged_alone]), 0.0
    if others and spread:
        middle, mean = fmean(judged), fmean(told)
        together = sum((f - middle) * (y - mean) for f, y in rated) / (n - 1)
        factor = min(1.0, max(0.0, together / (spread * (1 + n / others))))
    rest = [y - factor * f for f, y in rated]
    # The factor was found in the same ratings, as a slope is: it takes one degree of freedom.
    freedom = n - 1 - (factor > 0)
    own = _variance(rest) * (n - 1) / freedom / n
    error = sqrt(own + (factor**2 * spread / others if factor else 0.0))
    half = student_quantile(1 - alpha / 2, freedom) * error
    mean = fmean(rest) + (factor * fmean(judged_alone) if factor else 0.0)
    return Corrected(mean, max(0.0, mean - half), min(1.0, mean + half))


def _variance(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sum([(value - mean) ** 2 for value in values]) / (len(values) - 1)

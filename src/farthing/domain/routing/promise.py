"""The promise of a route: how boldly it may choose cheaper models so that quality stays within what was promised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt

from msgspec import Struct

from farthing.domain.routing.rules import Promise
from farthing.domain.stats.distributions import student_quantile


class Verdict(Struct, frozen=True):
    """What the pairs say of one setting. All in points of quality; negative where it was better than the baseline."""

    loss: float
    """On average of the pairs."""
    most: float
    """What it loses on average of all requests at most, at the confidence of the promise, as the pairs get many."""
    is_kept: bool


def verdict_on(losses: Sequence[float], promise: Promise) -> Verdict:
    """Whether a setting keeps the promise, by the central limit theorem.

    `losses` are of requests that were drawn by chance and answered twice: the rating (0..1) of the baseline's answer
    less that of the answer the setting chooses.
    """
    count = len(losses)
    if count < promise.fewest_pairs:
        return Verdict(sum(losses) / (count or 1), 1.0, is_kept=False)
    mean = sum(losses) / count
    variance = sum([(loss - mean) ** 2 for loss in losses]) / (count - 1)
    most = mean + student_quantile(promise.confidence, count - 1) * sqrt(variance / count)
    return Verdict(mean, most, is_kept=most <= promise.points)


def boldest(settings: Iterable[Sequence[float]], promise: Promise) -> list[Verdict]:
    """What the pairs say of each setting, up to the first that may break the promise; the last that is kept is for use.

    `settings` holds the losses of the same pairs under each setting, the most careful first. The order is fixed before
    anything is known of the losses, and the first that fails ends the test: so a setting that breaks the promise is let
    through with a probability of at most 1 - confidence, however many are tried. Angelopoulos, Bates, Candès, Jordan
    and Lei (2021), "Learn then Test", with fixed-sequence testing. Where none is kept the baseline answers.
    """
    found: list[Verdict] = []
    for losses in settings:
        found.append(verdict_on(losses, promise))
        if not found[-1].is_kept:
            break
    return found

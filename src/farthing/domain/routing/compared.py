"""What cheaper answers lose on requests that two models have answered: by a judge, put right by people's ratings."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from msgspec import Struct

from farthing.domain.routing.promise import Verdict, verdict_on
from farthing.domain.routing.promised import lets_through
from farthing.domain.routing.rules import Promise

FEWEST = 20
"""Of fewer ratings of either model's answers nothing is told of how far the judge is off."""


class Seen(Struct, frozen=True):
    """A request that was drawn by chance and answered twice; one of the answers was served, and perhaps rated."""

    short: float
    """By how much less (0..1) was expected of the cheaper answer."""
    loss: float
    """The judge's grade (0..1) of the baseline's answer less that of the cheaper one."""
    of_baseline: bool
    """Whether the baseline's answer was served."""
    error: float | None = None
    """People's rating (0..1) of what was served less the judge's grade of it; None where nobody has rated it."""


def by_judge(seen: Sequence[Seen], margin: float) -> list[float]:
    """What each request would have lost under the margin, by the judge's grades."""
    return [one.loss if lets_through(margin, one.short) else 0.0 for one in seen]


def by_people(seen: Sequence[Seen], margin: float) -> list[float] | None:
    """What each would have lost had people rated both answers; None where they have rated too few of either model.

    The judge's loss, moved by how far the judge is off on average of each model's answers: prediction-powered inference
    (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023). A request whose answer was rated also stands for its part
    in that average: so the mean of these values is the corrected loss, and their variance over their number the
    variance of that mean (its influence function: van der Vaart 1998, chapter 20), as there are many. It holds where
    the judge is as far off on the answers that were rated as on the others of the same model.
    """
    errors = {
        side: [one.error for one in seen if one.error is not None and one.of_baseline is side] for side in (True, False)
    }
    if min(len(each) for each in errors.values()) < FEWEST:
        return None
    means = {side: fmean(each) for side, each in errors.items()}
    moved = means[True] - means[False]
    among = sum(lets_through(margin, one.short) for one in seen)
    # One less than there are: the mean was found in the same ratings.
    steps = {side: (among if side else -among) / (len(each) - 1) for side, each in errors.items()}
    return [
        (one.loss + moved if lets_through(margin, one.short) else 0.0)
        + (0.0 if one.error is None else steps[one.of_baseline] * (one.error - means[one.of_baseline]))
        for one in seen
    ]


def losses_of(seen: Sequence[Seen], margin: float, promise: Promise) -> list[float]:
    """What a margin is held to: the corrected losses where people have rated enough, else the judge's."""
    corrected = by_people(seen, margin)
    return corrected if corrected is not None and decides(corrected, promise) else by_judge(seen, margin)


def decides(corrected: Sequence[float], promise: Promise) -> bool:
    """Whether ratings are enough: their mean is known to within what is promised, or is beyond that without doubt.

    Of fewer the error alone would break every promise of so few points, whatever they say.
    """
    found = verdict_on(corrected, promise)
    return width(found) <= promise.points or found.loss - width(found) > promise.points


def width(found: Verdict) -> float:
    """How far the bound is from the mean."""
    return found.most - found.loss

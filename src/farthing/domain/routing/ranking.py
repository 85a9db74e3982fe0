"""Models in the order of what is expected of them: the cheapest that gives up too little quality to matter is first."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from farthing.domain.routing.foresight import Expected
from farthing.domain.routing.plan import Candidate
from farthing.domain.routing.selection import compared

_EXACT = 1e-9
"""What sums of floats may be off by."""


class Bar(Struct, frozen=True):
    """What a cheaper model is held against, and by how much it may fall short."""

    quality: float
    """0..1."""
    model: str
    is_baseline: bool
    floor: float
    """0..1, the most quality that may be given up."""

    @classmethod
    def of(cls, expected: Sequence[Expected], baseline: Expected | None, floor: float) -> Bar:
        """The baseline, or the best of these models where there is none or it is better than all of them."""
        best = max(expected, key=lambda one: one.quality)
        if baseline is not None and baseline.quality <= best.quality:
            return cls(baseline.quality, baseline.model.name, is_baseline=True, floor=floor)
        return cls(best.quality, best.model.name, is_baseline=False, floor=floor)

    @property
    def named(self) -> str:
        """As it reads in a sentence."""
        return "the baseline" if self.is_baseline else "the best"


def rank(expected: Sequence[Expected], bar: Bar) -> list[list[Expected]]:
    """Groups of models that are as good as each other: those up to the bar, then those up to the best that is left.

    Within a group the cheapest is first, among equals the better. Models must be priced, or none of them.
    """
    left = sorted(expected, key=lambda one: -one.quality)
    groups = []
    while left:
        least = min(left[0].quality, bar.quality) - bar.floor - _EXACT
        count = sum(one.quality >= least for one in left)
        groups.append(sorted(left[:count], key=lambda one: (one.cost or 0, -one.quality, one.model.name)))
        left = left[count:]
    return groups


def candidates_of(groups: Sequence[Sequence[Expected]], bar: Bar) -> list[Candidate]:
    """The models in their order, each with its reason."""
    ordered = [one for group in groups for one in group]
    reasons = [_first(groups[0], bar), *[_next(one, ordered[0], bar) for one in ordered[1:]]]
    return [
        Candidate(
            model=one.model.name,
            provider=one.model.provider,
            tier=one.model.tier,
            estimated_cost=one.cost,
            estimated_quality=round(one.quality, 4),
            quality_interval=one.interval,
            reason=f"expected quality {one.quality:.2f}, {reason}",
            rank=place,
        )
        for place, (one, reason) in enumerate(zip(ordered, reasons, strict=True))
    ]


def sentence(groups: Sequence[Sequence[Expected]], bar: Bar) -> str:
    """The choice of the first model."""
    first, count = groups[0][0], len(groups[0])
    name, quality = first.model.name, f"{first.quality:.2f}"
    if count == 1 and len(groups) == 1:
        return f"{name} is the only capable model of which anything is known, with an expected quality of {quality}."
    if count == 1:
        return f"{name} has an expected quality of {quality}, and none that is cheaper is within {bar.floor:g} of it."
    against = "" if name == bar.model else f", at {quality} against {bar.quality:.2f} of {bar.model}"
    return f"{name} is the cheapest of {count} models expected within {bar.floor:g} of {bar.named}{against}."


def _first(group: Sequence[Expected], bar: Bar) -> str:
    if len(group) == 1 and not bar.is_baseline:
        return "the best"
    return f"{'the only one' if len(group) == 1 else 'the cheapest'} within {bar.floor:g} of {bar.named}"


def _next(one: Expected, first: Expected, bar: Bar) -> str:
    short = bar.quality - one.quality
    if short > bar.floor + _EXACT:
        return f"{short:.2f} below {bar.named}, over the floor of {bar.floor:g}"
    if one.cost is None:
        return "has no price, as all that is known"
    return compared(one.cost, first.cost or 0)

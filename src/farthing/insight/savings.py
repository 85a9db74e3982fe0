"""What the comparison with held-back requests says of savings and quality, in the shape of `GET /v1/savings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farthing.domain.stats.heldback import FEWEST_GROUPS, FEWEST_REQUESTS, Measured, Sides, gained, measured

_OF_REPLAY = "floor", "requests", "sentence", "quality", "warnings"
"""What is told of a replay beside its costs."""


def measured_savings(sides: Sides) -> dict[str, Any]:
    """Money in nano-dollars, shares in per cent; figures are None, and `note` says why, where too little is known."""
    found = measured(sides)
    held, routed = sum(sides.held.requests), sum(sides.routed.requests)
    return {
        "method": "measured",
        "requests": {"held_back": held, "routed": routed},
        **_money(found),
        "quality": _quality(sides),
        "note": None if found else _note(held),
    }


def _money(found: Measured | None) -> dict[str, Any]:
    if found is None:
        return {"saved": None, "interval": None, "percent": None, "percent_interval": None}
    return {
        "saved": found.saved,
        "interval": found.interval,
        "percent": 100 * found.share,
        "percent_interval": [100 * bound for bound in found.share_interval],
    }


def _quality(sides: Sides) -> dict[str, Any]:
    """How much better routed answers were rated, in points of 0..1."""
    before, after = sides.held.ratings, sides.routed.ratings
    found = gained(before, after)
    return {
        "method": "measured",
        "ratings": {"held_back": sum(before.counts), "routed": sum(after.counts)},
        "difference": found and found.difference,
        "difference_interval": found and [found.low, found.high],
        "note": None if found else f"Too few ratings: both sides need some from {FEWEST_GROUPS} groups of users' days.",
    }


def _note(held: int) -> str:
    if not held:
        return "Nothing was held back: set [routing] baseline, and hold_back over 0, to measure what routing saves."
    return (
        f"Too little to say: {held} requests were held back, of {FEWEST_REQUESTS} that are needed from at least "
        f"{FEWEST_GROUPS} groups of users' days, and they have to cost something."
    )


def supposed(
    sides: Sides,
    total: Mapping[str, Any],
    *,
    requests: int,
    dearer: float | None,
    replayed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A month of so many requests like those of the sides; where too few were held back, like all of `total`.

    Another floor is about routed requests alone: they cost as many times what they did as those that were replayed.

    Args:
        sides: What was held back, and what was routed.
        total: The sums of all requests, as `GET /v1/usage` has them, in nano-dollars.
        requests: In the supposed month.
        dearer: How many times the present one's cost the supposed baseline's is; None keeps the present one.
        replayed: The replay under another floor; None keeps the present one.
    """
    found, routed = measured(sides), sum(sides.routed.requests)
    if found is not None:
        paid = sum(sides.routed.cost) / routed
        ends = [paid + end / routed for end in (found.saved, *found.interval)]
    elif replayed is not None:
        paid, ends = sum(sides.routed.cost) / routed, [sum(sides.routed.baseline_cost) / routed]
    else:
        routed = total["requests"] - total["unpriced_requests"]
        paid = total["cost"] / max(1, routed)
        ends = [total["baseline_cost"] / max(1, routed)]
    would, *interval = [requests * end * (dearer or 1.0) for end in ends]
    cost = requests * paid * (1.0 if replayed is None else replayed["cost"]["cost"] / replayed["cost"]["actual_cost"])
    is_supposed = dearer is not None or replayed is not None
    return {
        "requests_per_month": requests,
        "actual_cost": cost,
        "baseline_cost": would,
        "saved": would - cost,
        "interval": [end - cost for end in interval] or None,
        "percent": 100 * (would - cost) / would if would else 0.0,
        "method": "estimated" if is_supposed else "measured" if found else "counted",
        "requests": routed,
        "floor": None if replayed is None else {name: replayed[name] for name in _OF_REPLAY},
    }

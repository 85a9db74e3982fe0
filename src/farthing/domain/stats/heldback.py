"""What routing saved by comparison with requests that were held back, with an interval that holds for heavy tails."""

from __future__ import annotations

from math import exp, hypot, sqrt

from msgspec import Struct

from farthing.domain.stats import distributions as dist
from farthing.domain.stats.means import ArmMean, arm_mean, compared, welch

LEVEL = 0.95
FEWEST_REQUESTS, FEWEST_GROUPS = 100, 10
"""Held back, below which nothing is said."""
_SURE_TO_BE_FINITE = 50.0
"""Half the width of an interval of logarithms beyond which it says nothing that could be written down."""


class Ratings(Struct, frozen=True):
    """What people said, by group: columns of one length."""

    sums: list[float]
    """Of what was said, each 0..1."""
    counts: list[int]

    def add(self, group: int, quality: float) -> None:
        """One more, 0..1."""
        self.sums[group] += quality
        self.counts[group] += 1


class Side(Struct, frozen=True, kw_only=True):
    """Requests of one side by group of users' days: columns of one length."""

    requests: list[int]
    """Those whose cost is known."""
    cost: list[int]
    """Nano-dollars paid."""
    baseline_cost: list[int]
    """Nano-dollars that the same tokens cost at the baseline."""
    ratings: Ratings

    @classmethod
    def empty(cls, groups: int) -> Side:
        """Without a request."""
        return cls(
            requests=[0] * groups,
            cost=[0] * groups,
            baseline_cost=[0] * groups,
            ratings=Ratings([0.0] * groups, [0] * groups),
        )

    def add(self, group: int, *, requests: int, cost: int, baseline_cost: int) -> None:
        """More requests of a group."""
        self.requests[group] += requests
        self.cost[group] += cost
        self.baseline_cost[group] += baseline_cost


class Sides(Struct, frozen=True, kw_only=True):
    """Both sides, of the same groups."""

    held: Side
    routed: Side


class Measured(Struct, frozen=True, kw_only=True):
    """Money in nano-dollars, over all routed requests that could have been held back."""

    saved: float
    interval: tuple[float, float]
    share: float
    """Of what they would have cost without routing; negative where routing costs more."""
    share_interval: tuple[float, float]


class Gain(Struct, frozen=True):
    """How much better routed answers were rated, in points of 0..1; negative where they were worse."""

    difference: float
    low: float
    high: float


def measured(sides: Sides) -> Measured | None:
    """What the routed requests would have cost at the mean of those held back, less what they did cost.

    None where too few were held back, or they cost nothing.

    The mean's error is the wider of two: its own jackknife over groups, and what the routed requests' cost at the
    baseline varies by, scaled to so few. A handful of requests that has met none of the dear ones looks surer than it
    is. It is that of the logarithm, because such means scatter further up than down.
    """
    held, routed = sides.held, sides.routed
    mean, usual = arm_mean(held.cost, held.requests), arm_mean(routed.baseline_cost, routed.requests)
    if mean is None or usual is None or mean.requests < FEWEST_REQUESTS or mean.users < FEWEST_GROUPS:
        return None
    if mean.mean <= 0 or usual.mean <= 0:
        return None
    half = _half(mean, usual)
    if not half < _SURE_TO_BE_FINITE:
        return None
    paid, would = sum(routed.cost), usual.requests * mean.mean
    low, high = would * exp(-half), would * exp(half)
    return Measured(
        saved=would - paid,
        interval=(low - paid, high - paid),
        share=1 - paid / would,
        share_interval=(1 - paid / low, 1 - paid / high),
    )


def _half(mean: ArmMean, usual: ArmMean) -> float:
    """Half the width of the interval around the logarithm of the held-back mean, by the delta method."""
    own, other = _relative(mean), _relative(usual)
    alpha = 1 - LEVEL
    by_itself = dist.student_quantile(1 - alpha / 2, welch(own, other)) * hypot(own.se, other.se)
    scaled = other.se * sqrt(1 + usual.requests / mean.requests)
    return max(by_itself, dist.student_quantile(1 - alpha / 2, other.freedom) * scaled)


def _relative(arm: ArmMean) -> ArmMean:
    return ArmMean(arm.users, arm.requests, 1.0, arm.se / arm.mean, arm.effective_users)


def gained(held: Ratings, routed: Ratings) -> Gain | None:
    """Ratings of routed answers against those of held-back ones.

    None with fewer than `FEWEST_GROUPS` groups that have a rating on either side.
    """
    before, after = arm_mean(held.sums, held.counts), arm_mean(routed.sums, routed.counts)
    if before is None or after is None or min(before.users, after.users) < FEWEST_GROUPS:
        return None
    found = compared(before, after, alpha=1 - LEVEL, floor=dist.SMALLEST_P).absolute
    return Gain(found.estimate, found.low, found.high)

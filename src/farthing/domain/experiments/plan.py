"""How many results an experiment needs, from what our own ledger knows of how costs vary."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from math import ceil, inf

from msgspec import Struct

from farthing.domain.stats.means import FEWEST_USERS, p_floor
from farthing.domain.stats.power import LARGEST_PLAN, Wish, sample_size


class Planned(Struct, frozen=True, kw_only=True):
    """A sample size and what it means."""

    results: int
    """Over all arms; to be given as `sample_size`."""
    days: float | None
    """Until that many have come, at the traffic of now; None where there is none."""


class Spread(Struct, frozen=True, kw_only=True):
    """How the cost of requests varies between users."""

    users: int
    requests: int
    mean: float
    """Of a request, in any unit of money."""
    variance: float
    """Of users' shares, Σ(s - mean·n)²/(users - 1), in that unit squared."""
    requests_a_day: float = 0.0


class Aim(Struct, frozen=True, kw_only=True):
    """What the experiment should be able to see."""

    effect: float
    """The smallest relative difference worth seeing, over 0."""
    shares: Sequence[float] = (0.5, 0.5)
    """Of the arms, control's first, adding up to 1."""
    power: float = 0.8
    alpha: float = 0.05
    traffic: float = 1.0
    early_stop: bool = False


def planned(spread: Spread, aim: Aim) -> Planned | None:
    """The sample size for the arm that is hardest to tell from control; None where there is nothing to plan from.

    The variance of a mean over m requests is the users' variance · users / requests² at the ledger's own mixture of
    busy and quiet users, so one request is worth variance · users / requests. With several arms the level is shared
    out evenly (Bonferroni), which Holm's method never falls short of.
    """
    if not spread.requests or not spread.mean or not spread.variance:
        return None
    control, *others = aim.shares
    needed = max(_needed(spread, aim, control, other, len(others)) for other in others)
    arms = len(aim.shares)
    results = min(LARGEST_PLAN, ceil(needed / arms) * arms)
    pace = spread.requests_a_day * aim.traffic
    days = results / pace if pace else inf
    return Planned(results=results, days=days if days < inf else None)


def _needed(spread: Spread, aim: Aim, control: float, other: float, others: int) -> float:
    """Results over all arms so that this one's difference from control is found."""
    wish = Wish(
        variance=spread.variance * spread.users / spread.requests,
        effect=abs(aim.effect * spread.mean),
        alpha=aim.alpha / others,
        power=aim.power,
        share=other / (control + other),
        early_stop=aim.early_stop,
    )
    fewest = _fewest(wish) * spread.requests / spread.users
    return max(sample_size(wish), fewest) / (control + other)


def _fewest(wish: Wish) -> int:
    """Users of both arms below which no p-value can be as small as is asked for, however the arms differ."""
    return next(
        users
        for users in count(2 * FEWEST_USERS)
        if (lesser := round(users * min(wish.share, 1 - wish.share))) >= FEWEST_USERS
        and p_floor(lesser, users - lesser) <= wish.alpha
    )

"""`make validate-savings`: simulated months of which the truth is known, held against what is told of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from benchmarks.machine import store
from benchmarks.tables import aligned
from farthing.domain.forecast import month_end
from farthing.domain.routing.holdback import GROUPS
from farthing.domain.stats.heldback import Ratings, Side, Sides, measured

GOAL = 0.94
MONTHS = 1_000
DAYS = 30
WEEK = np.array([1, 1, 1, 1, 1, 0.4, 0.3])
HISTORY, TODAY = 120, 10
"""Days that a forecast knows, the last of them the month's tenth."""


class World(Struct, frozen=True, kw_only=True):
    """Months of one kind."""

    name: str
    users: int
    requests: int
    hold_back: float
    tail: float
    """Standard deviation of the logarithm of what a request costs at the baseline."""
    size: float
    """Pareto exponent of how many requests a user has: the lower, the busier are the few."""
    cheap: float = 0.7
    """Share of the routed requests that a model at 6 % of the price answers."""


WORLDS = (
    World(name="a team of 50, a twentieth held back", users=50, requests=5_000, hold_back=0.05, tail=1.2, size=2.0),
    World(name="300 users", users=300, requests=20_000, hold_back=0.02, tail=1.2, size=1.5),
    World(name="2,000 users, heavy tails", users=2_000, requests=20_000, hold_back=0.02, tail=1.6, size=1.5),
    World(name="2,000 users, few of them do most", users=2_000, requests=20_000, hold_back=0.02, tail=1.6, size=1.2),
    World(name="2,000 users, extreme tails", users=2_000, requests=60_000, hold_back=0.02, tail=2.0, size=1.3),
    World(name="routing saves nothing", users=300, requests=20_000, hold_back=0.02, tail=1.2, size=1.5, cheap=0.0),
)


class Played(Struct, frozen=True, kw_only=True):
    """One month."""

    truth: float
    interval: tuple[float, float] | None
    would: float
    """What the routed requests would have cost."""


def month(world: World, chance: np.random.Generator) -> Played:
    """Users of different size and cost, a weekly season, a level that drifts, and a baseline that is wordier at times.

    What the tokens of the routed answer would cost at the baseline is counted; what the baseline really would have
    cost differs from it by chance and on average.
    """
    size = chance.pareto(world.size, world.users) + 1
    user = chance.choice(world.users, size=world.requests, p=size / size.sum())
    busy = np.resize(WEEK, DAYS)
    day = chance.choice(DAYS, size=world.requests, p=busy / busy.sum())
    drift = np.exp(chance.normal(0, 0.3) * np.linspace(-1, 1, DAYS))
    dear = np.exp(chance.normal(0, 0.6, world.users))
    baseline = 1e6 * dear[user] * drift[day] * np.exp(chance.normal(0, world.tail, world.requests))
    counted = baseline * np.exp(chance.normal(-0.1, 0.3, world.requests))
    cost = np.where(chance.random(world.requests) < world.cheap, 0.06 * counted, baseline)
    held = (chance.random((world.users, DAYS)) < world.hold_back)[user, day]
    group = chance.integers(0, GROUPS, (world.users, DAYS))[user, day]
    routed = _side(group[~held], cost[~held], counted[~held])
    found = measured(Sides(held=_side(group[held], baseline[held], baseline[held]), routed=routed))
    would = float(baseline[~held].sum())
    return Played(truth=would - float(cost[~held].sum()), interval=found.interval if found else None, would=would)


def _side(group: NDArray[Any], cost: NDArray[Any], baseline: NDArray[Any]) -> Side:
    sums = [np.bincount(group, weights, GROUPS).astype(np.int64).tolist() for weights in (cost, baseline)]
    requests = np.bincount(group, minlength=GROUPS).tolist()
    return Side(requests=requests, cost=sums[0], baseline_cost=sums[1], ratings=Ratings([], []))


def spending(chance: np.random.Generator) -> NDArray[Any]:
    """What each of many days costs: a weekly season, a level that wanders, days that differ and a few dear ones."""
    days = HISTORY + DAYS
    level = np.exp(np.cumsum(chance.normal(0.002, 0.02, days)))
    dear = np.where(chance.random(days) < 0.02, 3.0, 1.0)
    return 1e9 * level * np.resize(WEEK, days) * dear * np.exp(chance.normal(0, 0.2, days))


def forecasts(months: int, chance: np.random.Generator) -> tuple[float, float]:
    """The share of month-ends within the interval told on the tenth, and the median error of what was expected."""
    inside, errors = 0, []
    for _ in range(months):
        days = spending(chance)
        history, rest = days[:HISTORY], days[HISTORY : HISTORY + DAYS - TODAY]
        spent = float(history[-TODAY:].sum())
        found = month_end(history.tolist(), spent, len(rest), 0.0)
        truth = spent + float(rest.sum())
        if found is None or found.interval is None:
            raise RuntimeError("120 days are enough for a forecast")
        inside += found.interval[0] <= truth <= found.interval[1]
        errors.append(abs(found.expected / truth - 1))
    return inside / months, float(np.median(errors))


def rows(months: int) -> list[tuple[str, float, str]]:
    """For each kind of month the share that is covered, and how wide the interval is at the median."""
    found = []
    for number, world in enumerate(WORLDS):
        chance = np.random.default_rng(number)
        told = [one for one in (month(world, chance) for _ in range(months)) if one.interval is not None]
        covered = [low <= one.truth <= high for one in told if one.interval for low, high in [one.interval]]
        widths = [(one.interval[1] - one.interval[0]) / one.would for one in told if one.interval]
        note = f"±{50 * float(np.median(widths)):.0f} % of the cost, {len(told)} of {months} months told"
        found.append((world.name, sum(covered) / len(covered), note))
    share, error = forecasts(months // 4, np.random.default_rng(99))
    return [*found, ("forecast of a month-end on the 10th", share, f"median error {100 * error:.1f} %")]


def main(arguments: Sequence[str]) -> int:
    """Plays all of them; the exit code says whether the goal is kept for each."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--months", type=int, default=MONTHS, help="months of each kind")
    months = reader.parse_args(arguments).months
    start = time.monotonic()
    found = rows(months)
    missed = [name for name, share, _ in found if share < GOAL]
    lines = [
        ("", "truth covered", "goal", ""),
        *((name, f"{share:.1%}", f"{GOAL:.0%}", note) for name, share, note in found),
    ]
    text = "\n".join([*aligned(lines), "", f"{months} months of each kind; {len(missed)} of {len(found)} goals missed"])
    print(f"{text}; {time.monotonic() - start:.0f} s")
    if months >= MONTHS:
        store("savings", text)
    return len(missed) > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

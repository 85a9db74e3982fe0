"""Many experiments at once, result by result: arrays with a row for each run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farthing.domain.stats.means import ArmMean, arm_mean

Reals = NDArray[np.float64]
Wholes = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How costs come about. Users come back at random moments; who is in which arm is drawn by the shares."""

    name: str
    planned: int
    """Results of all arms."""
    kind: str = "normal"
    """`normal` around 10 with standard deviation 3, or `lognormal` with `sigma`."""
    sigma: float = 1.0
    requests: int = 1
    """Of each user."""
    user_sd: float = 0.0
    """Of what users differ by, in the unit of `sigma`; for `normal` in units of its standard deviation."""
    shares: tuple[float, ...] = (0.5, 0.5)
    effect: float = 0.0
    """By how much every arm but control is dearer."""
    trend: float = 0.0
    """By how much costs rise until the end of the plan, as a share."""


@dataclass(frozen=True)
class Runs:
    """Results in order of arrival; each array has a row for each run."""

    scenario: Scenario
    arm: Wholes
    user: Wholes
    cost: Reals

    def arm_means(self, run: int, results: int, *, first: int = 0) -> list[ArmMean | None]:
        """The shipped estimate of every arm after so many results of one run, from the result `first` on."""
        there = slice(first, results)
        arm, user, cost = self.arm[run, there], self.user[run, there], self.cost[run, there]
        users = int(self.user[run].max()) + 1
        found = []
        for place in range(len(self.scenario.shares)):
            here = arm == place
            sums = np.bincount(user[here], weights=cost[here], minlength=users)
            counts = np.bincount(user[here], minlength=users)
            found.append(arm_mean(sums, counts))
        return found


def drawn(scenario: Scenario, runs: int, chance: np.random.Generator) -> Runs:
    """So many experiments of this kind."""
    users = scenario.planned // scenario.requests
    arms = chance.choice(len(scenario.shares), size=(runs, users), p=scenario.shares)
    order = np.tile(np.repeat(np.arange(users), scenario.requests), (runs, 1))
    user = chance.permuted(order, axis=1) if scenario.requests > 1 else order
    arm = np.take_along_axis(arms, user, axis=1)
    noise = chance.standard_normal(user.shape)
    if scenario.user_sd:
        own = chance.standard_normal((runs, users))
        noise = noise * sqrt(max(0.0, 1 - scenario.user_sd**2)) if scenario.kind == "normal" else noise
        noise = noise + scenario.user_sd / (scenario.sigma or 1.0) * np.take_along_axis(own, user, axis=1)
    cost = 10 + 3 * noise if scenario.kind == "normal" else np.exp(scenario.sigma * noise)
    cost = cost + scenario.effect * (arm > 0)
    return Runs(scenario, arm, user, cost * (1 + scenario.trend * np.linspace(0, 1, scenario.planned)))


def chunks(scenario: Scenario, runs: int, seed: int) -> Iterator[Runs]:
    """So many experiments, in parts that fit the memory."""
    chance = np.random.default_rng(seed)
    size = max(1, 500_000 // scenario.planned)
    for start in range(0, runs, size):
        yield drawn(scenario, min(size, runs - start), chance)


@dataclass(frozen=True)
class Running:
    """One arm after every result, a row for each run. With one request a user these are Welch's figures."""

    requests: Reals
    users: Reals
    mean: Reals
    variance: Reals
    """Of the mean, by the delta method: the jackknife's own without its leverage, and that where users are equal."""
    effective: Reals


def running(runs: Runs) -> list[Running]:
    """Every arm after every result, in one pass over running sums."""
    middle = float(runs.cost.mean())
    cost = runs.cost - middle
    before, visits = _before(runs.user, cost) if runs.scenario.requests > 1 else (np.zeros_like(cost),) * 2
    shared = before + cost * visits + cost
    steps = (cost, np.ones_like(cost), cost * (2 * before + cost), shared, 2 * visits + 1)
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for place in range(len(runs.scenario.shares)):
            here = runs.arm == place
            s, n, ss, sn, nn = (np.cumsum(np.where(here, step, 0.0), axis=1) for step in steps)
            users = np.cumsum(here & (visits == 0), axis=1).astype(np.float64)
            mean = s / n
            left = np.maximum(0.0, ss - 2 * mean * sn + mean * mean * nn)
            found.append(Running(n, users, mean + middle, users / (users - 1) * left / n**2, n * n / nn))
    return found


def _before(user: Wholes, cost: Reals) -> tuple[Reals, Reals]:
    """For each result, what its user has cost and how often he has come before it."""
    order = np.argsort(user, axis=1, kind="stable")
    people, costs = np.take_along_axis(user, order, axis=1), np.take_along_axis(cost, order, axis=1)
    sums = np.cumsum(costs, axis=1) - costs
    place = np.broadcast_to(np.arange(user.shape[1]), user.shape)
    is_first = np.ones(user.shape, dtype=bool)
    is_first[:, 1:] = people[:, 1:] != people[:, :-1]
    first = np.maximum.accumulate(np.where(is_first, place, 0), axis=1)
    spent, visits = np.empty_like(cost), np.empty_like(cost)
    np.put_along_axis(spent, order, sums - np.take_along_axis(sums, first, axis=1), axis=1)
    np.put_along_axis(visits, order, (place - first).astype(np.float64), axis=1)
    return spent, visits


def welch(control: Running, treatment: Running) -> tuple[Any, Any, Any, Any]:
    """Difference, its standard error, degrees of freedom and t, after every result."""
    with np.errstate(divide="ignore", invalid="ignore"):
        diff, variance = treatment.mean - control.mean, control.variance + treatment.variance
        freedom = variance**2 / (
            control.variance**2 / np.maximum(1.0, control.effective - 1)
            + treatment.variance**2 / np.maximum(1.0, treatment.effective - 1)
        )
        return diff, np.sqrt(variance), freedom, diff / np.sqrt(variance)

"""What one metric of an experiment costs to analyse, with 100,000 users in two arms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.micro.meter import Meter
from farthing.domain.stats.cuped import Covaried, adjusted
from farthing.domain.stats.means import Comparison, arm_mean, compare
from farthing.domain.stats.outliers import winsorised
from farthing.domain.stats.quantiles import arm_quantile

USERS = 100_000
GOAL_US = 50_000
TIMES = 2
"""Calls of a round."""

Column = NDArray[np.int64]


@cache
def arms() -> list[tuple[Column, Column, Column]]:
    """For each arm the users' costs in nano-dollars, requests and prompt tokens: heavy tails, one to nine requests."""
    chance = np.random.default_rng(20)
    requests = chance.integers(1, 10, (2, USERS // 2))
    tokens = chance.lognormal(6, 1, requests.shape).astype(np.int64) * requests
    costs = tokens * 600 + (chance.lognormal(12, 1.5, requests.shape) * requests).astype(np.int64)
    return [(costs[arm], requests[arm], tokens[arm]) for arm in (0, 1)]


def compared(sums: Sequence[NDArray[Any]]) -> Comparison:
    """The comparison of both arms with these sums."""
    control, treatment = (arm_mean(sums[arm], requests) for arm, (_, requests, _) in enumerate(arms()))
    assert control is not None
    assert treatment is not None
    found = compare(control, treatment)
    assert found is not None
    return found


@pytest.mark.parametrize("unit", ["nano-dollars", "milliseconds"])
def bench_experiment_comparison(meter: Meter, unit: str) -> None:
    """Means, errors, test and intervals: of integers, and of floats."""
    sums: list[NDArray[Any]] = [costs if unit == "nano-dollars" else costs / 1e3 for costs, _, _ in arms()]
    assert compared(sums).control.users == USERS // 2
    meter.each(compared, [sums] * TIMES, goal_us=GOAL_US)


def bench_experiment_cuped(meter: Meter) -> None:
    """The same after the covariate is taken out."""
    control, treatment = (Covaried(*columns) for columns in arms())

    def taken_out(level: float) -> float:
        found = adjusted(control, treatment, alpha=level)
        assert found is not None
        return found.theta

    assert taken_out(0.05) == pytest.approx(600, rel=0.05)
    meter.each(taken_out, [0.05] * TIMES, goal_us=GOAL_US)


def bench_experiment_winsorised(meter: Meter) -> None:
    """The same with the dearest users capped."""

    def capped(share: float) -> Comparison:
        return compared(winsorised([(costs, requests) for costs, requests, _ in arms()], share=share))

    assert capped(0.99).control.mean < compared([costs for costs, _, _ in arms()]).control.mean
    meter.each(capped, [0.99] * TIMES, goal_us=GOAL_US)


def bench_experiment_p95(meter: Meter) -> None:
    """p95 of 250,000 requests of one arm."""
    chance = np.random.default_rng(21)
    latencies, users = chance.lognormal(6, 1, 5 * USERS // 2), chance.integers(0, USERS // 2, 5 * USERS // 2)

    def p95(share: float) -> float:
        found = arm_quantile(latencies, users, share=share)
        assert found is not None
        return found.mean

    assert p95(0.95) == pytest.approx(float(np.quantile(latencies, 0.95)), rel=1e-3)
    meter.each(p95, [0.95] * TIMES, goal_us=GOAL_US)

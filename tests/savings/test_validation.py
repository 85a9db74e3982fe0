"""`make validate-savings` in small."""

from __future__ import annotations

import numpy as np

from benchmarks.savings import GOAL, WORLDS, forecasts, month


def test_the_truth_is_mostly_within_the_interval() -> None:
    """In as many of 40 months of the smallest world as is promised of all."""
    chance = np.random.default_rng(8)
    told = [(one.truth, one.interval) for one in (month(WORLDS[0], chance) for _ in range(40)) if one.interval]
    assert len(told) == 40
    assert sum(low <= truth <= high for truth, (low, high) in told) >= GOAL * 40


def test_forecasts_hold_month_ends() -> None:
    """Nine of ten at least, and what is expected is near."""
    share, error = forecasts(10, np.random.default_rng(7))
    assert share >= 0.9
    assert error < 0.1

"""Curves, and the figures that are read from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.insight.evaluation.metrics import aiq, apgr, call_edges, cost_to_reach, cpt, quality_within
from farthing.insight.evaluation.sweep import POINTS, singles, sweep, trade_offs
from farthing.insight.evaluation.table import tabulate
from tests.unit.insight.evaluation.outcomes import halves, row

QUALITY, COST = np.array([[0.4, 0.8, 0.7, 0.9]]), np.array([[1.0, 2.0, 3.0, 4.0]])


@pytest.mark.parametrize(
    ("target", "cost"), [(0.3, 1.0), (0.4, 1.0), (0.6, 1.5), (0.8, 2.0), (0.85, 3.75), (0.9, 4.0), (0.91, np.inf)]
)
def test_the_least_cost_is_read_from_the_broken_line(target: float, cost: float) -> None:
    """At the first place that has the quality, between two points by chance mixing; infinite where there is none."""
    assert cost_to_reach(QUALITY, COST, np.array([target])).tolist() == pytest.approx([cost])


@pytest.mark.parametrize(("budget", "quality"), [(1.0, 0.4), (1.5, 0.6), (2.5, 0.8), (3.9, 0.88), (9.0, 0.9)])
def test_the_best_quality_within_a_budget(budget: float, quality: float) -> None:
    """The highest point that costs no more; a curve that falls again is not followed."""
    assert quality_within(QUALITY, COST, budget).tolist() == pytest.approx([quality])


def test_a_budget_under_the_whole_curve_buys_nothing() -> None:
    """Which is not the same as a quality of nothing."""
    assert np.isnan(quality_within(QUALITY, COST, 0.5)).all()


def test_a_curve_of_one_point_has_no_between() -> None:
    """It has its quality, or has it not."""
    one = np.ones((1, 1))
    assert cost_to_reach(one, one, np.array([1.0])).tolist() == [1.0]
    assert cost_to_reach(one, one, np.array([2.0])).tolist() == [np.inf]


def test_aiq_is_the_mean_height_of_the_hull() -> None:
    """From nothing over the corners, level after the last: points under the hull do not count."""
    quality, cost = np.array([[0.5, 0.55, 0.9]]), np.array([[1.0, 2.0, 3.0]])
    low, high = np.array([1.0]), np.array([5.0])
    assert aiq(quality, cost, low, high).tolist() == pytest.approx([(0.7 * 2 + 0.9 * 2) / 4])
    assert aiq(quality, cost, high, high).tolist() == pytest.approx([0.9])


def test_calls_are_counted_as_routellm_does() -> None:
    """Half of the gap at a quarter of the calls, all of it at half of them: exact areas and thresholds."""
    share, recovered = np.array([[0.0, 0.5, 1.0]]), np.array([[0.0, 1.0, 1.0]])
    assert apgr(share, recovered).tolist() == [0.75]
    assert cpt(share, recovered, 0.5).tolist() == [25.0]
    assert cpt(share, recovered, 0.8).tolist() == [40.0]
    assert call_edges(np.arange(101.0)).tolist() == [100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0]
    assert call_edges(np.zeros(9)).tolist() == [0]


def test_a_sweep_goes_from_the_cheapest_to_the_best() -> None:
    """One point for each trade-off at which a choice changes, equals together."""
    table = tabulate(halves(20))
    swept = sweep(table.quality, table.cost, table)
    assert swept.quality.mean(axis=1).tolist() == [0.5, 1.0]
    assert swept.cost.mean(axis=1).tolist() == [1.0, 5.5]


def test_a_router_that_sees_no_difference_stays_with_the_cheapest() -> None:
    """Its curve is one point."""
    table = tabulate(halves(20))
    swept = sweep(np.ones((20, 2)), table.cost, table)
    assert swept.cost.mean(axis=1).tolist() == [1.0]


def test_a_model_under_the_hull_is_never_picked() -> None:
    """From the cheapest straight to the best: the one between costs more for what it adds than the step over it."""
    prices = trade_offs(np.array([[0.0, 0.1, 1.0]]), np.array([[0.0, 1.0, 2.0]]))
    assert prices.tolist() == pytest.approx([0.5])


def test_many_trade_offs_are_thinned_out() -> None:
    """A curve has no more than so many points, and they fall."""
    chance = np.random.default_rng(1)
    prices = trade_offs(chance.random((1000, 3)), chance.random((1000, 3)))
    assert len(prices) == POINTS
    assert (np.diff(prices) < 0).all()


def test_single_models_are_mixed_along_their_hull() -> None:
    """A model that is dearer and no better, or under the line between two others, takes no part."""
    rows = [row(0, (0.2, 0.1, 0.3, 0.8), (1, 2, 3, 4)), row(1, (0.2, 0.1, 0.3, 0.8), (1, 2, 3, 4))]
    swept = singles(tabulate(rows))
    assert swept.cost.tolist() == [[1, 1], [4, 4]]


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_knowing_all_is_never_beaten(seed: int, models: int) -> None:
    """No mix of single models has more quality within a budget than a router that knows the outcomes."""
    chance = np.random.default_rng(seed)
    rows = [row(number, chance.random(models).tolist(), (chance.random(models) + 0.1).tolist()) for number in range(12)]
    table = tabulate(rows)
    best, mixed = sweep(table.quality, table.cost, table), singles(table)
    for budget in (0.3, 0.6, 0.9):
        found = [
            float(quality_within(one.quality.mean(axis=1)[None], one.cost.mean(axis=1)[None], budget)[0])
            for one in (best, mixed)
        ]
        assert np.isnan(found[1]) or found[0] >= found[1] - 1e-6

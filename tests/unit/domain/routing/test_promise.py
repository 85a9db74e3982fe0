"""Promises of quality."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from farthing.domain.routing.promise import Verdict, boldest, verdict_on
from farthing.domain.routing.rules import Promise

TWO_POINTS = Promise(points=0.02)
LOSSES = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=2, max_size=300)


@pytest.mark.parametrize(
    ("points", "confidence", "fewest"), [(0.02, 0.9, 114), (0.02, 0.95, 149), (0.1, 0.9, 22), (0.99, 0.9, 2)]
)
def test_few_pairs_promise_nothing(points: float, confidence: float, fewest: int) -> None:
    """So many that lose nothing would be met by chance in at most 1 - confidence of cases where `points` lose all."""
    promise = Promise(points=points, confidence=confidence)
    assert promise.fewest_pairs == fewest
    assert (1 - points) ** fewest <= 1 - confidence
    assert verdict_on([0.0] * (fewest - 1), promise) == Verdict(0.0, 1.0, is_kept=False)
    assert verdict_on([0.0] * fewest, promise) == Verdict(0.0, 0.0, is_kept=True)
    assert verdict_on([], promise) == Verdict(0.0, 1.0, is_kept=False)


def test_the_bound_is_students() -> None:
    """As SciPy has it: one-sided, of the mean of 400 pairs, 12 of which lose and 8 win."""
    losses = [1.0] * 12 + [-1.0] * 8 + [0.0] * 380
    found = verdict_on(losses, TWO_POINTS)
    assert found.loss == pytest.approx(0.01)
    assert found.most == pytest.approx(0.01 + stats.t.ppf(0.9, 399) * np.std(losses, ddof=1) / sqrt(400))
    assert not found.is_kept
    assert verdict_on(losses, Promise(points=0.025)).is_kept


def test_settings_are_tried_up_to_the_first_that_may_break_the_promise() -> None:
    """One behind it is not looked at, however well it did."""
    fine, broken = [0.0] * 500, [1.0] * 25 + [0.0] * 475
    found = boldest([fine, fine, broken, fine], TWO_POINTS)
    assert [one.is_kept for one in found] == [True, True, False]
    assert [one.is_kept for one in boldest([fine, fine], TWO_POINTS)] == [True, True]
    assert boldest([], TWO_POINTS) == []


@given(LOSSES, st.floats(min_value=0.01, max_value=0.5), st.floats(min_value=0.5, max_value=0.99))
def test_more_points_and_less_confidence_are_easier_to_keep(losses: list[float], points: float, sure: float) -> None:
    """What is kept strictly is kept loosely."""
    if verdict_on(losses, Promise(points=points, confidence=sure)).is_kept:
        assert verdict_on(losses, Promise(points=points + 0.1, confidence=sure)).is_kept
        assert verdict_on(losses, Promise(points=points, confidence=sure - 0.1)).is_kept


def test_a_promise_is_broken_at_most_as_often_as_it_says() -> None:
    """In 1,000 samples of 500 pairs, under twenty settings that each lose more than the one before, seven too much."""
    dice = np.random.default_rng(11)
    rates = np.linspace(0.005, 0.045, 20)
    broken = 0
    for _ in range(1_000):
        draws = dice.random(500)
        settings = [((draws < rate).astype(float) - (draws > 0.99)).tolist() for rate in rates]
        kept = sum(one.is_kept for one in boldest(settings, TWO_POINTS))
        broken += kept > 0 and rates[kept - 1] - 0.01 > TWO_POINTS.points
    assert 20 <= broken <= 125

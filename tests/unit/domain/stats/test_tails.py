"""The p-value that decides where a few users are far dearer than the others."""

from __future__ import annotations

from math import isfinite, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from farthing.domain.stats.means import ArmMean, Comparison, arm_mean, compare
from farthing.domain.stats.phases import PhaseMeans, compare_phases
from farthing.domain.stats.tails import decisive_p, freedom, skewness, symmetric
from tests.unit.domain.stats.reference import raw

COSTS = st.lists(st.floats(0, 1e6), min_size=2, max_size=30)


def arm(values: list[float]) -> ArmMean:
    """Users with one request each."""
    found = arm_mean(values, [1] * len(values))
    assert found is not None
    return found


def long_tailed(users: int, seed: int) -> list[float]:
    """Costs of which a few are dear."""
    values: list[float] = np.random.default_rng(seed).lognormal(0, 1, users).tolist()
    return values


def test_a_means_error_leans_as_its_users_do() -> None:
    """By their skewness over √users, as scipy counts it; not at all where they lie evenly."""
    values = long_tailed(50, 1)
    assert arm(values).skew == pytest.approx(float(stats.skew(values)) / sqrt(50), rel=1e-12)
    assert arm([1.0, 2.0, 3.0]).skew == pytest.approx(0.0, abs=1e-15)
    assert (arm([2.0, 2.0]).skew, arm([2.0]).skew) == (0.0, 0.0)


def test_long_tails_leave_fewer_degrees_of_freedom() -> None:
    """By the users' kurtosis, as scipy counts it; all but one of them where tails are short."""
    values = long_tailed(50, 1)
    kurtosis = float(stats.kurtosis(values))
    assert kurtosis > 1
    assert arm(values).tails == pytest.approx(2 / (2 / 49 + kurtosis / 50), rel=1e-12)
    assert arm([1.0, 2.0] * 10).tails == pytest.approx(19.0)
    assert (arm([2.0, 2.0]).tails, arm([2.0]).tails) == (None, None)
    found = raw([1.0, 2.0] * 10, [3.0, 5.0] * 10)
    assert freedom(found) == pytest.approx(found.absolute.freedom)
    assert decisive_p(found) == pytest.approx(found.p, rel=1e-12)


def test_two_busy_users_lean_by_what_they_move() -> None:
    """Clustered by user: −Σd³/(Σd²)^1.5 of the means without each."""
    found = arm_mean([1.0, 4.0, 12.0], [1, 2, 3])
    assert found is not None
    away = np.array([16 / 5, 13 / 4, 5 / 3]) - (16 / 5 + 13 / 4 + 5 / 3) / 3
    assert found.skew == pytest.approx(-(away**3).sum() / (away**2).sum() ** 1.5)


def test_a_difference_leans_by_both_arms() -> None:
    """Control's tail pulls the other way, and equal arms cancel out."""
    values = long_tailed(40, 2)
    alike = raw(values, values)
    assert skewness(alike) == pytest.approx(0.0, abs=1e-15)
    assert decisive_p(alike) == alike.p
    few = raw(long_tailed(400, 3), values)
    small = arm(values)
    assert skewness(few) == pytest.approx(small.skew, rel=0.5)
    assert skewness(raw(values, long_tailed(400, 3))) == -skewness(few)


def test_a_small_arm_that_met_no_dear_request_is_doubted() -> None:
    """What looks cheaper by a small arm's short tail needs more; what looks dearer is held to its long one alone."""
    small, large = long_tailed(40, 4), long_tailed(400, 5)
    cheap = raw(large, [value - 0.6 for value in small])
    dear = raw(large, [value + 0.6 for value in small])
    assert decisive_p(cheap) > 1.5 * cheap.p
    t, a = cheap.absolute.t, skewness(cheap)
    assert t is not None
    corrected = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    assert decisive_p(cheap) == pytest.approx(2 * stats.t.sf(abs(corrected), freedom(cheap)), rel=1e-9)
    assert dear.absolute.t is not None
    assert decisive_p(dear) == pytest.approx(2 * stats.t.sf(dear.absolute.t, freedom(dear)), rel=1e-9)


def test_constants_keep_the_floor() -> None:
    """There is no t to correct."""
    found = raw([2.0] * 5, [1.0] * 5)
    assert decisive_p(found) == found.p == pytest.approx(2 / 252)


def test_phases_lean_by_their_weights() -> None:
    """Two phases alike halve the variance, and lean by 1/√2 as much."""
    control, treatment = arm(long_tailed(30, 6)), arm(long_tailed(60, 7))
    one = PhaseMeans(control, treatment)
    found, single = compare_phases([one, one]), compare(control, treatment)
    assert found is not None
    assert single is not None
    assert skewness(found) == pytest.approx(skewness(single) / sqrt(2), rel=1e-12)
    assert freedom(found) == pytest.approx(2 * freedom(single), rel=1e-12)
    still = PhaseMeans(arm([1.0, 1.0]), arm([2.0, 2.0]))
    constant = compare_phases([still, still])
    assert constant is not None
    assert (constant.control.skew, constant.control.tails) == (0.0, None)


@given(COSTS, COSTS)
def test_it_is_never_less_and_the_same_from_both_sides(control: list[float], treatment: list[float]) -> None:
    """A correction that found more would name winners of its own."""
    found, turned = raw(control, treatment), raw(treatment, control)
    assert found.p <= decisive_p(found) <= 1
    assert decisive_p(turned) == pytest.approx(decisive_p(found), rel=1e-9)


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.floats(-1e4, 1e4))
def test_any_t_stays_a_number(one: float, other: float, skew: float) -> None:
    """In the same order, and itself where nothing leans, up to what no p-value can tell."""
    low, high = sorted((one, other))
    first, second = symmetric(low, skew), symmetric(high, skew)
    assert isfinite(first)
    assert first <= second + 1e-9 * (1 + abs(second))
    assert symmetric(low, 0.0) == max(-1e100, min(1e100, low))


def test_the_correction_is_halls() -> None:
    """To the digit, on both sides."""
    assert symmetric(-2.0, 0.3) == pytest.approx(-2 + 0.3 * 4 / 3 - 0.09 * 8 / 27 + 0.05)
    assert symmetric(2.0, 0.3) == pytest.approx(2 + 0.3 * 4 / 3 + 0.09 * 8 / 27 + 0.05)


def test_a_known_comparison_without_a_lean_is_as_it_was() -> None:
    """Arms told as means and variances have no users to lean."""
    found = compare(ArmMean(100, 100, 1.0, 0.1, 100.0), ArmMean(100, 100, 1.5, 0.1, 100.0))
    assert isinstance(found, Comparison)
    assert decisive_p(found) == found.p

"""When an experiment may decide, and what may be read at any look."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest

from farthing.domain.stats.distributions import normal_cdf, z_of
from farthing.domain.stats.means import effect, p_floor
from farthing.domain.stats.sequential import anytime, anytime_bound, early_rule, information, planned_rule

CONSTANT = effect(-1.0, 0.0, 38.0, floor=p_floor(20, 20))


def test_the_planned_rule_is_the_usual_test() -> None:
    """Looking before the plan is full decides nothing."""
    rule = planned_rule(0.05)
    assert rule.final == pytest.approx(1.959963984540054, rel=1e-14)
    assert rule.level == pytest.approx(0.05, rel=1e-12)
    assert not rule.stops(effect(9.0, 1.0), 0.9, users=1_000)


def test_an_early_stop_is_paid_for_at_the_end() -> None:
    """B = 2.5 asks for 1.9822, p ≤ .0475, at the planned size."""
    rule = early_rule(0.05)
    assert rule.early == 2.5
    assert rule.final == pytest.approx(1.9822, abs=5e-5)
    assert rule.level == pytest.approx(0.0475, abs=5e-5)


@pytest.mark.parametrize("alpha", [1e-6, 0.01, 0.05, 0.1, 0.2])
def test_both_boundaries_together_spend_the_level(alpha: float) -> None:
    """2[(1−Φ(c)) + (1−Φ(2b−c))] = α, with c between the usual value and b."""
    rule = early_rule(alpha)
    assert rule.early is not None
    assert 2 * (normal_cdf(-rule.final) + normal_cdf(rule.final - 2 * rule.early)) == pytest.approx(alpha, rel=1e-9)
    assert z_of(alpha) <= rule.final <= rule.early


def test_a_boundary_is_met_exactly() -> None:
    """|z|·√t = 2.5 at half the plan with 25 users in each arm stops, less of any of them does not."""
    rule = early_rule(0.05)
    strong = effect(-2.5 / sqrt(0.5) - 1e-9, 1.0)
    assert rule.stops(strong, 0.5, users=25)
    assert not rule.stops(strong, 0.499, users=25)
    assert not rule.stops(strong, 0.5, users=24)
    assert not rule.stops(effect(-2.5 / sqrt(0.5) + 1e-6, 1.0), 0.5, users=25)
    assert not rule.stops(effect(2.49, 1.0), 1.7, users=25)


def test_constants_never_stop_early() -> None:
    """However small their p is."""
    assert not early_rule().stops(CONSTANT, 0.9, users=100)


def test_information_is_harmonic() -> None:
    """The share of results where arms are equal, less where they are not, nothing of an empty arm."""
    assert information(20, 20, planned=100) == pytest.approx(0.4)
    assert information(90, 10, planned=100, shares=(0.9, 0.1)) == pytest.approx(1.0)
    assert information(90, 10, planned=100) == pytest.approx(0.36)
    assert information(30, 30, planned=90, shares=(1 / 3, 1 / 3)) == pytest.approx(1.0)
    assert information(0, 10, planned=100) == 0.0


def test_the_anytime_interval_is_its_formula() -> None:
    """For a normal effect, whose standard error needs no widening."""
    seen = anytime(effect(0.4, 0.1), n=250, planned=1_000)
    rho2 = (-2 * log(0.05) + log(1 - 2 * log(0.05))) / 1_000
    q = 250 * rho2 + 1
    half = 0.1 * sqrt(2 * q / (250 * rho2) * log(sqrt(q) / 0.05))
    assert (seen.low, seen.high) == pytest.approx((0.4 - half, 0.4 + half), rel=1e-12)
    assert seen.p == pytest.approx(sqrt(q) * exp(-16 * 250 * rho2 / (2 * q)), rel=1e-9)


def test_the_anytime_interval_leaves_out_0_when_its_p_is_at_the_level() -> None:
    """Both tell the same."""
    for z in (2.9, 3.0, 3.1, 3.2, 3.5, 4.0):
        seen = anytime(effect(z, 1.0), n=1_000, planned=1_000)
        assert (seen.low > 0) == (seen.p < 0.05)


def test_few_degrees_of_freedom_widen_it() -> None:
    """By t/1.96 at least, or by as much as p says."""
    narrow, wide = anytime(effect(1.0, 1.0), n=10, planned=10), anytime(effect(1.0, 1.0, 2.0), n=10, planned=10)
    assert wide.high - wide.low == pytest.approx((narrow.high - narrow.low) * 4.302652729911275 / 1.959963984540054)
    strong, by_p = effect(50.0, 1.0, 2.0), anytime(effect(50.0, 1.0, 2.0), n=10, planned=10)
    scale = (by_p.high - by_p.low) / (narrow.high - narrow.low)
    assert scale == pytest.approx(50 / z_of(strong.p), rel=1e-9)


def test_constants_are_as_wide_as_their_floor() -> None:
    """Not a point: their p-value says how sure they are."""
    seen = anytime(CONSTANT, n=40, planned=100)
    assert seen.low < -1.0 < seen.high < 0
    same = anytime(effect(0.0, 0.0, 38.0), n=40, planned=100)
    assert (same.low, same.high, same.p) == (0.0, 0.0, 1.0)


def test_without_results_nothing_is_known() -> None:
    """The widest interval that JSON can carry, and p = 1."""
    seen = anytime(effect(0.0, 0.0), n=0, planned=100)
    assert (seen.low, seen.high, seen.p) == (-1e300, 1e300, 1.0)
    assert anytime_bound(effect(0.0, 0.0), "less", n=0, planned=100) == 1e300

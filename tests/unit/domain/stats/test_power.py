"""Plans, and what they could have seen."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.stats import power
from farthing.domain.stats.power import LARGEST_PLAN, Wish, power_at, results_needed, sample_size, smallest_effect


def test_a_plan_has_the_power_it_was_made_for() -> None:
    """Equal arms, one request per user: 4·(1.96+0.84)²·σ²/δ²."""
    assert sample_size(Wish(variance=100.0, effect=1.0)) == 3_140
    assert power_at(1.0, (4 * 100 / 3_140) ** 0.5) == pytest.approx(0.8, abs=1e-4)


def test_what_makes_a_plan_larger() -> None:
    """Unequal shares, users who send several requests that are alike, stopping early."""
    plain = sample_size(Wish(variance=1e4, effect=1.0))
    assert sample_size(Wish(variance=1e4, effect=1.0, share=0.2)) == pytest.approx(plain / 0.64, rel=1e-5)
    several = Wish(variance=1e4, effect=1.0, requests_per_user=5, correlation=0.5)
    assert sample_size(several) == pytest.approx(3 * plain, rel=1e-5)
    assert sample_size(Wish(variance=1e4, effect=1.0, early_stop=True)) == pytest.approx(1.016 * plain, rel=1e-5)
    assert sample_size(Wish(variance=1e4, effect=-1.0)) == plain


def test_a_plan_has_its_bounds() -> None:
    """Two results at least, and never more than anybody will have."""
    assert sample_size(Wish(variance=0.0, effect=1.0)) == 2
    assert sample_size(Wish(variance=1.0, effect=0.0)) == LARGEST_PLAN
    assert sample_size(Wish(variance=1e90, effect=1e-90)) == LARGEST_PLAN


def test_power_without_an_error_is_certain() -> None:
    """Of an effect; of none it is the level."""
    assert (power_at(1.0, 0.0), power_at(0.0, 0.0)) == (1.0, 0.05)
    assert power_at(0.0, 1.0) == pytest.approx(0.05)
    assert power_at(-3.0, 1.0) == power_at(3.0, 1.0)


def test_the_smallest_effect_is_seen_with_the_power_asked_for() -> None:
    """The absolute one, and the relative one with the noise of the mean it is relative to."""
    assert power_at(smallest_effect(0.7, power=0.9), 0.7) == pytest.approx(0.9, abs=1e-4)
    delta = power.smallest_relative_effect(0.05)
    assert delta is not None
    assert power_at(delta, 0.05 * (1 + (1 + delta) ** 2) ** 0.5) == pytest.approx(0.8, abs=1e-4)
    assert power.smallest_relative_effect(0.0) == 0.0
    assert power.smallest_relative_effect(0.5) is None
    assert power.smallest_relative_effect(inf) is None


def test_results_needed_follow_from_the_error_so_far() -> None:
    """Twice the error needs four times the results; an effect of 0 needs more than anybody has."""
    once = results_needed(1.0, 0.5, 1_000)
    assert once == 1_963
    assert results_needed(-1.0, 1.0, 1_000) == pytest.approx(4 * once, abs=4)
    assert results_needed(0.0, 1.0, 10) == results_needed(1e-200, 1e200, 10) == LARGEST_PLAN


@given(
    st.floats(1e-50, 1e50), st.floats(1e-50, 1e50), st.floats(0.01, 0.99), st.floats(1e-6, 0.2), st.floats(0.5, 0.99)
)
def test_every_plan_is_a_number(variance: float, effect: float, share: float, alpha: float, chance: float) -> None:
    """Between 2 and the largest plan, whatever is wished for."""
    wish = Wish(variance=variance, effect=effect, share=share, alpha=alpha, power=chance)
    assert 2 <= sample_size(wish) <= LARGEST_PLAN

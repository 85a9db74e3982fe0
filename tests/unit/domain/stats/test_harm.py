"""The switch that ends a failing arm."""

from __future__ import annotations

from math import exp, lgamma, log

import pytest
from scipy import integrate

from farthing.domain.stats.distributions import beta_above
from farthing.domain.stats.harm import Harm, crowding, harm, harm_by_users


def test_equal_arms_it_is_the_two_sided_test_with_half_its_prior() -> None:
    """The e-value with prior (1, 1), times 2·(1 − I_½)."""
    two_sided = exp(lgamma(21) + lgamma(4) - lgamma(25) + 23 * log(2))
    expected = two_sided * 2 * beta_above(21, 4, 0.5)
    assert harm(treatment=20, control=3, share=0.5).e_value == pytest.approx(expected, rel=1e-12)
    assert harm(treatment=20, control=3, share=0.5).tripped


def test_unequal_arms_it_is_the_integral_over_worse_odds() -> None:
    """Against its own definition, by quadrature."""

    def ratio(theta: float) -> float:
        return (theta / 0.2) ** 9 * ((1 - theta) / 0.8) ** 12

    expected = integrate.quad(ratio, 0.2, 1)[0] / 0.8
    assert harm(treatment=9, control=12, share=0.2).e_value == pytest.approx(expected, rel=1e-9)


def test_nothing_failed_is_no_evidence() -> None:
    """Nor is an arm that has had no requests, or all of them."""
    assert harm(treatment=0, control=0, share=0.3).e_value == pytest.approx(1.0, rel=1e-12)
    assert harm(treatment=9, control=0, share=1.0).e_value == 1.0
    assert harm(treatment=0, control=9, share=0.0).e_value == 1.0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_e_value_averages_to_1_over_what_may_happen(share: float) -> None:
    """Over all ways in which 15 failures fall on two arms that fail alike."""
    chances = [1.0]
    for _ in range(15):
        chances = [share * a + (1 - share) * b for a, b in zip([0.0, *chances], [*chances, 0.0], strict=True)]
    values = [harm(treatment=k, control=15 - k, share=share).e_value for k in range(16)]
    assert sum(p * e for p, e in zip(chances, values, strict=True)) == pytest.approx(1.0, abs=1e-12)


def test_a_far_better_arm_never_trips() -> None:
    """Where the integral is too small for a number its bound is told, which joins the exact values smoothly."""
    better = [harm(treatment=0, control=count, share=0.5).e_value for count in (500, 900, 990, 1_000, 5_000, 10**9)]
    assert better == sorted(better, reverse=True)
    assert better[2] == pytest.approx(1 / 990, rel=5e-3)
    assert better[4] == pytest.approx(1 / 5_000, rel=1e-12)


def test_ten_percent_against_two_trips_within_400_requests() -> None:
    """At the expected counts of failures."""
    assert harm(treatment=20, control=4, share=0.5).tripped
    assert not harm(treatment=6, control=4, share=0.5).tripped


def test_failures_of_one_user_crowd() -> None:
    """Σ c/(c−1)·Σ(x − r·n)² over Σ r·(1−r)·n: by hand, and 1 where each request fails by itself or nothing varies."""
    crowded = [([0, 0, 0], [1, 1, 1]), ([0, 0, 4], [2, 2, 4])]
    assert crowding(crowded) == pytest.approx(1.5 * (1 + 1 + 4) / 2)
    assert crowding([([0, 1] * 50, [1] * 100)] * 2) == pytest.approx(100 / 99)
    assert crowding([([1, 1, 0, 0], [2, 2, 2, 2])]) == 1.0
    assert crowding([([0, 0], [3, 5]), ([4, 9], [4, 9])]) == 1.0
    assert crowding([([3, 0], [5, 0]), ([0, 0], [5, 2])]) == 3.0
    assert crowding([([], []), ([0], [5])]) == 1.0


@pytest.mark.parametrize("users", [1, 2, 5, 40, 400])
def test_one_user_never_trips_it(users: int) -> None:
    """However often he fails where nobody else does."""
    for often in (1, 7, 20, 50, 200, 3_000):
        failing = [often] + [0] * (users - 1), [often] + [1] * (users - 1)
        assert harm_by_users(treatment=failing, control=([0] * users, [1] * users)).e_value < 2.1


def test_users_are_counted_by_request_and_by_how_they_crowd() -> None:
    """The share is that of requests; an arm without any proves nothing."""
    control, treatment = ([0, 0, 1], [1, 2, 1]), ([0, 3, 4], [2, 3, 4])
    alike = crowding([control, treatment])
    assert harm_by_users(treatment=treatment, control=control) == harm(
        treatment=7, control=1, share=9 / 13, crowding=alike
    )
    assert harm_by_users(treatment=([], []), control=([], [])) == Harm(1.0)


def test_crowded_failures_are_fewer() -> None:
    """Both counts are divided, also where the integral is too small for a number."""
    crowded = harm(treatment=40, control=6, share=0.5, crowding=2.0)
    assert crowded == harm(treatment=20, control=3, share=0.5)
    far = harm(treatment=0, control=10**6, share=0.5, crowding=10.0)
    assert far.e_value == pytest.approx(1e-5)

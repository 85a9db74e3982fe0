"""How many results an experiment needs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.experiments.plan import Aim, Spread, planned

EVEN = Spread(users=1_000, requests=1_000, mean=100.0, variance=10_000.0, requests_a_day=50.0)
"""Costs whose standard deviation is their mean, one request a user."""


def results(spread: Spread, aim: Aim) -> int:
    """The sample size."""
    found = planned(spread, aim)
    assert found is not None
    return found.results


def test_the_sample_is_that_of_the_textbook() -> None:
    """(1.96 + 0.84)² · 4 · (sd/mean)² / effect² results over both arms, rounded up to whole pairs, and how long."""
    found = planned(EVEN, Aim(effect=0.1))
    assert found is not None
    assert found.results == pytest.approx(3_140, abs=2)
    assert found.results % 2 == 0
    assert found.days == pytest.approx(found.results / 50)
    assert planned(EVEN, Aim(effect=0.1, traffic=0.0)) == replace(found, days=None)


def test_more_is_asked_for_more() -> None:
    """A smaller effect, more power, unequal shares, an early stop and more arms each need more results."""
    least = results(EVEN, Aim(effect=0.1))
    assert results(EVEN, Aim(effect=0.05)) == pytest.approx(4 * least, rel=0.01)
    assert results(EVEN, Aim(effect=0.1, power=0.9)) > 1.3 * least
    assert results(EVEN, Aim(effect=0.1, shares=(0.9, 0.1))) == pytest.approx(least / 0.36, rel=0.01)
    assert results(EVEN, Aim(effect=0.1, early_stop=True)) == pytest.approx(1.016 * least, rel=0.001)
    assert results(EVEN, Aim(effect=0.1, shares=(0.4, 0.3, 0.3))) > 1.5 * least


def test_users_with_requests_alike_need_more_of_them() -> None:
    """Where each of five requests of a user costs the same, five times the results are needed."""
    alike = Spread(users=1_000, requests=5_000, mean=100.0, variance=250_000.0)
    assert results(alike, Aim(effect=0.1)) == pytest.approx(5 * results(EVEN, Aim(effect=0.1)), rel=0.001)


@pytest.mark.parametrize(
    ("spread", "aim", "least"),
    [
        (replace(EVEN, variance=0.01), Aim(effect=0.5), 8),
        (replace(EVEN, variance=0.01, users=200), Aim(effect=0.5), 40),
        (replace(EVEN, variance=0.01), Aim(effect=0.5, alpha=0.001), 14),
        (replace(EVEN, variance=0.01), Aim(effect=0.5, shares=(0.8, 0.2)), 10),
    ],
)
def test_no_plan_is_too_small_for_any_winner(spread: Spread, aim: Aim, least: int) -> None:
    """Of 3 users in each arm no test says less than 0.1: there are as many users as the level asks for."""
    assert results(spread, aim) == least


@pytest.mark.parametrize("missing", ["requests", "mean", "variance"])
def test_nothing_is_planned_from_nothing(missing: str) -> None:
    """Without requests, costs or differences between users there is no sample size."""
    assert planned(replace(EVEN, **{missing: 0}), Aim(effect=0.1)) is None

"""The sample ratio, watched."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from farthing.domain.stats.balance import balance, chi_square, combined, log_e_value


def test_an_even_split_is_no_evidence() -> None:
    """Nor is an empty experiment."""
    assert balance([500, 500], [0.5, 0.5]).e_value < 1
    assert not balance([500, 500], [0.5, 0.5]).blocked
    assert (balance([0, 0], [1, 1]).e_value, balance([0, 0], [1, 1]).p_chi2) == (1.0, 1.0)


def test_eighty_to_twenty_blocks() -> None:
    """At a hundred users already."""
    found = balance([80, 20], [0.5, 0.5])
    assert found.e_value == pytest.approx(350.01, abs=0.01)
    assert found.blocked
    assert found.p_chi2 == pytest.approx(1.973e-9, rel=1e-3)


def test_the_e_value_averages_to_1_over_what_may_happen() -> None:
    """Over all splits of 12 users by the planned shares: so at most 1 in 100 sound experiments ever has 100."""
    chances = [1.0]
    for _ in range(12):
        chances = [0.3 * a + 0.7 * b for a, b in zip([0.0, *chances], [*chances, 0.0], strict=True)]
    mean = sum(chance * exp(log_e_value([k, 12 - k], [0.3, 0.7])) for k, chance in enumerate(chances))
    assert mean == pytest.approx(1.0, abs=1e-12)


def test_shares_may_stand_on_any_scale() -> None:
    """And an arm without a share is left out."""
    assert log_e_value([30, 70], [3, 7]) == pytest.approx(log_e_value([30, 70], [0.3, 0.7]), rel=1e-12)
    assert log_e_value([30, 70, 9], [3, 7, 0]) == pytest.approx(log_e_value([30, 70], [3, 7]), rel=1e-12)
    assert chi_square([9, 5], [1, 0]) == 1.0


def test_evidence_of_phases_is_multiplied() -> None:
    """Never pooled: two phases with different shares are both sound."""
    logs = [log_e_value([80, 20], [0.5, 0.5]), log_e_value([51, 49], [0.5, 0.5])]
    assert combined(logs, 0.5).e_value == pytest.approx(exp(sum(logs)), rel=1e-12)
    assert combined([5_000.0], 0.5).e_value == pytest.approx(1e300, rel=1e-12)


def test_fifty_five_to_forty_five_is_found_by_5000_users() -> None:
    """In 50 of 50 runs, and an even split alarms in none of 200 at a hundred looks."""
    chance = np.random.default_rng(11)
    skewed = chance.binomial(5_000, 0.55, 50)
    assert all(balance([int(k), 5_000 - int(k)], [1, 1]).blocked for k in skewed)
    even = np.cumsum(chance.binomial(50, 0.5, (200, 100)), axis=1)
    alarms = sum(
        any(log_e_value([int(k), 50 * look - int(k)], [1, 1]) >= 4.6 for look, k in enumerate(run, start=1))
        for run in even
    )
    assert alarms <= 2

"""The delta method beside the jackknife."""

from __future__ import annotations

import numpy as np
import pytest

from farthing.domain.stats.means import arm_mean
from farthing.domain.stats.ratios import Moments, ratio_mean, residuals

CHANCE = np.random.default_rng(6)
REQUESTS = CHANCE.integers(1, 9, 5_000)
SUMS = REQUESTS * 100 + CHANCE.integers(0, 80, 5_000)


def test_with_many_users_both_agree() -> None:
    """The ratio exactly, its error within a thousandth."""
    matrix = np.cov(SUMS, REQUESTS)
    delta = ratio_mean(
        Moments(5_000, float(SUMS.mean()), float(REQUESTS.mean()), matrix[0, 0], matrix[1, 1], matrix[0, 1])
    )
    jackknife = arm_mean(SUMS, REQUESTS)
    assert jackknife is not None
    assert delta.mean == pytest.approx(jackknife.mean, rel=1e-13)
    assert delta.se == pytest.approx(jackknife.se, rel=1e-3)


def test_residuals_sum_to_nothing() -> None:
    """And are nothing where everybody has the same ratio."""
    assert abs(float(residuals(SUMS, REQUESTS).sum())) < 1e-6
    assert not residuals(REQUESTS * 7, REQUESTS).any()

"""The dearest users capped."""

from __future__ import annotations

import numpy as np
import pytest

from farthing.domain.stats.outliers import winsorised


def test_the_dearest_are_capped_at_the_pooled_quantile() -> None:
    """Of the means per request of both arms' users."""
    control, treatment = winsorised([(list(range(100)), [1] * 100), ([10_000] + [50] * 99, [2] + [1] * 99)])
    pooled = np.quantile([*range(100), 5_000, *[50] * 99], 0.99)
    assert treatment[0] == pytest.approx(2 * pooled)
    assert control.tolist() == [min(value, pooled) for value in range(100)]


def test_users_without_a_request_stay_as_they_are() -> None:
    """And have no say in the cap."""
    (found,) = winsorised([([0, 4, 8], [0, 1, 1])], share=0.5)
    assert found.tolist() == [0.0, 4.0, 6.0]


def test_nobody_is_nobody() -> None:
    """No arms, and arms without users."""
    assert winsorised([]) == []
    assert [arm.size for arm in winsorised([([], []), ([], [])])] == [0, 0]

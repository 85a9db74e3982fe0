"""A flat-prior reading."""

from __future__ import annotations

import pytest

from farthing.domain.stats.beliefs import belief
from farthing.domain.stats.means import effect


def test_losses_are_expected_ones() -> None:
    """Their difference is the estimate; without an effect both are SE·φ(0)."""
    found = belief(effect(0.3, 0.2))
    assert found.loss_if_control - found.loss_if_treatment == pytest.approx(0.3)
    assert found.chance_greater == pytest.approx(0.9331927987)
    even = belief(effect(0.0, 2.0))
    assert even.chance_greater == 0.5
    assert even.loss_if_control == pytest.approx(2 * 0.3989422804)


def test_without_an_error_there_is_no_doubt() -> None:
    """Constants that differ, or do not."""
    assert belief(effect(-2.0, 0.0)).chance_greater == 0.0
    assert belief(effect(-2.0, 0.0)).loss_if_treatment == 2.0
    assert belief(effect(0.0, 0.0)).chance_greater == 0.5
    assert belief(effect(1e90, 1e-90)).loss_if_treatment == 0.0

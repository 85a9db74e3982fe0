"""Guardrails against their margins."""

from __future__ import annotations

import pytest

from farthing.domain.stats.means import effect, p_floor
from farthing.domain.stats.noninferiority import non_inferiority


@pytest.mark.parametrize(
    ("estimate", "se", "policy", "told"),
    [
        (0.0, 0.1, "default", "pass"),
        (-0.1, 0.05, "default", "pass"),
        (-0.1, 0.1, "default", "unclear"),
        (-0.15, 0.08, "default", "fail"),
        (-0.3, 0.5, "default", "fail"),
        (-0.3, 0.5, "strict", "unclear"),
        (-0.3, 0.1, "strict", "fail"),
    ],
)
def test_bounds_meet_the_margin(estimate: float, se: float, policy: str, told: str) -> None:
    """Within .2 it passes, worse than 0 for sure fails, beyond it by the estimate fails by the default policy."""
    higher, lower = effect(estimate, se), effect(-estimate, se)
    assert non_inferiority(higher, margin=0.2, better="higher", policy=policy) == told
    assert non_inferiority(lower, margin=0.2, better="lower", policy=policy) == told


def test_a_constant_guardrail_of_enough_users_is_clear() -> None:
    """Equal passes, worse fails."""
    assert non_inferiority(effect(0.0, 0.0, 18.0, floor=p_floor(10, 10)), margin=0.1, better="higher") == "pass"
    assert non_inferiority(effect(-0.5, 0.0, 18.0, floor=p_floor(10, 10)), margin=0.1, better="higher") == "fail"


def test_too_few_users_are_unclear() -> None:
    """Two and two users can show nothing at 5%."""
    assert non_inferiority(effect(0.0, 0.0, 2.0, floor=p_floor(2, 2)), margin=0.1, better="higher") == "unclear"
    assert non_inferiority(effect(0.0, 0.0, 4.0, floor=p_floor(3, 3)), margin=0.1, better="higher") == "pass"

"""Phases combined."""

from __future__ import annotations

from math import comb, sqrt

import pytest

from farthing.domain.stats.means import ArmMean, arm_mean, compare
from farthing.domain.stats.phases import PhaseMeans, compare_phases


def arm(values: list[int]) -> ArmMean:
    """Users with one request each."""
    found = arm_mean(values, [1] * len(values))
    assert found is not None
    return found


def test_one_phase_is_the_plain_comparison() -> None:
    """To the last digits."""
    control, treatment = arm([3, 8, 5, 9]), arm([1, 7, 2])
    combined, plain = compare_phases([PhaseMeans(control, treatment)]), compare(control, treatment)
    assert combined is not None
    assert plain is not None
    assert combined.p == pytest.approx(plain.p, rel=1e-12)
    assert combined.absolute.low == pytest.approx(plain.absolute.low, rel=1e-12)


def test_simpsons_paradox_does_not_happen() -> None:
    """Dear days with a tenth in treatment, cheap days with nine tenths: pooled raw, treatment would seem cheaper."""
    dear = PhaseMeans(arm([100, 101, 99] * 30), arm([102, 103, 101] * 3 + [102]))
    cheap = PhaseMeans(arm([10, 11, 9] * 3 + [10]), arm([12, 13, 11] * 30))
    found = compare_phases([dear, cheap])
    assert found is not None
    assert found.absolute.estimate == pytest.approx(2.0)
    assert found.absolute.p < 1e-6


def test_weights_are_the_phases_shares_of_requests() -> None:
    """Effects with the weights, variances with their squares."""
    first, second = PhaseMeans(arm([1, 3]), arm([5, 8])), PhaseMeans(arm([2, 2, 5, 6]), arm([4, 1, 1, 9, 9, 9, 3, 3]))
    found = compare_phases([first, second])
    assert found is not None
    assert found.absolute.estimate == pytest.approx(0.25 * 4.5 + 0.75 * (39 / 8 - 15 / 4))
    errors = [0.25 * first.control.se, 0.25 * first.treatment.se, 0.75 * second.control.se, 0.75 * second.treatment.se]
    assert found.absolute.se == pytest.approx(sqrt(sum(error**2 for error in errors)))
    assert (found.control.users, found.treatment.requests) == (6, 10)


def test_the_floor_is_that_of_permutations_within_phases() -> None:
    """Two phases of three and three users: 2/(20·20)."""
    phase = PhaseMeans(arm([1, 1, 1]), arm([2, 2, 2]))
    found = compare_phases([phase, phase])
    assert found is not None
    assert found.p == pytest.approx(2 / comb(6, 3) ** 2)
    assert found.absolute.freedom == pytest.approx(8)


def test_phases_too_small_to_test_are_left_out() -> None:
    """None where there is no other."""
    small, enough = PhaseMeans(arm([1]), arm([9, 9])), PhaseMeans(arm([1, 2]), arm([2, 3]))
    assert compare_phases([small, enough]) == compare_phases([enough])
    assert compare_phases([small]) is None
    assert compare_phases([]) is None


def test_phases_are_alike_each_by_itself() -> None:
    """A phase of uneven arms stays one though another makes up for it."""
    few, many = arm([3, 8, 5]), arm([1, 70, 2, 5, 4, 9, 1, 20])
    found = compare_phases([PhaseMeans(few, many), PhaseMeans(many, few)])
    one, other = compare(few, many), compare(many, few)
    assert found is not None
    assert one is not None
    assert other is not None
    assert found.alike_se == pytest.approx(sqrt(one.alike_se**2 + other.alike_se**2) / 2, rel=1e-12)
    assert found.alike_se > found.absolute.se

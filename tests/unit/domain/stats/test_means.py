"""The clustered mean and the comparison of two arms."""

from __future__ import annotations

from array import array
from math import comb, nan, sqrt

import numpy as np
import pytest
from scipy import stats

from farthing.domain.stats.columns import column, counts, total
from farthing.domain.stats.means import ArmMean, Comparison, arm_mean, compare, effect, mean_of, one_sided, p_floor


def arm(sums: list[int], requests: list[int] | None = None) -> ArmMean:
    """An arm that has users."""
    found = arm_mean(sums, requests or [1] * len(sums))
    assert found is not None
    return found


def against(control: ArmMean, treatment: ArmMean, alpha: float = 0.05) -> Comparison:
    """A comparison that is possible."""
    found = compare(control, treatment, alpha=alpha)
    assert found is not None
    return found


def test_one_request_per_user_is_welch() -> None:
    """t, degrees of freedom, p and interval are scipy's."""
    chance = np.random.default_rng(3)
    first, second = chance.integers(1, 10**6, 40), chance.integers(1, 2 * 10**6, 25)
    theirs = stats.ttest_ind(second, first, equal_var=False)
    ours = against(arm(first.tolist()), arm(second.tolist())).absolute
    interval = theirs.confidence_interval(0.95)
    assert ours.t == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.freedom == pytest.approx(theirs.df, rel=1e-12)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-10)
    assert [ours.low, ours.high] == pytest.approx([interval.low, interval.high], rel=1e-10)


def test_several_requests_per_user_are_the_jackknife_by_its_definition() -> None:
    """R, V and the effective users as the formulas read, leaving each user out in turn."""
    sums, requests = [400, 90, 1_000, 7], [3, 1, 8, 2]
    found = arm(sums, requests)
    left = [(1_497 - s) / (14 - n) for s, n in zip(sums, requests, strict=True)]
    mean = sum(left) / 4
    assert found.mean == 1_497 / 14
    assert found.se == pytest.approx(sqrt(3 / 4 * sum((one - mean) ** 2 for one in left)), rel=1e-13)
    assert found.effective_users == pytest.approx(14**2 / 78, rel=1e-15)
    assert found.freedom == pytest.approx(14**2 / 78 - 1, rel=1e-15)
    assert (found.users, found.requests) == (4, 14)


def test_the_spread_is_between_users() -> None:
    """With one request each it is the sample standard deviation."""
    assert arm([3, 5, 10]).sd == pytest.approx(np.std([3, 5, 10], ddof=1), rel=1e-14)


def test_degrees_of_freedom_are_at_least_one() -> None:
    """However much one user outweighs the others."""
    assert arm([10**6, 1], [10**6, 1]).freedom == 1.0


def test_users_without_a_request_do_not_count() -> None:
    """Of a metric that only some requests have, such as a rating."""
    assert arm([4, 0, 6], [1, 0, 2]) == arm([4, 6], [1, 2])
    assert arm_mean([0, 0], [0, 0]) is None
    assert arm_mean([], []) is None


def test_constants_have_no_negative_variance() -> None:
    """Fifty costs of 200,000 nano-dollars, whatever the users' numbers of requests, spread by exactly 0."""
    assert arm([200_000] * 50).se == 0.0
    assert arm([200_000 * n for n in range(1, 51)], list(range(1, 51))).se == 0.0
    third = arm_mean([1 / 3 * n for n in range(1, 51)], list(range(1, 51)))
    assert third is not None
    assert third.se == 0.0


def test_two_different_constants_have_the_floor_as_p() -> None:
    """1.98e-29 for 50 and 50; a point as interval, and it says that it is degenerate."""
    found = against(arm([200_000] * 50), arm([100_000] * 50))
    assert found.p == found.absolute.p_floor == 2 / comb(100, 50) == pytest.approx(1.98233e-29, rel=1e-5)
    assert (found.absolute.low, found.absolute.high, found.absolute.t) == (-100_000.0, -100_000.0, None)
    assert found.relative is not None
    assert (found.relative.estimate, found.relative.low, found.degenerate) == (-0.5, -0.5, True)
    assert found.absolute.z == pytest.approx(-11.2637, abs=1e-4)


@pytest.mark.parametrize(("users", "p"), [(20, 1.45e-11), (4, 0.02857142857), (3, 0.1)])
def test_the_floor_keeps_tiny_samples_from_winning(users: int, p: float) -> None:
    """Three users in each arm can never win."""
    assert against(arm([2] * users), arm([1] * users)).p == pytest.approx(p, rel=2e-3)
    assert p_floor(users, users) == 2 / comb(2 * users, users)


def test_the_floor_never_is_zero() -> None:
    """Where there are more permutations than numbers."""
    assert p_floor(5_000, 5_000) == 1e-300
    assert p_floor(2, 10**15) == pytest.approx(4e-30, rel=1e-9)


def test_equal_constants_do_not_differ() -> None:
    """Also where they are equal but for rounding."""
    found = against(arm([3] * 10), arm([3] * 10))
    assert (found.p, found.absolute.estimate, found.absolute.z) == (1.0, 0.0, 0.0)
    assert against(mean_of(9, 0.1 + 0.2, 0), mean_of(9, 0.3, 0)).p == 1.0


def test_one_constant_arm_leaves_the_error_of_the_other() -> None:
    """Standard error and degrees of freedom are the treatment's."""
    treatment = arm([1, 2, 3, 4, 9])
    found = against(arm([2] * 8), treatment).absolute
    assert found.se == treatment.se
    assert found.freedom == pytest.approx(4.0, rel=1e-14)


def test_fewer_than_two_users_allow_no_test() -> None:
    """In either arm."""
    assert compare(arm([5]), arm([1, 2, 3])) is None
    assert compare(arm([1, 2, 3]), arm([5], [50])) is None
    assert arm([5], [50]).se == 0.0


def test_the_relative_effect_is_by_the_delta_method() -> None:
    """V_t/R_c² + V_c·R_t²/R_c⁴, with the sign of the difference where means are negative."""
    control, treatment = arm([10, 12, 17, 9]), arm([8, 7, 9, 12, 3])
    found = against(control, treatment).relative
    assert found is not None
    c, t = control.mean, treatment.mean
    assert found.estimate == pytest.approx(t / c - 1, rel=1e-14)
    assert found.se == pytest.approx(sqrt(treatment.se**2 / c**2 + control.se**2 * t**2 / c**4), rel=1e-14)
    upturned = against(arm([-10, -12, -17, -9]), arm([-8, -7, -9, -12, -3])).relative
    assert upturned is not None
    assert upturned.estimate == -found.estimate
    assert upturned.se == pytest.approx(found.se, rel=1e-14)


def test_a_free_control_has_no_relative_effect() -> None:
    """The absolute one decides; nor has one that is next to nothing."""
    assert against(arm([0, 0, 0]), arm([1, 2, 3])).relative is None
    assert against(mean_of(5, 1e-300, 0), mean_of(5, 1e100, 1)).relative is None
    assert against(mean_of(5, 1e-200, 1e50), mean_of(5, 1e100, 1)).relative is None


def test_one_side_has_half_the_p() -> None:
    """And its bound is that of the two-sided interval at twice the level."""
    found = against(arm([10, 12, 17, 9]), arm([18, 17, 19, 12, 13]), alpha=0.1).absolute
    greater, less = one_sided(found, "greater"), one_sided(found, "less")
    assert greater.p == pytest.approx(found.p / 2, rel=1e-12)
    assert less.p == pytest.approx(1 - found.p / 2, rel=1e-12)
    assert [greater.bound, less.bound] == pytest.approx([found.low, found.high], rel=1e-12)
    assert one_sided(found, "greater", against=found.estimate).p == pytest.approx(0.5, rel=1e-12)


def test_one_side_of_constants_is_half_the_floor() -> None:
    """On the side where they differ, and 1 on the other."""
    found = against(arm([1] * 4), arm([2] * 4)).absolute
    assert one_sided(found, "greater").p == 1 / 70
    assert one_sided(found, "less").p == 1.0
    assert one_sided(found, "less").bound == 1.0


def test_a_normal_effect_has_no_degrees_of_freedom() -> None:
    """As proportions and other projects' intervals need it."""
    found = effect(3.0, 1.0)
    assert found.freedom is None
    assert (found.low, found.high) == pytest.approx((3 - 1.959963984540054, 3 + 1.959963984540054), rel=1e-14)


def test_the_order_of_users_does_not_matter() -> None:
    """To 1e-12 in every figure of a comparison of heavy tails."""
    chance = np.random.default_rng(5)
    sums = (chance.lognormal(0, 2.5, (2, 3_000)) * 1e6).astype(np.int64)
    requests = chance.integers(1, 30, (2, 3_000))
    shuffled = [chance.permutation(3_000) for _ in range(2)]
    arms = [arm_mean(sums[k], requests[k]) for k in range(2)]
    mixed = [arm_mean(sums[k][shuffled[k]], requests[k][shuffled[k]]) for k in range(2)]
    assert arms[0]
    assert arms[1]
    assert mixed[0]
    assert mixed[1]
    first, second = against(arms[0], arms[1]).absolute, against(mixed[0], mixed[1]).absolute
    assert first.estimate == second.estimate
    assert [second.p, second.se, second.low] == pytest.approx([first.p, first.se, first.low], rel=1e-12)


def test_sums_are_exact() -> None:
    """Integers beyond 2^53 and 2^63 in sum, floats as if added without rounding."""
    assert total(column([2**62, 2**62, -1, 7])) == 2**63 + 6
    assert total(column([-(2**62), -(2**62), -3])) == -(2**63) - 3
    assert total(column([1e100, 1.0, -1e100])) == 1.0
    assert column(array("q", [5, 6])).dtype == np.int64
    assert column([2**63, 1]).dtype == np.float64
    assert column(np.array([1, 2], dtype=np.uint64)).dtype == np.float64


def test_what_is_no_number_is_refused() -> None:
    """NaN, infinity, what is too large, counts that are not whole or too many, columns that do not fit."""
    for bad in (nan, float("inf"), 2e100):
        with pytest.raises(ValueError, match="not finite, or over 1e100"):
            arm_mean([1.0, bad], [1, 1])
    with pytest.raises(ValueError, match="whole numbers"):
        counts([1.5])
    with pytest.raises(ValueError, match="over 2\\^62 in sum"):
        counts([2**61, 2**61])
    with pytest.raises(ValueError, match="columns of 2 and 1 users"):
        arm_mean([1, 2], [1])
    assert counts([2**61, 2**61 - 1]).sum() == 2**62 - 1


def test_what_decides_is_the_greater_of_welch_and_student() -> None:
    """A small arm of short tail is held to how all requests vary, one of long tail to itself; both as of scipy."""
    chance = np.random.default_rng(4)
    wide, narrow = chance.integers(1, 10**6, 80), chance.integers(3 * 10**5, 5 * 10**5, 20)
    short, long = against(arm(wide.tolist()), arm(narrow.tolist())), against(arm(narrow.tolist()), arm(wide.tolist()))
    pooled = stats.ttest_ind(wide, narrow).pvalue
    assert short.decisive_p == pytest.approx(pooled, rel=1e-10)
    assert short.decisive_p > 1.5 * short.p
    assert long.decisive_p == pytest.approx(short.decisive_p, rel=1e-12)
    few, many = against(arm(narrow.tolist() * 4), arm(wide.tolist()[:20])), stats.ttest_ind(narrow, wide[:20])
    assert few.decisive_p == few.p > many.pvalue


def test_equal_arms_that_vary_alike_are_decided_by_welch() -> None:
    """Of one size the pooled error is Welch's, so that nothing is lost."""
    found = against(arm([3, 8, 5, 9]), arm([4, 9, 6, 10]))
    assert found.alike_se == pytest.approx(found.absolute.se, rel=1e-12)
    assert found.decisive_p == pytest.approx(found.p, rel=1e-12)


def test_busy_users_count_as_they_do_for_the_error() -> None:
    """By requests and effective users: σ² = Σν·n·V/Σν."""
    first, second = arm([3, 8, 50, 9], [1, 2, 9, 1]), arm([4, 9], [1, 3])
    weights = [one.freedom * one.requests * one.se**2 for one in (first, second)]
    variance = sum(weights) / (first.freedom + second.freedom)
    assert against(first, second).alike_se == pytest.approx(sqrt(variance * (1 / 13 + 1 / 4)), rel=1e-12)


def test_constants_are_decided_by_the_floor() -> None:
    """Where neither arm varies there is no error to compare."""
    found = against(arm([2] * 5), arm([1] * 5))
    assert (found.alike_se, found.decisive_p) == (0.0, found.p)
    assert found.p == pytest.approx(2 / comb(10, 5))

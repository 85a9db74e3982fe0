"""Whatever comes in, numbers come out: no warning, no crash, nothing that JSON cannot carry."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from farthing.domain.stats import balance, beliefs, cuped, harm, noninferiority, outliers, power, proportions, quantiles
from farthing.domain.stats.means import ArmMean, arm_mean, compare, one_sided
from farthing.domain.stats.phases import PhaseMeans, compare_phases
from farthing.domain.stats.sequential import anytime, anytime_bound, early_rule, information

pytestmark = pytest.mark.filterwarnings("error")

WHOLE = st.one_of(st.integers(0, 3), st.integers(0, 10**6), st.integers(-(10**18), 10**18))
REAL = st.one_of(
    st.sampled_from([0.0, 1e-300, -1e-300, 5e-324, 1e18, -1e18, 1e100]),
    st.floats(-1e100, 1e100),
    st.floats(0, 1),
)
REQUESTS = st.one_of(st.integers(0, 2), st.integers(1, 10**6), st.just(10**16))


def users(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, int]]]:
    """Users with their sums and numbers of requests; none, one, or all alike as well."""
    user = st.tuples(values, REQUESTS)
    return st.one_of(
        st.lists(user, max_size=8),
        st.builds(lambda one, many: [one] * many, user, st.integers(0, 60)),
    )


ARM = st.one_of(users(WHOLE), users(REAL))


def read(arm: list[tuple[Any, int]]) -> tuple[list[Any], list[int]]:
    """Its columns."""
    return [value for value, _ in arm], [requests for _, requests in arm]


def numbers(tree: Any) -> Iterator[float]:
    """All numbers within."""
    if isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from numbers(part)
    elif isinstance(tree, int | float):
        yield tree


def sound(*told: Any) -> None:
    """Every number is finite and comes back from JSON as it went."""
    tree = msgspec.to_builtins(told)
    assert all(map(isfinite, numbers(tree)))
    assert msgspec.json.decode(msgspec.json.encode(tree)) == msgspec.to_builtins(list(tree))


def everything(control: ArmMean, treatment: ArmMean, n: int, planned: int, alpha: float) -> None:
    """What is made of two arms."""
    found = compare(control, treatment, alpha=alpha)
    if found is None:
        return
    effect = found.absolute
    assert 1e-300 <= effect.p <= 1
    assert effect.low <= effect.estimate <= effect.high
    sound(found, effect.z, control.sd, treatment.freedom, anytime(effect, n=n, planned=planned, alpha=alpha))
    sound(anytime_bound(effect, "less", n=n, planned=planned, alpha=alpha), one_sided(effect, "greater", alpha=alpha))
    sound(beliefs.belief(effect), power.power_at(1.0, effect.se), power.results_needed(1.0, effect.se, n))
    rule = early_rule(alpha)
    sound(rule, rule.stops(effect, information(n, n, planned=planned), users=control.users))
    guard = noninferiority.non_inferiority(effect, margin=0.1, better="lower", alpha=alpha)
    assert guard in {"pass", "fail", "unclear"}
    for relative in [found.relative] if found.relative else []:
        sound(relative.z, anytime(relative, n=n, planned=planned, alpha=alpha), beliefs.belief(relative))


@settings(max_examples=150)
@given(ARM, ARM, st.integers(1, 10**12), st.integers(1, 10**12), st.sampled_from([1e-6, 0.01, 0.05, 0.2]))
@example([(0, 1)] * 50, [(200_000, 1)] * 50, 100, 100, 0.05)
@example([(1e-300, 1), (5e-324, 1)], [(1e100, 1), (-1e100, 1)], 4, 4, 0.05)
@example([(10**18, 10**16), (0, 1)], [(1, 1), (1, 1)], 4, 4, 0.05)
def test_two_arms(
    first: list[tuple[Any, int]], second: list[tuple[Any, int]], n: int, planned: int, alpha: float
) -> None:
    """Comparison, interval, boundary, guardrail, power, CUPED, caps and phases of any two arms."""
    control, treatment = arm_mean(*read(first)), arm_mean(*read(second))
    if control is not None and treatment is not None:
        everything(control, treatment, n, planned, alpha)
        sound(compare_phases([PhaseMeans(control, treatment), PhaseMeans(treatment, control)], alpha=alpha))
    capped = outliers.winsorised([read(first), read(second)])
    sound(*(column.tolist() for column in capped))
    covaried = [cuped.Covaried(*read(arm), [float(requests) for _, requests in arm][::-1]) for arm in (first, second)]
    sound(cuped.adjusted(covaried[0], covaried[1], alpha=alpha))


@settings(max_examples=100)
@given(st.lists(st.tuples(REAL, st.integers(0, 5)), max_size=8), st.integers(0, 90), st.sampled_from([0.5, 0.95]))
def test_a_quantile(requests: list[tuple[float, int]], times: int, share: float) -> None:
    """Of anything, with many ties."""
    values, users = [value for value, _ in requests] * times, [user for _, user in requests] * times
    sound(quantiles.arm_quantile(values, users, share=share))


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 10**18), st.floats(1e-12, 1.0)), min_size=2, max_size=6))
def test_a_sample_ratio(arms: list[tuple[int, float]]) -> None:
    """Of any number of users."""
    found = balance.balance([users for users, _ in arms], [share for _, share in arms])
    assert 1e-300 <= found.p_chi2 <= 1
    sound(found)


@settings(max_examples=150)
@given(st.integers(0, 10**12), st.integers(0, 10**12), st.floats(0, 1))
@example(0, 10**12, 1e-9)
@example(10**12, 0, 1 - 1e-9)
def test_a_kill_switch(treatment: int, control: int, share: float) -> None:
    """Of any number of failures."""
    found = harm.harm(treatment=treatment, control=control, share=share)
    assert found.e_value >= 0
    sound(found)


@settings(max_examples=150)
@given(
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
)
@example((3, 10**9), (0, 10**9))
@example((1, 1), (10**9, 10**9))
def test_two_shares(first: tuple[int, int], second: tuple[int, int]) -> None:
    """Of any number of requests."""
    shares = [proportions.Share(min(pair), max(pair)) for pair in (first, second)]
    found = proportions.compare_shares(shares[0], shares[1])
    sound(found)
    if found is not None:
        assert 1e-300 <= found.p <= 1
        assert found.low <= found.difference + 1e-12
        assert found.difference - 1e-12 <= found.high

"""Two shares of requests compared."""

from __future__ import annotations

import pytest
from scipy import stats

from farthing.domain.stats.proportions import Share, compare_shares, fewest_expected, fisher_p, newcombe, pooled_z


@pytest.mark.parametrize(
    ("control", "treatment"),
    [((1, 34), (7, 34)), ((0, 10), (3, 9)), ((12, 12), (2, 7)), ((3, 1_000), (0, 50)), ((40, 100), (50, 100))],
)
def test_the_exact_test_is_fishers(control: tuple[int, int], treatment: tuple[int, int]) -> None:
    """Two-sided p as scipy has it."""
    first, second = Share(*control), Share(*treatment)
    table = [[first.hits, first.of - first.hits], [second.hits, second.of - second.hits]]
    assert fisher_p(first, second) == pytest.approx(stats.fisher_exact(table)[1], rel=1e-9)


def test_the_exact_test_needs_no_more_than_the_likely_tables() -> None:
    """Of a billion requests; what is too far off has the least p there is."""
    assert fisher_p(Share(0, 10**9), Share(4, 10**9)) == pytest.approx(0.125, rel=1e-6)
    assert fisher_p(Share(10**6, 10**6), Share(0, 10**9)) == 1e-300
    assert fisher_p(Share(0, 5), Share(0, 5)) == fisher_p(Share(1, 1), Share(1, 1)) == 1.0


def test_newcombes_interval_is_the_published_one() -> None:
    """Newcombe 1998, table II, method 10: 56/70 against 48/80, and 9/10 against 3/10."""
    assert newcombe(Share(48, 80), Share(56, 70)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe(Share(3, 10), Share(9, 10)) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert newcombe(Share(0, 10), Share(10, 10)) == pytest.approx((0.6075, 1.0), abs=5e-5)


def test_few_expected_hits_ask_for_the_exact_test() -> None:
    """At 5 the normal one takes over."""
    few, enough = compare_shares(Share(4, 100), Share(5, 100)), compare_shares(Share(5, 100), Share(5, 100))
    assert few is not None
    assert enough is not None
    assert (few.method, enough.method) == ("fisher", "pooled_z")
    assert fewest_expected(Share(4, 100), Share(5, 100)) == 4.5
    assert enough.p == 1.0
    assert few.difference == pytest.approx(0.01)


def test_an_empty_arm_allows_no_comparison() -> None:
    """Nor do all hits, or none, differ."""
    assert compare_shares(Share(0, 0), Share(1, 5)) is None
    assert compare_shares(Share(1, 5), Share(0, 0)) is None
    assert pooled_z(Share(5, 5), Share(9, 9)) == 0.0

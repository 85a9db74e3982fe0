"""p95 of requests, clustered by user."""

from __future__ import annotations

import numpy as np
import pytest

from farthing.domain.stats.means import compare
from farthing.domain.stats.quantiles import ADVISED, arm_quantile, fewest_requests


def test_too_few_requests_have_no_p95() -> None:
    """More than 76 are needed, and 400 advised."""
    assert fewest_requests() == pytest.approx(76)
    assert arm_quantile(list(range(76)), list(range(76))) is None
    assert arm_quantile(list(range(77)), list(range(77))) is not None
    assert ADVISED == 400


def test_it_is_the_order_statistic() -> None:
    """The 950th of 1,000, with ±1.96 √(np(1−p)) ranks around it."""
    found = arm_quantile(list(range(1, 1_001)), list(range(1_000)))
    assert found is not None
    assert (found.users, found.requests, found.mean) == (1_000, 1_000, 950.0)
    assert found.se == pytest.approx(np.sqrt(1_000 * 0.95 * 0.05), rel=0.05)
    assert found.effective_users == 1_000


def test_requests_of_a_user_that_are_alike_tell_less() -> None:
    """Ten equal requests per user: the error is that of a tenth of the requests, √10 times as large."""
    chance = np.random.default_rng(2)
    slow = chance.lognormal(size=4_000)
    alone = arm_quantile(np.repeat(slow, 10), np.arange(40_000))
    crowd = arm_quantile(np.repeat(slow, 10), np.repeat(np.arange(4_000), 10))
    assert alone is not None
    assert crowd is not None
    assert crowd.mean == alone.mean
    assert crowd.se == pytest.approx(np.sqrt(10) * alone.se, rel=1e-3)
    assert crowd.effective_users == pytest.approx(4_000)


def test_ties_do_not_make_it_certain() -> None:
    """Latencies in whole seconds: ranks further away tell how far it may be off."""
    chance = np.random.default_rng(4)
    rounded = np.ceil(chance.exponential(0.6, 2_000))
    found = arm_quantile(rounded, np.arange(2_000))
    assert found is not None
    assert found.mean == 2.0
    assert 0 < found.se < 1


def test_all_alike_has_no_error() -> None:
    """And is compared as constants are."""
    arms = [arm_quantile([value] * 90, list(range(90))) for value in (5, 7)]
    assert arms[0] is not None
    assert arms[1] is not None
    assert (arms[0].mean, arms[0].se) == (5.0, 0.0)
    found = compare(arms[0], arms[1])
    assert found is not None
    assert found.degenerate


def test_users_may_be_any_small_numbers() -> None:
    """Gaps between them are nobody."""
    first = arm_quantile(list(range(100)), [7 * (k % 9) for k in range(100)])
    second = arm_quantile(list(range(100)), [k % 9 for k in range(100)])
    assert first == second
    assert first is not None
    assert first.users == 9


def test_intervals_cover_the_truth() -> None:
    """The 95% interval of p95 in at least 91% of 300 samples of clustered, heavy-tailed latencies."""
    chance = np.random.default_rng(9)
    truth = np.exp(np.sqrt(2) * 1.6448536269514722)
    hit = 0
    for _ in range(300):
        base = np.repeat(chance.normal(size=200), 4)
        found = arm_quantile(np.exp(base + chance.normal(size=800)), np.repeat(np.arange(200), 4))
        assert found is not None
        hit += abs(found.mean - truth) < 1.96 * found.se
    assert hit >= 273

"""Rates and places, held against the plainest model of them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.limits import (
    DEEPEST_US,
    SLOT_WAIT_US,
    WINDOW_US,
    Bound,
    Limits,
    Quota,
    Standing,
    Verdict,
    Wish,
    bounds_of,
    corrected,
    cost,
    judge,
    standings,
    wish,
)

REQUESTS = Bound("r", "key", "k1", "requests", 60)
TOKENS = Bound("t", "key", "k1", "tokens", 600)
PLACES = Bound("c", "key", "k1", "concurrency", 2)


def test_every_limit_of_every_quota_binds() -> None:
    """What is None does not; the braces keep a tenant's names on one node of a cluster."""
    quotas = (
        Quota(scope="key", subject="k1", limits=Limits(requests_per_minute=60)),
        Quota(scope="tenant", subject="acme", limits=Limits(tokens_per_minute=600, concurrent_requests=2)),
    )
    assert bounds_of("acme", quotas) == (
        Bound("{acme}:key:k1:requests", "key", "k1", "requests", 60),
        Bound("{acme}:tenant:acme:tokens", "tenant", "acme", "tokens", 600),
        Bound("{acme}:tenant:acme:concurrency", "tenant", "acme", "concurrency", 2),
    )


def test_a_request_wants_one_of_each_and_its_tokens() -> None:
    """At most a minute's worth at once: the rest is corrected later."""
    bounds = (REQUESTS, TOKENS, PLACES)
    assert wish(bounds, 60).costs == (1_000_000, 6_000_000, 1)
    assert wish(bounds, 10_000).costs == (1_000_000, WINDOW_US, 1)
    assert wish(bounds, 0).costs == (1_000_000, 0, 1)


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_a_minute_holds_exactly_its_limit(limit: int, amount: int) -> None:
    """Whatever is asked costs no more than its share of the minute, unless that is less than a microsecond."""
    exact = Fraction(amount * WINDOW_US, limit)
    assert cost(amount, limit) <= max(exact, 1 if amount else 0)
    assert cost(amount, limit) > exact - 1


def test_a_refused_wish_changes_nothing() -> None:
    """And names the limit that holds it up the longest."""
    levels = {"r": WINDOW_US, "t": WINDOW_US - 1_000_000}
    before = dict(levels)
    verdict = judge(wish((REQUESTS, TOKENS, PLACES), 60), levels)
    assert verdict == Verdict((WINDOW_US, WINDOW_US - 1_000_000, 0), 1, 5_000_000)
    assert levels == before
    levels = {"c": 2}
    assert judge(wish((REQUESTS, PLACES), 0), levels) == Verdict((0, 2), 1, SLOT_WAIT_US)
    assert levels == {"c": 2}


def test_a_share_of_a_limit_holds_the_share_and_at_least_one() -> None:
    """Workers that cannot hear of one another keep to their parts, even of a limit smaller than their number."""
    levels: dict[str, int] = {}
    granted = [judge(wish((REQUESTS,), 0), levels, share=4).refused is None for _ in range(20)]
    assert granted.count(True) == 15
    small = Bound("s", "key", "k1", "requests", 2)
    levels = {}
    assert [judge(wish((small, PLACES), 0), levels, share=4).refused for _ in range(2)] == [None, 0]
    assert [judge(wish((PLACES,), 0), levels, share=4).refused for _ in range(1)] == [0]


def test_corrections_stay_between_nothing_and_two_minutes() -> None:
    """A level that is already deeper is not raised further."""
    assert corrected(1_000, -5_000) == 0
    assert corrected(1_000, 5_000) == 6_000
    assert corrected(1_000, 10**12) == DEEPEST_US
    assert corrected(DEEPEST_US + 1, 10**12) == DEEPEST_US + 1


def test_the_tightest_rate_of_each_kind_is_told() -> None:
    """Places under way are no rate."""
    wide = Bound("w", "tenant", "acme", "requests", 600)
    bounds = (REQUESTS, wide, PLACES, TOKENS)
    verdict = judge(wish(bounds, 60), {})
    assert standings(wish(bounds, 60), verdict, 1_000) == (
        Standing("requests", 60, 59, 1_000_000, 1_001_000),
        Standing("tokens", 600, 540, 6_000_000, 6_001_000),
    )
    assert standings(Wish((wide, REQUESTS), (0, 0)), Verdict((0, WINDOW_US + 5)), 0)[0].remaining == 0


@given(
    limit=st.integers(1, 500),
    asked=st.lists(st.tuples(st.integers(0, 20_000_000), st.integers(1, 40)), max_size=60),
)
def test_a_rate_grants_what_a_leaking_bucket_would(limit: int, asked: list[tuple[int, int]]) -> None:
    """A bucket of exact fractions that holds a minute's worth and leaks evenly is the model; µs are the tolerance."""
    bound = Bound("r", "key", "k1", "tokens", limit)
    now = arrival = last = 0
    filled = Fraction(0)
    for pause, wanted in asked:
        now += pause
        amount = min(wanted, limit)
        levels = {"r": max(0, arrival - now)}
        granted = judge(wish((bound,), amount), levels).refused is None
        filled, last = max(Fraction(0), filled - Fraction((now - last) * limit, WINDOW_US)), now
        overflow = filled + amount - limit
        slack = Fraction(len(asked) * limit, WINDOW_US)
        if granted:
            assert overflow <= slack
            filled += amount
            arrival = now + levels["r"]
        else:
            assert overflow > -slack


@pytest.mark.parametrize("limit", [1, 7, 60, 999_983])
def test_a_quiet_rate_grants_its_whole_limit_at_once(limit: int) -> None:
    """And then nothing more."""
    bound = Bound("r", "key", "k1", "requests", limit)
    levels: dict[str, int] = {}
    tokens = Bound("t", "key", "k1", "tokens", limit)
    assert judge(wish((tokens,), limit), levels).refused is None
    assert judge(wish((tokens,), 1 + limit // 1000), levels).refused == 0
    granted = sum(judge(wish((bound,), 0), levels).refused is None for _ in range(min(limit, 100) + 1))
    assert granted == min(limit + (limit > 100), 101)

"""A request holds the most it can cost where that is a sane share; a worker leases ahead only where there is plenty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.holding import PREFETCH_HOLDS, PREFETCH_S, PREFETCH_SHARE, Bid, may_write_cache, prefetch


@pytest.mark.parametrize(
    ("bid", "limit", "held"),
    [
        (Bid(40, None), 1_000, 40),
        (Bid(40, 50), 1_000, 50),
        (Bid(40, 1_000), 1_000, 1_000),
        (Bid(40, 51), 1_000, 51),
        (Bid(40, 1_001), 1_000, 40),
        (Bid(400, 51), 1_000, 51),
        (Bid(0, 0), 0, 0),
    ],
)
def test_what_is_held_depends_on_the_limit(bid: Bid, limit: int, held: int) -> None:
    """The most where it is known and fits into the limit at all; else what is likely."""
    assert bid.under(limit) == held


@pytest.mark.parametrize(
    ("body", "may"),
    [(b'{"cache_control":{"type":"ephemeral"}}', True), (b'{"cache\\u005fcontrol":{}}', True), (b'{"n":1}', False)],
)
def test_a_prompt_is_cached_where_the_request_says_so(body: bytes, may: bool) -> None:
    """In whatever way JSON lets it say that."""
    assert may_write_cache(body) is may


@given(rate=st.floats(0, 1e15), largest=st.integers(0, 10**15), free=st.integers(0, 10**18))
def test_a_lease_ahead_is_a_small_part_of_what_is_free(rate: float, largest: int, free: int) -> None:
    """And nothing where a few requests could use that part up."""
    ahead = prefetch(rate, largest, free)
    assert 0 <= ahead <= free // PREFETCH_SHARE
    assert ahead <= round(rate * PREFETCH_S)
    if free // PREFETCH_SHARE < PREFETCH_HOLDS * largest:
        assert ahead == 0


def test_a_lease_ahead_lasts_a_minute_and_a_half() -> None:
    """Of what is spent each second."""
    assert prefetch(100.0, 10, 1_000_000) == 9_000
    assert prefetch(0.1, 10, 1_000_000) == 0

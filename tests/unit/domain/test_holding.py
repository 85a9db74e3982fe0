"""A request holds the most it can cost where that is a sane share; a worker leases ahead only where there is plenty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.catalogue import Model
from farthing.domain.holding import (
    LIKELY_SEARCHES,
    PREFETCH_HOLDS,
    PREFETCH_S,
    PREFETCH_SHARE,
    WIDEST,
    Bid,
    bid_for,
    may_write_cache,
    prefetch,
)
from farthing.domain.pricing import TOKEN_CLASSES, PriceSheet, Rates, ToolFees
from farthing.domain.routing.plan import Needs

RATES = {name: 10 + place for place, name in enumerate(TOKEN_CLASSES)}
"""Nano-dollars a token, each class another: text costs 10 to read and 17 to write, sounds more."""
SHEET = PriceSheet(version="test", steps=((0, Rates(**{name: rate * 1_000_000 for name, rate in RATES.items()})),))
MODEL = Model(name="m", provider="p", upstream="m", dialect="openai", tier="simple", price=SHEET, context_tokens=1_000)
NEEDS = Needs(tokens_in=100, tokens_out=50, max_tokens=200, answers=2)


@pytest.mark.parametrize(
    ("needs", "learned", "expected"),
    [
        (NEEDS, None, Bid(150 * 10 + 50 * 18, 150 * 10 + 400 * 18, 1_000)),
        (NEEDS, 900, Bid(150 * 10 + 400 * 18, 150 * 10 + 400 * 18, 1_000)),
        (replace(NEEDS, max_tokens=None), 900, Bid(150 * 10 + 900 * 18, None, 1_000)),
        (replace(NEEDS, most_in=450), None, Bid(150 * 10 + 50 * 18, 150 * 10 + 400 * 18, 1_000, 300 * 10)),
        (replace(NEEDS, has_unseen=True), None, Bid(1_000 * 16 + 400 * 20, None, 1_000)),
        (replace(NEEDS, has_unseen=True, max_tokens=None), 70, Bid(1_000 * 16 + 70 * 20, None, 1_000)),
        (replace(NEEDS, has_unseen=True, tokens_in=5_000), None, Bid(7_500 * 16 + 400 * 20, None, 50_000)),
    ],
)
def test_what_a_request_may_cost(needs: Needs, learned: int | None, expected: Bid) -> None:
    """By what it asks for and what is learned; of what only the vendor sees as much as the model can read is taken."""
    assert bid_for(MODEL, needs, b"{}", learned) == expected


@pytest.mark.parametrize(("pictures", "doubt"), [(0, 850), (400, 450), (900, 0)])
def test_whatever_else_stands_in_the_body_may_be_read(pictures: int, doubt: int) -> None:
    """At most a token for each of its bytes, but for those of pictures."""
    bid = bid_for(MODEL, replace(NEEDS, picture_chars=pictures), b"x" * 1_000)
    assert bid is not None
    assert bid.doubt == doubt * 10


def test_where_much_costs_more_by_the_token_that_is_in_doubt_as_well() -> None:
    """The answer is dearer, too, behind a question that is counted over the step."""
    [(_, rates)] = SHEET.steps
    steps = ((0, rates), (400, replace(rates, prompt=2 * rates.prompt, reasoning=2 * rates.reasoning)))
    bid = bid_for(replace(MODEL, price=replace(SHEET, steps=steps)), replace(NEEDS, most_in=450), b"{}")
    assert bid is not None
    assert bid.safe(10**9) == 450 * 20 + 400 * 36


def test_what_is_highest_is_the_most_or_else_what_is_likely() -> None:
    """As a caller's own ceiling is held against it."""
    assert (Bid(40, 50).highest, Bid(40, 0).highest, Bid(40, None).highest) == (50, 0, 40)


def test_what_a_vendor_searches_is_held_as_well() -> None:
    """A few calls of its dearest tool, where it may use any."""
    sheet = replace(SHEET, tools=ToolFees(web_searches=10_000, file_searches=2_500))
    bids = [bid_for(replace(MODEL, price=price), replace(NEEDS, has_unseen=True), b"{}") for price in (SHEET, sheet)]
    assert bids[0] is not None
    assert bids[1] == replace(bids[0], likely=bids[0].likely + LIKELY_SEARCHES * 10_000)
    assert bid_for(replace(MODEL, price=sheet), NEEDS, b"{}") == bid_for(MODEL, NEEDS, b"{}")


def test_an_unknown_window_is_a_wide_one() -> None:
    """And a model without a price makes no bid."""
    bid = bid_for(replace(MODEL, context_tokens=None), replace(NEEDS, has_unseen=True), b"{}")
    assert bid is not None
    assert bid.likely == WIDEST * 16 + 400 * 20
    assert bid_for(replace(MODEL, price=None), NEEDS, b"{}") is None


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
    assert replace(bid, doubt=7).safe(limit) == held + 7


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

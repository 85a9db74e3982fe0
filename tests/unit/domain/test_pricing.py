"""Money is counted in integers, every token once, and the parts sum to the whole."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from farthing.domain.chat import Usage
from farthing.domain.pricing import NANO, TOKEN_CLASSES, TOOL_CLASSES, PriceSheet, Rates, ToolFees

RATE = st.integers(min_value=0, max_value=10**12)
TOKENS = st.integers(min_value=0, max_value=10**8)
RATES = st.builds(Rates, **dict.fromkeys(Rates.__struct_fields__, RATE))
USAGE = st.builds(Usage, **dict.fromkeys(TOKEN_CLASSES, TOKENS))


def usd(per_million: float) -> int:
    """The rate of so many dollars per million tokens."""
    return round(per_million * NANO)


def rates(**known: int) -> Rates:
    """Rates of zero but for those given."""
    return Rates(**(dict.fromkeys(Rates.__struct_fields__, 0) | known))


def sheet(*steps: tuple[int, Rates]) -> PriceSheet:
    """A price sheet of these steps."""
    return PriceSheet(version="test", steps=steps)


@given(RATES, USAGE)
def test_the_parts_of_a_cost_sum_to_it_and_the_cost_is_rounded_once(per_class: Rates, usage: Usage) -> None:
    """The cost is the exact sum rounded half up to a nano-dollar, and the parts come to it exactly."""
    price = sheet((0, per_class))
    exact = sum(Fraction(getattr(usage, name) * getattr(per_class, name), 10**6) for name in TOKEN_CLASSES)
    parts = price.parts(usage)
    assert price.cost(usage) == sum(parts.values()) == (exact + Fraction(1, 2)).__floor__() + per_class.per_request
    assert all(part >= 0 for part in parts.values())


@given(RATES, TOKENS, TOKENS)
def test_an_estimate_is_what_the_same_tokens_cost(per_class: Rates, tokens_in: int, tokens_out: int) -> None:
    """Planning, charging, and what a stream's output adds agree on plain input and output."""
    price = sheet((0, per_class), (1_000, per_class))
    usage = Usage(prompt=tokens_in, completion=tokens_out)
    line = price.line(Usage(prompt=tokens_in))
    assert price.estimate(tokens_in, tokens_out) == price.cost(usage) == line.cost(tokens_out)


@given(USAGE, st.sampled_from(TOKEN_CLASSES))
def test_every_token_class_is_charged_at_its_own_rate(usage: Usage, name: str) -> None:
    """Where only one class costs anything, the cost is that class's tokens times its rate."""
    price = sheet((0, rates(**{name: usd(3)})))
    assert price.cost(usage) == getattr(usage, name) * 3_000


@given(RATES, USAGE, st.integers(0, 10**8), st.integers(0, 1_000), st.integers(0, 1_000))
def test_calls_of_a_vendors_tools_are_charged_beside_the_tokens(
    per_class: Rates, tokens: Usage, fee: int, web: int, files: int
) -> None:
    """Each at its price, in the cost, in its parts, and in what a stream costs as it grows."""
    fees = ToolFees(web_searches=fee, file_searches=7)
    price = PriceSheet(version="test", steps=((0, per_class),), tools=fees)
    usage = replace(tokens, web_searches=web, file_searches=files)
    charged = price.cost(tokens) + web * fee + files * 7
    assert price.cost(usage) == sum(price.parts(usage).values()) == price.line(usage).cost(0) == charged
    assert fees.dearest == max(fee, 7)


@pytest.mark.parametrize("name", TOOL_CLASSES)
def test_a_tool_without_a_price_is_not_taken_to_be_free(name: str) -> None:
    """A sheet says whether it knows what was used, so that whoever books the cost can say that it is a guess."""
    used, unused = convert({name: 1}, Usage), Usage(prompt=5)
    unknown, free = sheet((0, rates())), PriceSheet(version="t", steps=((0, rates()),), tools=ToolFees(**{name: 0}))
    assert [price.knows_tools(used) for price in (unknown, free)] == [False, True]
    assert unknown.knows_tools(unused)
    assert unknown.cost(used) == 0


@pytest.mark.parametrize(("tokens", "nano"), [(199_999, 200_000_000), (200_000, 200_001_000), (200_001, 400_004_000)])
def test_a_long_call_is_charged_as_a_whole_at_the_higher_step(tokens: int, nano: int) -> None:
    """At the threshold the lower rates hold; one token above, the higher ones hold for all tokens."""
    price = sheet((0, rates(prompt=usd(1), completion=usd(1))), (200_000, rates(prompt=usd(2), completion=usd(2))))
    assert price.cost(Usage(prompt=tokens, completion=1)) == nano


def test_tokens_from_a_cache_count_towards_the_step() -> None:
    """The size of the input decides, whichever class its tokens are of."""
    price = sheet((0, rates(cached=usd(1))), (100, rates(cached=usd(2))))
    assert price.cost(Usage(cached=60, cache_write_5m=40)) == 60_000
    assert price.cost(Usage(cached=60, cache_write_5m=41)) == 120_000


def test_the_highest_step_reached_holds() -> None:
    """Of several thresholds passed, the last one counts."""
    price = sheet((0, rates(prompt=1)), (10, rates(prompt=2)), (20, rates(prompt=3)))
    assert [price.rates(tokens).prompt for tokens in (0, 10, 11, 20, 21, 10**9)] == [1, 1, 2, 2, 3, 3]


def test_a_price_per_request_is_charged_once() -> None:
    """A call without a token still costs what the vendor takes for any call."""
    price = sheet((0, rates(prompt=usd(1), per_request=12_000_000)))
    assert price.parts(Usage(prompt=5)) == {"prompt": 5_000, "per_request": 12_000_000}
    assert price.cost(Usage()) == 12_000_000


def test_a_free_model_costs_nothing() -> None:
    """A price of zero is a price."""
    assert sheet((0, rates())).cost(Usage(prompt=10**6, completion=10**6)) == 0


def test_the_most_is_at_the_dearest_rates_that_text_can_have() -> None:
    """A prompt that is written to the cache for an hour costs twice as much, and thinking may be dearer than saying."""
    dear = rates(prompt=usd(3), cache_write_5m=usd(3.75), cache_write_1h=usd(6), completion=usd(10), reasoning=usd(15))
    price = sheet((0, dear))
    assert (price.most(10, 2), price.most(10, 2, writes_cache=True)) == (60_000, 90_000)
    assert price.most(10, 2, is_text=False) >= price.most(10, 2)


@pytest.mark.parametrize(
    ("written", "charges"), [({}, False), ({"cache_write_5m": 3}, True), ({"cache_write_1h": 3}, True)]
)
def test_a_prompt_that_is_cached_may_cost_more(written: dict[str, int], charges: bool) -> None:
    """At one of its steps at least."""
    assert sheet((0, rates(prompt=1)), (10, rates(prompt=2, **written))).charges_caching is charges

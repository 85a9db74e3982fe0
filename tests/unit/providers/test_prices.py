"""Vendors' prices as integers, held against the price library's own arithmetic."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version
from random import Random

import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)
from genai_prices.types import Tier as Step
from genai_prices.types import Usage as Reported
from msgspec import convert

from farthing.domain.chat import Usage
from farthing.domain.pricing import NANO, TOKEN_CLASSES, PriceData, PriceSheet, Rates
from farthing.providers import load_vendors
from farthing.providers.prices import (
    compile_prices,
    context_window,
    context_windows,
    known_as,
    next_change,
    price_data,
    price_for,
    sheet_from_usd,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 3, tzinfo=UTC)
EARLIER = datetime(2025, 6, 30, 12, tzinfo=UTC)

USD = {name: Decimal(name) for name in ("0.1", "0.5", "1", "1.25", "2", "3", "4", "5", "8", "12", "20")}


def model(name: str, prices: ModelPrice | list[ConditionalPrice], window: int | None = None) -> ModelInfo:
    """A model of the price library that answers to every name that starts with its own."""
    return ModelInfo(id=name, match=ClauseStartsWith(name), prices=prices, context_window=window)


def dated(start: date, prices: ModelPrice) -> ConditionalPrice:
    """A price from a day on."""
    return ConditionalPrice(StartDateConstraint(start), prices=prices)


PLAIN = ModelPrice(input_mtok=USD["1"], output_mtok=USD["4"])
CHEAPER = ModelPrice(input_mtok=USD["0.5"], output_mtok=USD["2"])
MODELS = [
    model("plain", PLAIN, window=8_192),
    model(
        "every-class",
        ModelPrice(
            input_mtok=USD["1"],
            cache_read_mtok=USD["0.1"],
            cache_audio_read_mtok=USD["0.5"],
            cache_write_mtok=USD["1.25"],
            cache_write_1h_mtok=USD["2"],
            input_audio_mtok=USD["3"],
            input_image_mtok=USD["8"],
            output_mtok=USD["4"],
            output_reasoning_mtok=USD["5"],
            output_audio_mtok=USD["12"],
            output_image_mtok=USD["20"],
            requests_kcount=USD["12"],
        ),
    ),
    model(
        "stepped",
        ModelPrice(
            input_mtok=TieredPrices(base=USD["1"], tiers=[Step(200_000, USD["2"]), Step(500_000, USD["3"])]),
            output_mtok=TieredPrices(base=USD["4"], tiers=[Step(200_000, USD["8"])]),
        ),
    ),
    model("dated", [ConditionalPrice(prices=PLAIN), dated(date(2026, 1, 1), CHEAPER), dated(date(2027, 1, 1), PLAIN)]),
    model(
        "nightly",
        [
            ConditionalPrice(prices=PLAIN),
            ConditionalPrice(TimeOfDateConstraint(time(1, 30, tzinfo=UTC), time(6, tzinfo=UTC)), prices=CHEAPER),
        ],
    ),
    model("unknown", ModelPrice()),
    model("by-the-hour", ModelPrice(audio_hours=USD["1"])),
    model("embedding", ModelPrice(input_mtok=USD["0.1"])),
    model("free", ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0))),
]


@pytest.fixture
def vendor() -> Iterator[str]:
    """A vendor whose prices are those of `MODELS`, and none but it."""
    provider = Provider(id="acme", name="Acme", api_pattern="acme", provider_match=ClauseEquals("ace"), models=MODELS)
    set_custom_snapshot(DataSnapshot(providers=[provider], from_auto_update=False))
    yield "acme"
    set_custom_snapshot(None)


def found(vendor: str, name: str, at: datetime = NOON) -> PriceSheet:
    """The price of a model that has one."""
    sheet = price_for(vendor, name, at)
    assert sheet is not None
    return sheet


def usd(rates: Rates) -> dict[str, float]:
    """Dollars per million tokens by class."""
    return {name: getattr(rates, name) / NANO for name in TOKEN_CLASSES}


def test_a_class_without_a_price_of_its_own_takes_the_plain_one(vendor: str) -> None:
    """Everything read costs as input, everything written as output."""
    (step,) = found(vendor, "plain").steps
    inputs = dict.fromkeys(TOKEN_CLASSES[:7], 1.0)
    assert step[0] == 0
    assert usd(step[1]) == inputs | dict.fromkeys(TOKEN_CLASSES[7:], 4.0)
    assert step[1].per_request == 0


def test_every_class_has_its_own_price_where_the_vendor_names_one(vendor: str) -> None:
    """A price for writing to the cache holds for five minutes unless it says an hour; calls are sold by thousands."""
    (step,) = found(vendor, "every-class").steps
    assert usd(step[1]) == {
        "prompt": 1.0,
        "cached": 0.1,
        "cached_audio": 0.5,
        "cache_write_5m": 1.25,
        "cache_write_1h": 2.0,
        "audio_in": 3.0,
        "image_in": 8.0,
        "completion": 4.0,
        "reasoning": 5.0,
        "audio_out": 12.0,
        "image_out": 20.0,
    }
    assert step[1].per_request == 12_000_000


def test_prices_by_the_size_of_the_input_become_steps(vendor: str) -> None:
    """Each threshold of any class starts a step, in which classes without a higher price keep their last one."""
    sheet = found(vendor, "stepped")
    assert [(start, rates.prompt / NANO, rates.completion / NANO) for start, rates in sheet.steps] == [
        (0, 1.0, 4.0),
        (200_000, 2.0, 8.0),
        (500_000, 3.0, 8.0),
    ]
    assert sheet.cost(Usage(prompt=200_000)) == 200_000_000
    assert sheet.cost(Usage(prompt=200_001)) == 400_002_000


@pytest.mark.parametrize(
    ("at", "prompt"),
    [
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), 1.0),
        (datetime(2026, 1, 1, tzinfo=UTC), 0.5),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 0.5),
        (datetime(2027, 1, 1, tzinfo=UTC), 1.0),
    ],
)
def test_a_call_costs_what_the_model_cost_on_that_day(vendor: str, at: datetime, prompt: float) -> None:
    """Days begin at midnight UTC."""
    assert found(vendor, "dated", at).steps[0][1].prompt / NANO == prompt


@pytest.mark.parametrize(("hour", "minute", "prompt"), [(1, 29, 1.0), (1, 30, 0.5), (5, 59, 0.5), (6, 0, 1.0)])
def test_a_call_costs_what_the_model_cost_at_that_hour(vendor: str, hour: int, minute: int, prompt: float) -> None:
    """The version names the minute where the time of the day matters."""
    sheet = found(vendor, "nightly", datetime(2026, 11, 20, hour, minute, tzinfo=UTC))
    assert sheet.steps[0][1].prompt / NANO == prompt
    assert sheet.version.endswith(f" 2026-11-20T{hour:02}:{minute:02}Z")


def test_the_version_names_source_and_day(vendor: str) -> None:
    """A row tells which price it was charged at."""
    assert found(vendor, "plain").version == f"genai-prices {version('genai-prices')} 2026-11-20"


@pytest.mark.parametrize("name", ["unknown", "by-the-hour", "nobody-knows-this"])
def test_what_has_no_price_for_text_is_unpriced(vendor: str, name: str) -> None:
    """An entry without prices is no free model, and neither is one that is sold by the hour or not known at all."""
    assert price_for(vendor, name, NOON) is None


def test_a_vendor_goes_by_its_exact_name(vendor: str) -> None:
    """A name that only resembles a vendor's gets no prices of it."""
    assert price_for("ace", "plain", NOON) is None
    assert compile_prices(["ace"], NOON) == {}
    assert context_window("ace", "plain") is None
    assert next_change(["ace"], NOON) is None


def test_a_free_model_costs_nothing(vendor: str) -> None:
    """A price of zero is known."""
    assert found(vendor, "free").cost(Usage(prompt=10**6, completion=10**6)) == 0


def test_what_only_reads_is_charged_for_what_it_reads(vendor: str) -> None:
    """Embeddings have an input price alone."""
    assert found(vendor, "embedding").cost(Usage(prompt=10**6)) == 100_000_000


def test_a_model_is_found_under_the_names_its_vendor_gives_it(vendor: str) -> None:
    """Dated releases of a model cost as the model."""
    assert found(vendor, "plain-2026-08-01") == found(vendor, "plain")
    assert context_window(vendor, "plain-2026-08-01") == 8_192
    assert context_window(vendor, "stepped") is None
    assert context_window(vendor, "nobody-knows-this") is None
    assert context_windows(vendor) == {"plain": 8_192}
    assert context_windows("nobody") == {}


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("Claude Sonnet 4.5", "claude-sonnet-4-5"),
        (" claude opus 4.5 ", "claude-opus-4-5"),
        ("Something Else 1", "Something Else 1"),
    ],
)
def test_a_model_has_one_name_in_the_data(asked: str, name: str) -> None:
    """Whether its vendor calls it by a release or as people read it; what is not known keeps the name it has."""
    assert known_as("anthropic", asked) == name


def test_all_prices_of_a_vendor_are_compiled_at_once(vendor: str) -> None:
    """What is unpriced is not in the table."""
    table = compile_prices([vendor, "nobody"], NOON)
    assert sorted(name for _, name in table) == [
        "dated",
        "embedding",
        "every-class",
        "free",
        "nightly",
        "plain",
        "stepped",
    ]
    assert table[vendor, "plain"] == found(vendor, "plain")


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (NIGHT, datetime(2026, 11, 20, 6, tzinfo=UTC)),
        (NOON, datetime(2026, 11, 21, 1, 30, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_next_change_of_a_price_is_known_ahead(vendor: str, at: datetime, change: datetime) -> None:
    """Whichever comes first: an hour of the day, or a day from which another price holds."""
    assert next_change([vendor], at) == change


def test_prices_set_by_hand() -> None:
    """The decimal number that was written counts, cached input is the dearer guess unless it is given."""
    (step,) = sheet_from_usd(0.1, Decimal("0.30")).steps
    assert usd(step[1]) == dict.fromkeys(TOKEN_CLASSES[:7], 0.1) | dict.fromkeys(TOKEN_CLASSES[7:], 0.3)
    sheet = sheet_from_usd(3, 15, cached_usd_per_mtok=0.3, source="farthing.toml")
    assert sheet.version == "farthing.toml"
    assert sheet.parts(Usage(prompt=10, cached=10, cached_audio=20, completion=10)) == {
        "prompt": 30_000,
        "cached": 3_000,
        "cached_audio": 6_000,
        "completion": 150_000,
    }
    assert sheet_from_usd(1, 1).version == "config"


def oracle(known: ModelInfo, provider: Provider, usage: Usage, at: datetime) -> int:
    """The price library's own cost in nano-dollars; it wants a total beside each of its kinds."""
    reported = Reported(
        input_tokens=usage.tokens_in,
        output_tokens=usage.tokens_out,
        cache_read_tokens=usage.cached + usage.cached_audio,
        cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
        cache_write_5m_tokens=usage.cache_write_5m,
        cache_write_1h_tokens=usage.cache_write_1h,
        input_audio_tokens=usage.audio_in + usage.cached_audio,
        input_image_tokens=usage.image_in,
        output_reasoning_tokens=usage.reasoning,
        output_audio_tokens=usage.audio_out,
        output_image_tokens=usage.image_out,
        cache_audio_read_tokens=usage.cached_audio,
        cache_image_read_tokens=0,
    )
    total = known.calc_price(reported, provider, genai_request_timestamp=at).total_price
    return int((total * NANO).to_integral_value(ROUND_HALF_UP))


@pytest.mark.parametrize("at", [EARLIER, NIGHT, NOON], ids=["last year", "at night", "at noon"])
def test_costs_agree_with_the_price_library_for_every_known_model(at: datetime) -> None:
    """For every model of every vendor we know, a random call costs the same to the nano-dollar."""
    random = Random(1)
    providers = {provider.id: provider for provider in get_snapshot().providers}
    vendors = sorted({vendor.prices for vendor in load_vendors().values() if vendor.prices})
    table = compile_prices(vendors, at)
    assert len(table) > 1_000
    for (vendor, name), sheet in table.items():
        known = next(known for known in providers[vendor].models if known.id == name)
        most = random.choice((100, 10_000, 400_000))
        usage = convert({kind: random.choice((0, random.randrange(most))) for kind in TOKEN_CLASSES}, Usage)
        assert sheet.cost(usage) == oracle(known, providers[vendor], usage, at), (vendor, name, usage)


@pytest.mark.parametrize(
    ("at", "newest"),
    [
        (datetime(2026, 5, 2, tzinfo=UTC), "2026-05-02"),
        (datetime(2026, 5, 1, 23, tzinfo=UTC), "2026-03-01"),
        (datetime(2026, 5, 2, 1, tzinfo=timezone(timedelta(hours=2))), "2026-03-01"),
        (datetime(2026, 2, 28, tzinfo=UTC), None),
    ],
)
def test_the_price_data_is_as_old_as_its_newest_price_that_holds(at: datetime, newest: str | None) -> None:
    """One that is announced does not count yet; days are those of UTC."""
    prices = [
        ConditionalPrice(constraint=StartDateConstraint(day), prices=ModelPrice(input_mtok=Decimal(1)))
        for day in (date(2026, 3, 1), date(2026, 5, 2))
    ]
    model = ModelInfo(id="m", match=ClauseEquals(equals="m"), prices=prices)
    vendor = Provider(id="ace", name="Ace", api_pattern="x", models=[model])
    set_custom_snapshot(DataSnapshot(providers=[vendor], from_auto_update=False))
    try:
        assert price_data(at) == PriceData(source=f"genai-prices {version('genai-prices')}", newest=newest)
    finally:
        set_custom_snapshot(None)

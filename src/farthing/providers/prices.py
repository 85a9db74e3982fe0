"""The vendors' list prices, from genai-prices, as integer rates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

from farthing.domain.pricing import NANO, PriceData, PriceSheet, Rates, ToolFees

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider, TieredPrices

Price: TypeAlias = "Decimal | TieredPrices"
"""US dollars per unit, for every call or by the size of its input."""

_SOURCES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("input_mtok",),
    "cached": ("cache_read_mtok", "input_mtok"),
    "cached_audio": ("cache_audio_read_mtok", "input_audio_mtok", "cache_read_mtok", "input_mtok"),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "audio_in": ("input_audio_mtok", "input_mtok"),
    "image_in": ("input_image_mtok", "input_mtok"),
    "completion": ("output_mtok",),
    "reasoning": ("output_reasoning_mtok", "output_mtok"),
    "audio_out": ("output_audio_mtok", "output_mtok"),
    "image_out": ("output_image_mtok", "output_mtok"),
}
"""Where each token class takes its price from: the first of these that the vendor names."""


def compile_prices(vendors: Iterable[str], at: datetime) -> dict[tuple[str, str], PriceSheet]:
    """What the models of these vendors cost at a moment, by vendor and model, both as genai-prices calls them.

    A model whose price is not known is left out. `at` has a time zone, here and below.
    """
    found = {}
    for vendor in vendors:
        provider = _provider(vendor)
        for model in provider.models if provider else ():
            sheet = _sheet(model, at)
            if sheet is not None:
                found[vendor, model.id] = sheet
    return found


def price_for(vendor: str, model: str, at: datetime) -> PriceSheet | None:
    """What a call of `model`, under any name that its vendor knows it by, costs at a moment; None where unknown.

    The price is the one of that day and, where the vendor charges by it, of that time of the day.
    """
    known = _model(vendor, model)
    return _sheet(known, at) if known else None


def context_windows(vendor: str) -> dict[str, int]:
    """Tokens that each model of this vendor reads at most, where the data tells; models by what the data calls them."""
    provider = _provider(vendor)
    return {model.id: model.context_window for model in (provider.models if provider else ()) if model.context_window}


def context_window(vendor: str, model: str) -> int | None:
    """The same of one model, under any name that its vendor knows it by."""
    known = _model(vendor, model)
    return known.context_window if known else None


def known_as(vendor: str, model: str) -> str:
    """What the data calls a model that its vendor calls so, in its API or before people (`Claude Sonnet 4.5`).

    The name itself where the data does not know it.
    """
    for name in (model, re.sub(r"[\s.]+", "-", model.strip().lower())):
        if known := _model(vendor, name):
            return known.id
    return model


def price_data(at: datetime) -> PriceData:
    """The data that is installed here, with the newest price that holds at a moment."""
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import StartDateConstraint

    today = at.astimezone(UTC).date()
    days = [
        price.constraint.start_date
        for provider in get_snapshot().providers
        for model in provider.models
        if isinstance(model.prices, list)
        for price in model.prices
        if isinstance(price.constraint, StartDateConstraint)
    ]
    newest = max((day for day in days if day <= today), default=None)
    return PriceData(source=f"genai-prices {_data_version()}", newest=newest.isoformat() if newest else None)


def next_change(vendors: Iterable[str], at: datetime) -> datetime | None:
    """The next moment after `at` at which a price of these vendors changes, or None where none is announced."""
    moments = [
        moment
        for provider in map(_provider, vendors)
        if provider
        for model in provider.models
        for moment in _changes(model, at)
    ]
    return min(moments, default=None)


def sheet_from_usd(
    input_usd_per_mtok: Decimal | float,
    output_usd_per_mtok: Decimal | float,
    *,
    cached_usd_per_mtok: Decimal | float | None = None,
    source: str = "config",
) -> PriceSheet:
    """A price set by hand, in US dollars per million tokens; cached input costs as much as other input unless given."""
    prompt, completion = _nano(input_usd_per_mtok), _nano(output_usd_per_mtok)
    rates = dict.fromkeys(Rates.__struct_fields__, prompt)
    rates |= dict.fromkeys(("completion", "reasoning", "audio_out", "image_out"), completion)
    rates["per_request"] = 0
    if cached_usd_per_mtok is not None:
        rates |= dict.fromkeys(("cached", "cached_audio"), _nano(cached_usd_per_mtok))
    return PriceSheet(version=source, steps=((0, Rates(**rates)),))


@cache
def _data_version() -> str:
    return version("genai-prices")


def _provider(vendor: str) -> Provider | None:
    # The package takes its time to load, and who runs only models of his own needs none of it.
    from genai_prices.data_snapshot import get_snapshot

    return next((provider for provider in get_snapshot().providers if provider.id == vendor), None)


def _model(vendor: str, model: str) -> ModelInfo | None:
    from genai_prices.data_snapshot import get_snapshot

    provider = _provider(vendor)
    return provider.find_model(model, all_providers=get_snapshot().providers) if provider else None


def _sheet(model: ModelInfo, at: datetime) -> PriceSheet | None:
    """The price at a moment, or None where the data has none for text: an empty price is unknown, not free."""
    prices: Mapping[str, Price] = {key: price for key, price in vars(model.get_prices(at)).items() if price is not None}
    if "input_mtok" not in prices:
        return None
    starts = {0}
    for price in prices.values():
        starts.update(tier.start for tier in getattr(price, "tiers", ()))
    steps = tuple((start, _rates(prices, start)) for start in sorted(starts))
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ" if _has_hours(model) else "%Y-%m-%d")
    return PriceSheet(version=f"genai-prices {_data_version()} {moment}", steps=steps, tools=_tools(prices))


def _rates(prices: Mapping[str, Price], start: int) -> Rates:
    """The rates of a call with more than `start` input tokens; a vendor that names no output price charges none."""
    rates = {
        name: _nano(_at_step(next((prices[key] for key in keys if key in prices), None), start))
        for name, keys in _SOURCES.items()
    }
    return Rates(**rates, per_request=_nano(_at_step(prices.get("requests_kcount"), start) / 1_000))


def _tools(prices: Mapping[str, Price]) -> ToolFees:
    """What the vendor's own tools cost; where every request has its price, that holds the searching."""
    web, files = prices.get("web_searches_kcount"), prices.get("storage_searches_kcount")
    if web is None and "requests_kcount" in prices:
        web = Decimal(0)
    return ToolFees(web_searches=_per_call(web), file_searches=_per_call(files))


def _per_call(price_of_thousand: Price | None) -> int | None:
    return None if price_of_thousand is None else _nano(_at_step(price_of_thousand, 0) / 1_000)


def _at_step(price: Price | None, start: int) -> Decimal:
    if price is None:
        return Decimal(0)
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return reached[-1] if reached else price.base


def _nano(usd: Decimal | float) -> int:
    """Nano-dollars, half up; a float counts as the decimal number it is written as."""
    exact = usd if isinstance(usd, Decimal) else Decimal(repr(usd))
    return int((exact * NANO).to_integral_value(ROUND_HALF_UP))


def _has_hours(model: ModelInfo) -> bool:
    from genai_prices.types import TimeOfDateConstraint

    prices = model.prices if isinstance(model.prices, list) else []
    return any(isinstance(price.constraint, TimeOfDateConstraint) for price in prices)


def _changes(model: ModelInfo, at: datetime) -> Iterator[datetime]:
    """The moments after `at`, at most a day ahead for daily ones, at which another price of the model holds."""
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    today = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for price in model.prices if isinstance(model.prices, list) else ():
        limit = price.constraint
        if isinstance(limit, StartDateConstraint):
            start = datetime(limit.start_date.year, limit.start_date.month, limit.start_date.day, tzinfo=UTC)
            if start > at:
                yield start
        elif isinstance(limit, TimeOfDateConstraint):
            for time in (limit.start_time, limit.end_time):
                moment = today + timedelta(hours=time.hour, minutes=time.minute, seconds=time.second)
                yield moment if moment > at else moment + timedelta(days=1)

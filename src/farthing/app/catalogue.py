"""From settings to what can be asked: the catalogue of models, and the providers they live at."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import get_args

from msgspec.structs import replace

from farthing.domain.catalogue import TIERS, Capability, Catalogue, Model, Tier
from farthing.domain.pricing import NANO, TOOL_CLASSES, PriceData, PriceSheet
from farthing.domain.secrecy import Secret
from farthing.ports import Provider, Transport
from farthing.providers import PROVIDERS, Endpoint, Vendor, VendorModel, load_vendors
from farthing.providers.fake import DEMO_MODELS, DEMO_URL
from farthing.providers.prices import (
    compile_prices,
    context_window,
    context_windows,
    next_change,
    price_data,
    price_for,
    sheet_from_usd,
)
from farthing.providers.simulation import DemoModel
from farthing.settings import ModelSettings, ProviderAccess, Settings

logger = logging.getLogger(__name__)

EVERYTHING: frozenset[Capability] = frozenset(get_args(Capability))
"""What a model is taken to be capable of where nobody says: its vendor knows better than we do."""
DEMO_PROVIDER, DEMO_DIALECT = "demo", "openai"
UNKNOWN_TIER: Tier = "moderate"
"""For models that are asked by name only, where nobody says."""


def build_catalogue(settings: Settings, now_us: int) -> Catalogue:
    """Every model that can be asked, at the prices of this moment (µs since 1970 UTC)."""
    catalogue = _simulated_catalogue() if settings.demo else _configured_catalogue(settings, now_us)
    judge = catalogue.find(settings.learning.judge or "")
    if settings.learning.judge and (judge is None or judge.price is None):
        logger.warning("the judge %s is not here or has no price: no answers are compared", settings.learning.judge)
    return catalogue


def _simulated_catalogue() -> Catalogue:
    models = {model.name: model for model in map(_simulated, DEMO_MODELS)}
    return Catalogue(models=models, baseline=_dearest(models), demo=True, prices=PriceData(source="demo"))


def _configured_catalogue(settings: Settings, now_us: int) -> Catalogue:
    at = datetime.fromtimestamp(now_us / 1e6, UTC)
    listed = {model.name: model for model in _listed(settings, at)}
    offered = {model.name: model for access in settings.providers.values() for model in _offered(settings, access, at)}
    models = {**offered, **listed}
    aliases = {f"{model.provider}/{model.name}": model.name for model in models.values()}
    baseline = settings.routing.baseline or _dearest(models)
    catalogue = Catalogue(models=models, baseline=baseline, aliases=aliases, prices=known_prices(settings, now_us))
    return catalogue if catalogue.compared else replace(catalogue, reference=_reference(settings.routing.baseline, at))


def known_prices(settings: Settings, now_us: int) -> PriceData:
    """Where prices come from at a moment (µs since 1970 UTC): list prices are loaded for vendors that have some."""
    return price_data(datetime.fromtimestamp(now_us / 1e6, UTC)) if _price_lists(settings) else PriceData()


def _price_lists(settings: Settings) -> Sequence[str]:
    """What the price data calls the configured vendors."""
    vendors = load_vendors()
    known = (vendors[access.vendor].prices for access in settings.providers.values() if access.vendor)
    return [vendor for vendor in known if vendor]


def next_price_change(settings: Settings, now_us: int) -> int | None:
    """The next moment at which a price of the configured vendors changes, in µs; None where none is announced."""
    change = next_change(_price_lists(settings), datetime.fromtimestamp(now_us / 1e6, UTC))
    return round(change.timestamp() * 1e6) if change else None


def build_providers(settings: Settings, transport: Transport) -> Mapping[str, Provider]:
    """Every configured provider by name, or the simulated one."""
    if settings.demo:
        endpoint = Endpoint(name=DEMO_PROVIDER, dialect=DEMO_DIALECT, base_url=DEMO_URL)
        return {DEMO_PROVIDER: PROVIDERS["demo"](endpoint, transport, None)}
    vendors = load_vendors()
    return {
        name: PROVIDERS[_kind(vendors, access)](
            Endpoint(
                name=name,
                dialect=access.dialect,
                base_url=access.base_url,
                headers=_headers(access, vendors.get(access.vendor or "")),
                deadlines=access.deadlines,
                has_responses=access.has_responses,
            ),
            transport,
            Secret(access.api_key.get_secret_value()) if access.api_key else None,
        )
        for name, access in settings.providers.items()
    }


def _kind(vendors: Mapping[str, Vendor], access: ProviderAccess) -> str:
    vendor = vendors.get(access.vendor or "")
    return vendor.kind if vendor else "http"


def _simulated(model: DemoModel) -> Model:
    return Model(
        name=model.name,
        provider=DEMO_PROVIDER,
        upstream=model.name,
        dialect=DEMO_DIALECT,
        tier=model.tier,
        price=sheet_from_usd(model.input_usd_per_mtok, model.output_usd_per_mtok, source="demo"),
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        capabilities=model.capabilities,
    )


def _headers(access: ProviderAccess, vendor: Vendor | None) -> tuple[tuple[bytes, bytes], ...]:
    values = {name.lower(): value for name, value in (vendor.headers if vendor else {}).items()}
    values |= {name.lower(): value.get_secret_value() for name, value in access.headers.items()}
    return tuple((name.encode(), value.encode()) for name, value in values.items())


def _listed(settings: Settings, at: datetime) -> Iterator[Model]:
    """The models that the file names."""
    vendors = load_vendors()
    for listed in settings.models:
        access = settings.providers[listed.provider]
        vendor = vendors.get(access.vendor or "")
        upstream = listed.upstream or listed.name
        known = next((model for model in (vendor.models if vendor else ()) if model.name == upstream), None)
        tier = listed.tier or (known.tier if known else None)
        yield Model(
            name=listed.name,
            provider=listed.provider,
            upstream=upstream,
            dialect=access.dialect,
            tier=tier or UNKNOWN_TIER,
            price=_with_own_fees(_own_price(listed) or _list_price(vendor, upstream, at), listed),
            context_tokens=listed.context_tokens or _window(vendor, known, upstream),
            max_output_tokens=listed.max_output_tokens or (known.max_output_tokens if known else None),
            capabilities=_capabilities(listed, known),
            routed=tier is not None,
        )


def _offered(settings: Settings, access: ProviderAccess, at: datetime) -> Iterator[Model]:
    """The vendor's own models: routed where the file names none, all others for whoever asks by name."""
    vendor = load_vendors().get(access.vendor or "")
    if vendor is None:
        return
    known = {model.name: model for model in vendor.models}
    prices = compile_prices([vendor.prices], at) if vendor.prices else {}
    # Whoever looks each name up goes through all names each time.
    windows = context_windows(vendor.prices) if vendor.prices else {}
    names = dict.fromkeys([*known, *(name for _, name in prices)])
    for name in names:
        curated = known.get(name)
        yield Model(
            name=name,
            provider=access.name,
            upstream=name,
            dialect=access.dialect,
            tier=curated.tier if curated else UNKNOWN_TIER,
            price=prices.get((vendor.prices or "", name)),
            context_tokens=_window(vendor, curated, name) if curated else windows.get(name),
            max_output_tokens=curated.max_output_tokens if curated else None,
            capabilities=curated.capabilities if curated else EVERYTHING,
            routed=curated is not None and not settings.models,
        )


def _reference(baseline: str | None, at: datetime) -> Model | None:
    """A baseline that cannot be asked here, at the price of whichever known vendor has it."""
    if baseline is None:
        return None
    name = baseline.rpartition("/")[2]
    for vendor in load_vendors().values():
        price = price_for(vendor.prices, name, at) if vendor.prices else None
        if price is not None:
            return Model(
                name=baseline,
                provider=vendor.name,
                upstream=name,
                dialect=vendor.dialect,
                tier="complex",
                price=price,
                routed=False,
            )
    logger.warning("the baseline %s has no known price: savings cannot be measured against it", baseline)
    return None


def _own_price(listed: ModelSettings) -> PriceSheet | None:
    if listed.input_usd_per_mtok is None or listed.output_usd_per_mtok is None:
        return None
    cached = listed.cached_usd_per_mtok
    return sheet_from_usd(
        float(listed.input_usd_per_mtok),
        float(listed.output_usd_per_mtok),
        cached_usd_per_mtok=None if cached is None else float(cached),
    )


def _with_own_fees(price: PriceSheet | None, listed: ModelSettings) -> PriceSheet | None:
    """The price with what the file says of the provider's own tools."""
    told = {name: getattr(listed, f"{name}_usd_per_1k") for name in TOOL_CLASSES}
    fees = {name: int(usd * NANO / 1_000) for name, usd in told.items() if usd is not None}
    if price is None or not fees:
        return price
    return replace(price, tools=replace(price.tools, **fees), version=f"{price.version}, own fees")


def _list_price(vendor: Vendor | None, upstream: str, at: datetime) -> PriceSheet | None:
    if vendor is None or vendor.prices is None:
        return None
    return price_for(vendor.prices, upstream, at)


def _window(vendor: Vendor | None, known: VendorModel | None, upstream: str) -> int | None:
    if known is not None and known.context_tokens is not None:
        return known.context_tokens
    if vendor is None or vendor.prices is None:
        return None
    return context_window(vendor.prices, upstream)


def _capabilities(listed: ModelSettings, known: VendorModel | None) -> frozenset[Capability]:
    if listed.capabilities is not None:
        return listed.capabilities
    return known.capabilities if known else EVERYTHING


def _dearest(models: Mapping[str, Model]) -> str | None:
    """What a careful buyer would have used: the dearest routed model of the highest tier."""
    routed = [model for model in models.values() if model.routed and model.price]
    if not routed:
        return None
    return max(routed, key=lambda model: (TIERS.index(model.tier), _price_per_call(model))).name


def _price_per_call(model: Model) -> int:
    return model.price.estimate(1_000, 500) if model.price else 0

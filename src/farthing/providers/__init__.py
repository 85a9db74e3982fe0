"""Upstream model vendors: where bytes go."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from farthing.domain.secrecy import Secret
from farthing.ports import Provider, Transport
from farthing.providers.upstream import Endpoint, build_provider
from farthing.providers.vendors import Vendor, VendorModel, load_vendors


def _demo(endpoint: Endpoint, transport: Transport, api_key: Secret[str] | None = None) -> Provider:
    from farthing.providers.fake import demo_provider

    return demo_provider(endpoint, transport, api_key)


PROVIDERS: Mapping[str, Callable[[Endpoint, Transport, Secret[str] | None], Provider]] = {
    "http": build_provider,
    "demo": _demo,
}
"""How a provider is built, by `Vendor.kind`; a vendor that needs code of its own adds a line."""

__all__ = ["PROVIDERS", "Endpoint", "Vendor", "VendorModel", "build_provider", "load_vendors"]

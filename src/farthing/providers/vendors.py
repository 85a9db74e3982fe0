"""The vendors that are known without configuration, read from providers.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct, field

from farthing.domain.catalogue import Capability, Tier


class VendorModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that `auto` may choose. None stands for what is not known."""

    name: str
    tier: Tier
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()


class Vendor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a vendor is reached and what it speaks."""

    name: str
    dialect: Literal["openai", "anthropic", "gemini"]
    base_url: str
    api_key_envs: tuple[str, ...] = field(default=(), name="keys")
    """Environment variables that may hold the key, best first; empty where none is needed."""
    prices: str | None = None
    """The vendor's id in genai-prices."""
    headers: dict[str, str] = {}
    """Sent with every request."""
    models: tuple[VendorModel, ...] = ()
    responses: bool = False
    """Whether it answers OpenAI's Responses API beside chat completions."""
    kind: str = "http"
    """The builder in `PROVIDERS`."""


@cache
def load_vendors() -> Mapping[str, Vendor]:
    """All known vendors by name, in the order of the file."""
    text = resources.files(__package__ or "").joinpath("providers.toml").read_text(encoding="utf-8")
    blocks = tomllib.loads(text)
    return MappingProxyType({name: msgspec.convert({"name": name, **block}, Vendor) for name, block in blocks.items()})

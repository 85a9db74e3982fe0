"""Which models can be asked, at which provider, at what price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from farthing.domain.pricing import PriceData, PriceSheet

Tier = Literal["simple", "moderate", "complex"]
TIERS: tuple[Tier, ...] = ("simple", "moderate", "complex")
Capability = Literal["tools", "images", "json", "reasoning"]

AUTO = "auto"
VIRTUAL_MODELS = (AUTO, "farthing/auto", "farthing/complexity", "farthing/learning", "farthing/hybrid")
"""Names that are routed; every other name is a concrete model and never rerouted."""


class Model(Struct, frozen=True, kw_only=True):
    """A model as callers name it, and where it really lives."""

    name: str
    provider: str
    upstream: str
    """What the provider calls it."""
    dialect: str
    tier: Tier
    price: PriceSheet | None = None
    """None means unpriced: its cost is unknown, never zero."""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    routed: bool = True
    """Whether `auto` may choose it."""


class Catalogue(Struct, frozen=True, kw_only=True):
    """All models by name, and the baseline that savings are measured against."""

    models: Mapping[str, Model]
    baseline: str | None = None
    reference: Model | None = None
    """The baseline where it cannot be asked here and only its price is known."""
    demo: bool = False
    prices: PriceData = PriceData()
    """What the models' prices come from."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Further accepted names, such as `openai/gpt-5.5`, to the name in `models`."""

    def find(self, name: str) -> Model | None:
        """The model that callers mean by this name, or None."""
        return self.models.get(name) or self.models.get(self.aliases.get(name, ""))

    @property
    def compared(self) -> Model | None:
        """The model whose cost savings are measured against, or None."""
        return self.find(self.baseline or "") or self.reference

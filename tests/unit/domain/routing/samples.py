"""Models, catalogues and requests that routing is tested with."""

from msgspec.structs import replace

from farthing.domain.catalogue import Capability, Catalogue, Model, Tier
from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.pricing import NANO, PriceSheet, Rates


def ask(text: str) -> ChatRequest:
    """A request of one user message."""
    return ChatRequest(model="auto", messages=(Message("user", (Text(text),)),))


def price(usd: float) -> PriceSheet:
    """So many dollars for a million tokens of any class."""
    rates = dict.fromkeys(Rates.__struct_fields__, round(usd * NANO)) | {"per_request": 0}
    return PriceSheet(version="test", steps=((0, Rates(**rates)),))


def model(name: str, tier: Tier, usd: float | None, *can: Capability, window: int | None = 100_000) -> Model:
    """A model of one price for all tokens, or of none, with a context window of so many tokens."""
    return Model(
        name=name,
        provider="demo",
        upstream=name,
        dialect="openai",
        tier=tier,
        price=None if usd is None else price(usd),
        context_tokens=window,
        capabilities=frozenset(can),
    )


def catalogue(*models: Model) -> Catalogue:
    """A catalogue of these models."""
    return Catalogue(models={found.name: found for found in models})


SMALL, MEDIUM, LARGE = model("small", "simple", 0.1), model("medium", "moderate", 1), model("large", "complex", 10)
THREE = catalogue(SMALL, MEDIUM, LARGE)
"""One model in each tier, each ten times as dear as the one below."""


def unrouted(found: Model) -> Model:
    """The same model, only to be had by name."""
    return replace(found, routed=False)

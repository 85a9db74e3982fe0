"""In which order the capable models are asked, and why each of the others lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from farthing.domain.catalogue import TIERS, Capability, Catalogue, Model, Tier
from farthing.domain.errors import NotFound
from farthing.domain.routing.needs import capable, obstacle
from farthing.domain.routing.plan import Candidate, Needs

MAY_BE_TOO_WEAK = "may be too weak"
"""How the reason ends for which a capable model is not in a plan."""
_LEVEL = {tier: level for level, tier in enumerate(TIERS)}
_KEPT_CHOICES = 512
"""Short prompts are alike in what they need, and a choice depends on nothing else of them."""


class Choice(Struct, frozen=True, kw_only=True):
    """The models of a plan in their order, every candidate, and the choice as the second half of a sentence."""

    models: tuple[Model, ...]
    candidates: tuple[Candidate, ...]
    because: str
    is_strong: bool
    """Whether the models are of the tier or above it."""


class Offer(Struct, frozen=True, order=True):
    """A capable model; the order of its fields is the order in which models are asked."""

    is_unpriced: bool
    distance: int
    """Tiers between the model's and the one asked for."""
    cost: int
    """Nano-dollars, 0 where unpriced."""
    name: str
    model: Model

    @classmethod
    def of(cls, model: Model, needs: Needs, level: int) -> Offer:
        """What the model would take for a request of these needs."""
        price = model.price
        cost = 0 if price is None else price.estimate(needs.tokens_in, needs.tokens_out)
        return cls(price is None, abs(_LEVEL[model.tier] - level), cost, model.name, model)


class Pool:
    """The models of one catalogue that `auto` may choose from."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._models = tuple(model for model in catalogue.models.values() if model.routed)
        self._choices = lru_cache(maxsize=_KEPT_CHOICES)(self._choose)

    def choose(self, needs: Needs, tier: Tier, allowed: frozenset[str] | None) -> Choice:
        """The capable models from the tier upwards: priced before unpriced, then by tier, then by price.

        Where no capable model is in the tier or above it, those below are asked, the nearest tier first.

        Raises:
            NotFound: No model may be routed to.
            InvalidRequest: None of them has the capabilities, or none the context window.
        """
        return self._choices(needs.tokens_in, needs.tokens_out, needs.capabilities, tier, allowed)

    def able(self, needs: Needs, allowed: frozenset[str] | None) -> Sequence[Model]:
        """The models that can serve the request. Raises as `choose`."""
        models: Sequence[Model] = self._models
        if allowed is not None:
            models = [model for model in models if model.name in allowed]
        if not models:
            raise NotFound(
                "There is no model to route to, or your key may use none of them. Ask for a model by name.",
                code="model_not_found",
                param="model",
            )
        return capable(models, needs)

    def left_out(
        self, candidates: Iterable[Candidate], needs: Needs, tier: Tier, allowed: frozenset[str] | None
    ) -> list[Candidate]:
        """The models that are not among these candidates, as such that cannot serve the request."""
        offered = {candidate.model for candidate in candidates}
        rest = [model for model in self._models if model.name not in offered]
        level = _LEVEL[tier]
        return [lost(Offer.of(model, needs, level), _why_not(model, needs, allowed)) for model in rest]

    def _choose(
        self,
        tokens_in: int,
        tokens_out: int,
        capabilities: frozenset[Capability],
        tier: Tier,
        allowed: frozenset[str] | None,
    ) -> Choice:
        needs = Needs(tokens_in=tokens_in, tokens_out=tokens_out, max_tokens=None, capabilities=capabilities)
        weak, strong = offers_of(self.able(needs, allowed), needs, tier)
        offers = strong or weak
        candidates = _ranked(offers, tier)
        if strong:
            candidates += [lost(offer, f"tier {offer.model.tier} {MAY_BE_TOO_WEAK}") for offer in weak]
        candidates += self.left_out(candidates, needs, tier, allowed)
        return Choice(
            models=tuple([offer.model for offer in offers]),
            candidates=tuple(candidates),
            because=_because(offers, tier),
            is_strong=bool(strong),
        )


def offers_of(models: Iterable[Model], needs: Needs, tier: Tier) -> tuple[list[Offer], list[Offer]]:
    """The models below the tier, and those of it and above, each in the order in which they are asked."""
    level = _LEVEL[tier]
    weak: list[Offer] = []
    strong: list[Offer] = []
    for model in models:
        (weak if _LEVEL[model.tier] < level else strong).append(Offer.of(model, needs, level))
    return sorted(weak), sorted(strong)


def _ranked(offers: list[Offer], tier: Tier) -> list[Candidate]:
    first = offers[0]
    reasons = [_first(first, tier), *[_next(offer, first, tier) for offer in offers[1:]]]
    return [candidate_of(offer, reason, rank) for rank, (offer, reason) in enumerate(zip(offers, reasons, strict=True))]


def lost(offer: Offer, reason: str) -> Candidate:
    """A model that is not in the plan."""
    return candidate_of(offer, reason, None)


def candidate_of(offer: Offer, reason: str, rank: int | None) -> Candidate:
    """A model of whose quality nothing is known."""
    model = offer.model
    return Candidate(
        model=offer.name,
        provider=model.provider,
        tier=model.tier,
        estimated_cost=None if offer.is_unpriced else offer.cost,
        estimated_quality=None,
        reason=reason,
        rank=rank,
    )


def _why_not(model: Model, needs: Needs, allowed: frozenset[str] | None) -> str:
    return "not allowed for this key" if allowed is not None and model.name not in allowed else obstacle(model, needs)


def _first(offer: Offer, tier: Tier) -> str:
    if offer.model.tier != tier:
        return f"no capable model of tier {tier}"
    return "no capable model has a price" if offer.is_unpriced else f"cheapest capable model of tier {tier}"


def _next(offer: Offer, first: Offer, tier: Tier) -> str:
    if offer.is_unpriced:
        return "has no price, so priced models come first"
    price = compared(offer.cost, first.cost)
    return price if offer.model.tier == tier else f"tier {offer.model.tier} not needed, {price}"


def compared(cost: int, least: int) -> str:
    """How dear a model is beside one that costs `least` nano-dollars."""
    if cost == least:
        return "costs the same"
    return f"costs {cost / least:.1f}x as much" if least else "is not free"


def _because(offers: list[Offer], tier: Tier) -> str:
    """The choice of the first offer, as the second half of a sentence."""
    first = offers[0]
    if first.is_unpriced:
        return f"no capable model has a price, {first.name} comes first"
    if first.model.tier != tier:
        return f"no capable model of tier {tier}, so {first.name} of tier {first.model.tier} is asked"
    if len(offers) == 1:
        return f"{first.name} is the only capable model"
    if all(first.cost <= offer.cost for offer in offers):
        return f"{first.name} is the cheapest of {len(offers)} capable models"
    return f"{first.name} is the cheapest capable model of its tier"

"""What a strategy decides: an ordered plan of candidates, and why each of the others lost."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from farthing.domain.catalogue import Capability, Catalogue, Model, Tier
from farthing.domain.chat import ChatRequest

Confidence = Literal["high", "medium", "low"]


class Candidate(Struct, frozen=True, kw_only=True):
    """A model that was looked at. `rank` is its place in the plan from 0; None means it lost, for `reason`."""

    model: str
    provider: str
    tier: Tier
    estimated_cost: int | None
    """Nano-dollars; None where the model is unpriced."""
    estimated_quality: float | None
    """0..1; None where nothing is known."""
    reason: str
    rank: int | None = None
    quality_interval: tuple[float, float] | None = None
    """The 95 % interval of `estimated_quality`: 0..1, wide where few answers to prompts like this one are rated."""


class Needs(Struct, frozen=True, kw_only=True):
    """What a request demands of any model that is to answer it. Tokens are estimates."""

    tokens_in: int
    most_in: int = 0
    """What no vendor counts more tokens than in the text and the pictures that were read, where that was told."""
    picture_chars: int = 0
    """Characters of the request that are pictures."""
    tokens_out: int
    """Likely output, not the caller's limit."""
    max_tokens: int | None
    """The caller's limit for each answer."""
    answers: int = 1
    """How many are asked for."""
    has_unseen: bool = False
    """Whether the model may read more than `tokens_in` tells, nobody here knows how much."""
    capabilities: frozenset[Capability] = frozenset()

    @property
    def longest(self) -> int | None:
        """The most output tokens of all answers together; None where the caller sets no limit."""
        return None if self.max_tokens is None else self.max_tokens * self.answers


class Plan(Struct, frozen=True, kw_only=True):
    """Models to ask in this order until one answers."""

    models: tuple[Model, ...]
    strategy: str
    """The strategy that decided; for a concrete model `passthrough`."""
    confidence: Confidence
    reason: str
    """One sentence a person understands."""
    needs: Needs
    candidates: tuple[Candidate, ...] = ()
    tier: Tier | None = None
    score: float | None = None
    """Complexity 0..1; None where nothing was scored."""
    metadata: dict[str, Any] = field(default_factory=dict)
    is_explored: bool = False
    """Whether the first model comes first only to learn what it is worth: its answer is not kept."""
    side: Literal["hold_back", "routed"] | None = None
    """On which side it stands of the comparison that measures what routing saves; None where on neither."""

    def led_by(self, name: str, reason: str) -> Plan:
        """The same plan with this one of its models asked first, of which nobody is sure."""
        asked = [one for one in self.candidates if one.rank is not None]
        lost = [one for one in self.candidates if one.rank is None]
        asked.sort(key=lambda one: one.model != name)
        return replace(
            self,
            models=tuple(sorted(self.models, key=lambda model: model.name != name)),
            candidates=(*[replace(one, rank=place) for place, one in enumerate(asked)], *lost),
            confidence="low",
            reason=reason,
        )


class Strategy(Protocol):
    """Chooses models for a request. Pure: the same request and catalogue give the same plan."""

    name: str

    def plan(
        self,
        chat: ChatRequest,
        catalogue: Catalogue,
        *,
        allowed: frozenset[str] | None = None,
        floor: float | None = None,
    ) -> Plan:
        """The plan; raises `NotFound` where no model of the catalogue can serve the request.

        `floor` is the most quality (0..1) that a cheaper answer may cost; None leaves it to the configuration.
        """

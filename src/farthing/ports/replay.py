"""Seam of the what-if replay: requests of the ledger as they were decided, answered and rated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct

from farthing.domain.catalogue import Tier
from farthing.domain.chat import Usage
from farthing.ports import Stretch

StrategyName = Literal["complexity", "learning", "hybrid"]


class Decided(Struct, frozen=True, kw_only=True, gc=False):
    """A routed request that was answered, and what is still known of it."""

    created_at_us: int
    model: str
    """Which answered."""
    strategy: str
    tier: Tier | None
    score: float | None
    decision: Mapping[str, Any]
    """Candidates and metadata as the ledger keeps them."""
    is_first: bool
    """Whether the model that answered was the only one asked."""
    usage: Usage
    cost: int | None
    """Nano-dollars, None where unpriced."""
    prompt: str | None
    """What was asked last, None where it is not kept."""
    rating: float | None
    """0..1, the mean of what people said, or else of what a judge did."""
    rated_us: int | None
    """When that was said last, in µs since 1970 UTC."""


class Question(Struct, frozen=True, kw_only=True):
    """What would another policy have cost, and at what quality?"""

    tenant: str | None
    """Whose requests; None for everybody's."""
    strategy: StrategyName
    stretch: Stretch
    limit: int
    """At most so many requests, the newest."""
    pool: tuple[str, ...] = ()
    """Models to choose from; empty for those that are chosen from today."""
    floor: float | None = None
    """0..1, the most quality that a cheaper answer may cost; None for the configured one."""
    prices: Mapping[str, tuple[float, float]] = {}
    """US dollars per million tokens in and out, by model, in place of its price."""


class Replay(Protocol):
    """Answers such questions, without calling any model."""

    async def __call__(self, question: Question) -> dict[str, Any]:
        """The report, money in nano-dollars. Raises `Conflict` while another is made, and `Unavailable`."""

"""Requests of the past, and policies to decide them anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from farthing.domain.catalogue import Catalogue
from farthing.domain.chat import Usage
from farthing.domain.routing import STRATEGIES
from farthing.domain.routing.plan import Plan
from farthing.insight.replay.policy import Known, Policy
from farthing.ports.replay import Decided
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import THREE, ask

EASY = "Who wrote Faust?"
SEEN_US = 1_000
"""When the predictor of `known` was learned."""
NOW_US = 2_000
USAGE = Usage(prompt=1_000, completion=100)


def written(plan: Plan, **metadata: Any) -> dict[str, Any]:
    """A decision as the ledger keeps it."""
    tree = {"candidates": plan.candidates, "metadata": plan.metadata | metadata}
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tree))
    return found


def decided(model: str = "small", prompt: str | None = EASY, **changes: Any) -> Decided:
    """A request that complexity sent to the small model, which answered it for a tenth of a dollar per million."""
    metadata = changes.pop("metadata", {})
    plan = STRATEGIES["complexity"].plan(ask(prompt or EASY), THREE)
    drawn = plan.led_by(model, "Drawn.")
    fields: dict[str, Any] = {
        "created_at_us": NOW_US,
        "model": model,
        "strategy": "complexity",
        "tier": plan.tier,
        "score": plan.score,
        "decision": written(drawn, **metadata),
        "is_first": True,
        "usage": USAGE,
        "cost": 110_000,
        "prompt": prompt,
        "rating": None,
        "rated_us": None,
    }
    return Decided(**fields | changes)


def policy(strategy: Any = "complexity", *, catalogue: Catalogue = THREE, **changes: Any) -> Policy:
    """Of three models, one a tier, at one price for all time."""
    fields: dict[str, Any] = {"strategy": strategy, "floor": 0.02, "days": [(0, catalogue)]}
    return Policy(**fields | changes)


def known(qualities: Mapping[str, float], costs: Mapping[str, float] | None = None, *, near: float = 100) -> Known:
    """What was learned of each model, from a hundred answers."""
    return Known(Told(qualities, costs, near), often(*qualities), SEEN_US)


async def pages(*rows: Decided) -> AsyncIterator[Sequence[Decided]]:
    """All of them on one page."""
    yield rows

"""The strategy that goes by complexity until enough is learned, and holds what is learned against it."""

from __future__ import annotations

from msgspec.structs import replace

from farthing.domain.catalogue import TIERS, Catalogue, Model
from farthing.domain.chat import ChatRequest
from farthing.domain.routing.learned import NOTHING_OF_THESE, Learned
from farthing.domain.routing.plan import Candidate, Plan, Strategy
from farthing.domain.routing.unlearned import unlearned

_FARTHEST = 1
"""Tiers that what is learned may be off complexity's, unless it is sure."""


class Hybrid:
    """Decides as what is learned does, where that is sure or close to what complexity says; else as complexity does."""

    name = "hybrid"

    def __init__(self, complexity: Strategy, learned: Learned) -> None:
        self._complexity = complexity
        self._learned = learned

    def plan(
        self,
        chat: ChatRequest,
        catalogue: Catalogue,
        *,
        allowed: frozenset[str] | None = None,
        floor: float | None = None,
    ) -> Plan:
        """One of the two strategies' plans; its reason and `decided_by` say whose. Raises as complexity does."""
        plan = self._complexity.plan(chat, catalogue, allowed=allowed)
        found = self._learned.revised(plan, chat, catalogue, allowed=allowed, floor=floor)
        if found is None:
            return unlearned(plan, self.name, NOTHING_OF_THESE)
        is_learned = found.confidence == "high" or (floor is not None and _is_beneath(plan.models[0], found))
        return replace(found if is_learned else _held(found, plan), strategy=self.name)


def _is_beneath(choice: Model, found: Plan) -> bool:
    """Whether as much as is known of complexity's choice says that it gives up more than the request allows."""
    expected: float | None = found.metadata["expected"].get(choice.name)
    return expected is not None and expected < found.metadata["least"]


def _held(found: Plan, plan: Plan) -> Plan:
    """What is learned, as long as it is known well enough for how far it is off the tier; else what complexity says."""
    first, tier = found.models[0], plan.tier or TIERS[0]
    if found.confidence == "low":
        why = "too few answers to prompts like this are rated"
    elif abs(TIERS.index(first.tier) - TIERS.index(tier)) <= _FARTHEST:
        return found
    else:
        why = f"{first.name} of tier {first.tier} is not known well enough for this"
    told = {one.model: one for one in found.candidates}
    return replace(
        plan,
        reason=f"{plan.reason.removesuffix('.')}; {why}.",
        confidence=found.confidence,
        candidates=tuple([_with_quality(one, told[one.model]) for one in plan.candidates]),
        metadata=found.metadata | {"decided_by": plan.strategy},
    )


def _with_quality(candidate: Candidate, told: Candidate) -> Candidate:
    return replace(candidate, estimated_quality=told.estimated_quality, quality_interval=told.quality_interval)

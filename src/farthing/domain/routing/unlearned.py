"""Strategies that learn, before they have learned anything."""

from __future__ import annotations

from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue
from farthing.domain.chat import ChatRequest
from farthing.domain.routing.plan import Plan, Strategy


class Unlearned:
    """Decides as `instead` does, and says that it does so for want of anything learned."""

    def __init__(self, name: str, instead: Strategy) -> None:
        self.name = name
        self._instead = instead

    def plan(
        self,
        chat: ChatRequest,
        catalogue: Catalogue,
        *,
        allowed: frozenset[str] | None = None,
        floor: float | None = None,
    ) -> Plan:
        """The other strategy's plan under this one's name, with low confidence. Raises as the other does."""
        plan = self._instead.plan(chat, catalogue, allowed=allowed, floor=floor)
        return unlearned(plan, self.name, "nothing learned yet")


def unlearned(plan: Plan, name: str, why: str) -> Plan:
    """The same plan under the name of a strategy that could not decide, for this reason."""
    return replace(plan, strategy=name, confidence="low", reason=f"{plan.reason.removesuffix('.')}; {why}.")

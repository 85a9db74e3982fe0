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

    def plan(self, chat: ChatRequest, catalogue: Catalogue, *, allowed: frozenset[str] | None = None) -> Plan:
        """The other strategy's plan under this one's name, with low confidence. Raises as the other does."""
        plan = self._instead.plan(chat, catalogue, allowed=allowed)
        reason = f"{plan.reason.removesuffix('.')}; nothing learned yet"
        return replace(plan, strategy=self.name, confidence="low", reason=reason)

"""A cheaper plan for a caller whose budget nears its end."""

from __future__ import annotations

from msgspec.structs import replace

from farthing.domain.catalogue import TIERS, Catalogue
from farthing.domain.routing.plan import Plan
from farthing.domain.routing.selection import Pool


class Thrift:
    """Takes a plan one tier lower. Pure but for what it remembers of the last catalogue."""

    def __init__(self) -> None:
        self._pool = Pool(Catalogue(models={}))

    def lower(self, plan: Plan, catalogue: Catalogue, allowed: frozenset[str] | None) -> Plan:
        """The same plan with the capable models of the next lower tier first; a plan of the lowest is left alone.

        One that goes by what is expected of the models begins with the best of those that are cheaper.
        """
        if plan.metadata.get("decided_by") == "learning":
            return _cheaper(plan)
        if plan.tier is None or plan.tier == TIERS[0]:
            return plan
        if self._pool.catalogue is not catalogue:
            self._pool = Pool(catalogue)
        tier = TIERS[TIERS.index(plan.tier) - 1]
        choice = self._pool.choose(plan.needs, tier, allowed)
        return replace(
            plan,
            models=choice.models,
            candidates=choice.candidates,
            confidence="low",
            reason=f"{plan.reason.removesuffix('.')}; a budget nears its end, so tier {tier}: {choice.because}.",
        )


def _cheaper(plan: Plan) -> Plan:
    """The plan with the best of the models first that cost less than its first; one of the cheapest is left alone."""
    asked = [candidate for candidate in plan.candidates if candidate.rank is not None]
    cost = asked[0].estimated_cost or 0
    cheaper = [
        one
        for one in asked
        if one.estimated_quality is not None and one.estimated_cost is not None and one.estimated_cost < cost
    ]
    if not cheaper:
        return plan
    best = max(cheaper, key=lambda one: one.estimated_quality or 0.0)
    why = f"{plan.reason.removesuffix('.')}; a budget nears its end, so {best.model}: {best.reason}."
    return plan.led_by(best.model, why)

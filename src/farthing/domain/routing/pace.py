"""Keeps what routed requests cost on average at a target: quality is given up where most money is saved for it."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.pricing import NANO
from farthing.domain.routing.plan import Plan

_LEAST, _FIRST, _MOST = 1e-4, 0.01, 1.0
"""Points of quality (0..1) that as much money as the target is worth: at the least nothing is given up."""
_GAIN = 1.0
"""By how much its logarithm rises after a step that cost twice the target."""
_STEP = 20
"""Requests of a step at least: single ones cost too differently to follow."""


class Pace(Struct, frozen=True, kw_only=True):
    """How dear quality is at present."""

    target_usd: float
    """For a routed request, on average."""
    spent_usd: float | None
    """What they did cost, on average of the minutes that were looked at; None where there was none."""
    points_per_usd: float
    """Points of quality (0..1) that may be given up for each US dollar that is saved."""

    @classmethod
    def of(cls, minutes: Iterable[tuple[int, int]], target_usd: float) -> Pace:
        """By the requests of each minute and what they cost in nano-dollars, the oldest first.

        Dual descent on the logarithm of the multiplier, projected onto its bounds (Balseiro and Gur 2019, "Learning in
        Repeated Auctions with Budgets", adaptive pacing). The same minutes give the same pace.
        """
        least, most = log(_LEAST), log(_MOST)
        worth, requests, cost = log(_FIRST), 0, 0
        count, spent = 0, 0
        for more, dearer in minutes:
            count, spent = count + more, spent + dearer
            requests, cost = requests + more, cost + dearer
            if count >= _STEP:
                over = min(spent / NANO / count / target_usd - 1, 1.0)
                worth = min(max(worth + _GAIN * over, least), most)
                count, spent = 0, 0
        return cls(
            target_usd=target_usd,
            spent_usd=cost / NANO / requests if requests else None,
            points_per_usd=exp(worth) / target_usd if worth > least and requests else 0.0,
        )


def paced(plan: Plan, pace: Pace) -> Plan:
    """The plan with the cheaper of its models first that saves most for the quality it costs, if that is worth it."""
    plan = replace(plan, metadata=plan.metadata | {"points_per_usd": pace.points_per_usd})
    first = plan.models[0].name
    names = {model.name for model in plan.models}
    known = {
        one.model: (one.estimated_quality, one.estimated_cost / NANO)
        for one in plan.candidates
        if one.model in names and one.estimated_quality is not None and one.estimated_cost is not None
    }
    if first not in known:
        return plan
    most = known[first][1]
    worth = {model: quality - pace.points_per_usd * usd for model, (quality, usd) in known.items() if usd <= most}
    best = max(worth, key=worth.__getitem__)
    if worth[best] <= worth[first]:
        return plan
    reason = f"{plan.reason.removesuffix('.')}; to keep to ${pace.target_usd:g} a request, {best} instead."
    return replace(plan.led_by(best, reason), confidence=plan.confidence)

"""Asks another model now and then: what is never asked is never rated, and tells nothing of another policy."""

from __future__ import annotations

from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue
from farthing.domain.experiments.assignment import point
from farthing.domain.routing.plan import Plan

MOST_TIMES = 4
"""An explored model is expected to cost at most so many times what the first would, never more than the baseline."""
MOST_BELOW = 0.1
"""Its quality, where something is known of it, is expected to be at most this (0..1) further below the best than the
floor allows."""
_SALT = b"exploration:"
_WHOLE = 1 << 64


def explored(plan: Plan, catalogue: Catalogue, *, share: float, request_id: str) -> Plan:
    """The plan with its propensities, and for `share` (0..1) of the requests with another of its models first.

    `metadata["propensities"]` is the probability with which each model comes first for such a request; they sum to 1.
    Which request is explored is a hash of its id. A plan that is made without anything learned is left as it is.
    """
    first = plan.models[0].name
    others = _others(plan, catalogue) if share and "expected" in plan.metadata else []
    if not others:
        return replace(plan, metadata=plan.metadata | {"propensities": {first: 1.0}})
    propensities = {first: 1 - share, **dict.fromkeys(others, share / len(others))}
    plan = replace(plan, metadata=plan.metadata | {"propensities": propensities})
    draw = point(_SALT, request_id) / _WHOLE
    if draw >= share:
        return plan
    other = others[min(int(draw / share * len(others)), len(others) - 1)]
    reason = f"Explored: {other} is asked instead of {first} to learn what it is worth. {plan.reason}"
    return replace(plan.led_by(other, reason), is_explored=True)


def _others(plan: Plan, catalogue: Catalogue) -> list[str]:
    """The models that may be asked instead of the first."""
    allowed = {model.name for model in plan.models}
    asked = {one.model: one for one in plan.candidates if one.model in allowed}
    first = plan.models[0].name
    cost = asked[first].estimated_cost
    if cost is None:
        return []
    most = cost * MOST_TIMES
    baseline = catalogue.compared
    if baseline is not None and baseline.price is not None:
        told = asked.get(baseline.name)
        usual = told.estimated_cost if told else None
        if usual is None:
            usual = baseline.price.estimate(plan.needs.tokens_in, plan.needs.tokens_out)
        most = min(most, usual)
    least = max(plan.metadata["expected"].values()) - plan.metadata["floor"] - MOST_BELOW
    return [
        name
        for name, one in asked.items()
        if name != first
        and one.estimated_cost is not None
        and one.estimated_cost <= most
        and (one.estimated_quality is None or one.estimated_quality >= least)
    ]

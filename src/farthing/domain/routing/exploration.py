"""Asks another model now and then: what is never asked is never rated, and tells nothing of another policy."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue
from farthing.domain.experiments.assignment import point
from farthing.domain.routing.plan import Candidate, Plan

MOST_DEARER = 3.0
"""Times the cost of the first model that an explored one may be expected to cost more, on average of what is drawn: one
that costs more still is drawn as much more seldom."""
MOST_BELOW = 0.1
"""Points of quality (0..1) beyond the floor that it may be expected to be below the best, in the same way."""
_SALT = b"exploration:"
_WHOLE = 1 << 64


def explored(plan: Plan, catalogue: Catalogue, *, share: float, request_id: str) -> Plan:
    """The plan with its propensities, and for `share` (0..1) of the requests with another of its models first.

    `metadata["propensities"]` is the probability with which each model comes first for such a request; they sum to 1.
    Which request is explored is a hash of its id. A plan that is made without anything learned is left as it is.
    """
    first = plan.models[0].name
    parts = _parts(plan, catalogue) if share and "expected" in plan.metadata else {}
    chances = {name: share * part / len(parts) for name, part in parts.items()}
    propensities = {first: 1.0 - sum(chances.values()), **chances}
    plan = replace(plan, metadata=plan.metadata | {"propensities": propensities})
    draw = point(_SALT, request_id) / _WHOLE if chances else 1.0
    for other, chance in chances.items():
        if draw < chance:
            reason = f"Explored: {other} is asked instead of {first} to learn what it is worth. {plan.reason}"
            return replace(plan.led_by(other, reason), is_explored=True)
        draw -= chance
    return plan


def _parts(plan: Plan, catalogue: Catalogue) -> dict[str, float]:
    """The models that may be asked instead of the first, with how much (over 0, at most 1) of an equal share is drawn.

    None costs more than the baseline.
    """
    allowed = {model.name for model in plan.models}
    asked = {one.model: one for one in plan.candidates if one.model in allowed}
    first = plan.models[0].name
    cost = asked[first].estimated_cost
    if cost is None:
        return {}
    most = _usual(plan, catalogue, asked)
    best, floor = max(plan.metadata["expected"].values()), plan.metadata["floor"]
    parts = {}
    for name, one in asked.items():
        if name == first or one.estimated_cost is None or (most is not None and one.estimated_cost > most):
            continue
        below = 0.0 if one.estimated_quality is None else best - one.estimated_quality
        part = min(_part(one.estimated_cost - cost, MOST_DEARER * cost), _part(below, floor + MOST_BELOW))
        if part:
            parts[name] = part
    return parts


def _usual(plan: Plan, catalogue: Catalogue, asked: Mapping[str, Candidate]) -> float | None:
    """Nano-dollars that the baseline is expected to cost; None where nobody knows."""
    baseline = catalogue.compared
    if baseline is None or baseline.price is None:
        return None
    told = asked.get(baseline.name)
    if told is not None and told.estimated_cost is not None:
        return told.estimated_cost
    return baseline.price.estimate(plan.needs.tokens_in, plan.needs.tokens_out)


def _part(lost: float, most: float) -> float:
    """Of what would be drawn, so that on average no more than the most is lost."""
    return 1.0 if lost <= most else most / lost

"""What a promise makes of a plan: its first model, or the baseline where that may be too much worse."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from farthing.domain.catalogue import Model
from farthing.domain.routing.plan import Plan
from farthing.domain.routing.rules import Rule

MARGINS = (*(step / 100 for step in range(21)), 1.0)
"""How much less quality than the baseline's may be expected of a cheaper model: what is tested, the most careful first.
The last lets every choice through, of which nothing may be known yet."""
BOLDEST = 0.2
"""The most that a strategy is told it may give up: it makes the choice that a promise then lets through or not."""
_EXACT = 1e-9
"""What differences of floats may be off by."""


def promised(plan: Plan, rule: Rule, baseline: Model | None) -> Plan:
    """The plan under the promise of its rule. It chooses between two models: the first of the plan and the baseline.

    Where the baseline is not among those that can answer there is nothing to promise.
    """
    if plan.models[0] is baseline:
        return plan
    if baseline is None or baseline not in plan.models:
        return replace(plan, reason=f"{plan.reason} Nothing is promised: the baseline cannot be asked.")
    challenger = plan.models[0].name
    short = _short(plan, challenger, baseline.name)
    told = {"rule": rule.name, "challenger": challenger, "short": short, "margin": rule.margin}
    plan = replace(plan, metadata=plan.metadata | {"promise": told})
    if challenger in rule.challengers and lets_through(rule.margin, short):
        return plan
    led = plan.led_by(baseline.name, _reason(rule, challenger, baseline.name, short))
    more = {"decided_by": "promise", "propensities": {baseline.name: 1.0}}
    return replace(led, confidence="high", metadata=led.metadata | more)


def lets_through(margin: float | None, short: float) -> bool:
    """Whether a model of which so much less is expected than of the baseline may answer."""
    return margin is not None and short <= margin + _EXACT


def _short(plan: Plan, challenger: str, baseline: str) -> float:
    expected: Mapping[str, float] = plan.metadata.get("expected", {})
    if challenger not in expected or baseline not in expected:
        return MARGINS[-1]
    return round(expected[baseline] - expected[challenger], 4)


def _reason(rule: Rule, challenger: str, baseline: str, short: float) -> str:
    whose = f"the promise of {rule.name}"
    why = f"that {challenger} is good enough for {whose} is not shown"
    if challenger in rule.challengers and rule.margin is not None and short < MARGINS[-1]:
        why = f"{challenger} is expected {short:.2f} below it, and {whose} is kept within {rule.margin:g}"
    return f"{baseline}, the baseline, answers: {why}."

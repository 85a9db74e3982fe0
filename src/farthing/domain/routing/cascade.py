"""Whether a cheap model is asked first, and whether its answer will do once it was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.catalogue import TIERS, Model
from farthing.domain.chat import ChatRequest, Reasoning, Text
from farthing.domain.routing.checking import Check
from farthing.domain.routing.plan import Candidate, Plan
from farthing.domain.routing.weighing import Weights, revised

STRATEGIES = frozenset({"learning", "hybrid"})
"""Those whose choice may be made better by a look at a cheap model's answer."""
ENOUGH = 0.7
"""The chance that an answer is good with which it is served, where nothing is known of the models."""
_LEAST_TIMES = 3
"""A second model must cost so many times what the first does: the answer and its check must pay."""
_UNKNOWN = 0.5
_CHECKS: tuple[Check, ...] = get_args(Check)
_UNLEARNED = Weights()


class Pair(Struct, frozen=True, kw_only=True):
    """A model whose answer is checked, and the one that is asked where it will not do."""

    first: Model
    then: Model
    expected: float
    """The chance (0..1) that the first one's answer is good, before it is given."""
    least: float
    """The chance with which it is served."""
    weights: Weights = _UNLEARNED
    """How much checks count."""

    def weight(self, check: Check) -> float:
        """How much this check of the first one's answer counts."""
        return self.weights.of(self.first.name, check)

    def belief(self, check: Check, score: float) -> float:
        """The chance that the first one's answer is good, after a check that gave it this score (0..1)."""
        return revised(self.expected, score, self.weight(check))


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of the first one's answer."""

    pair: Pair
    check: Check | None
    """None where there was nothing to check."""
    score: float | None
    """0..1; None where it could not be checked."""
    obstacle: str | None = None
    """The code of the error for which the second one could not answer instead."""

    @property
    def passes(self) -> bool:
        """Whether the answer will do."""
        return self.belief is not None and self.belief >= self.pair.least

    @property
    def belief(self) -> float | None:
        """The chance that the answer is good; None where it could not be checked."""
        return None if self.check is None or self.score is None else self.pair.belief(self.check, self.score)

    def told(self, plan: Plan) -> Plan:
        """The plan with it: in a sentence, and in its metadata as `cascade`."""
        pair, check, score = self.pair, self.check, self.score
        first, then = pair.first.name, pair.then.name
        belief = None if self.belief is None else round(self.belief, 4)
        chances = "" if belief is None else f" ({check} {score:.2f}: {belief:.2f} to be good, of {pair.least:.2f})"
        last = f"{then} was asked" if self.obstacle is None else f"{then} could not answer ({self.obstacle})"
        ending = f"passed its check{chances}" if self.passes else f"did not pass a check{chances}: {last}"
        told = {
            "first": first,
            "then": then,
            "check": check,
            "score": score,
            "expected": round(pair.expected, 4),
            "weight": None if check is None else round(pair.weight(check), 4),
            "belief": belief,
            "least": round(pair.least, 4),
            "served": first if self.passes or self.obstacle else then,
            "obstacle": self.obstacle,
        }
        return replace(
            plan,
            reason=f"{plan.reason} {first} was asked first, and its answer {ending}.",
            metadata=plan.metadata | {"cascade": told},
        )


def may_cascade(chat: ChatRequest) -> bool:
    """Whether an answer to this can be checked: one answer in words, to words."""
    is_plain = chat.n == 1 and not (chat.tools or chat.logprobs or chat.has_unseen or chat.untranslatable)
    return is_plain and all(isinstance(part, Text | Reasoning) for message in chat.messages for part in message.parts)


def pair_of(plan: Plan, *, is_bound: bool = False, weights: Weights = _UNLEARNED) -> Pair | None:
    """The plan's cheapest model, and its choice or, where that is the cheapest, the next that is better.

    None where no such pair pays, where the best of checks could not make the first one's answer good enough, where the
    plan's choice is the cheapest and is sure or good enough by the worst of checks, or is asked only to learn of it.
    None, too, where the caller says how much quality may be given up (`is_bound`) and nobody knows of any.
    """
    if plan.strategy not in STRATEGIES or plan.is_explored:
        return None
    known = {one.model: one for one in plan.candidates}
    costs = {
        model: cost
        for model in plan.models
        if (one := known.get(model.name)) and (cost := one.estimated_cost) is not None
    }
    if len(costs) < 2:  # noqa: PLR2004 - it takes two
        return None
    first = min(costs, key=costs.__getitem__)
    if plan.confidence == "high" and plan.models[0] == first:
        return None
    then = _then(plan.models, first, known)
    if then is None or then not in costs or costs[first] * _LEAST_TIMES > costs[then]:
        return None
    if is_bound and None in {_quality(first, known), _quality(then, known)}:
        return None
    pair = replace(_pair(first, then, known, plan.metadata), weights=weights)
    may_pass = any(pair.belief(check, 1.0) >= pair.least for check in _CHECKS)
    may_fail = any(pair.belief(check, 0.0) < pair.least for check in _CHECKS)
    return pair if may_pass and (may_fail or plan.models[0] != first) else None


def _then(models: tuple[Model, ...], first: Model, known: Mapping[str, Candidate]) -> Model | None:
    if models[0] != first:
        return models[0]
    return next((model for model in models[1:] if _is_better(model, first, known)), None)


def _is_better(model: Model, other: Model, known: Mapping[str, Candidate]) -> bool:
    quality, others = _quality(model, known), _quality(other, known)
    if quality is not None and others is not None:
        return quality > others
    return TIERS.index(model.tier) > TIERS.index(other.tier)


def _quality(model: Model, known: Mapping[str, Candidate]) -> float | None:
    one = known.get(model.name)
    return one.estimated_quality if one else None


def _pair(first: Model, then: Model, known: Mapping[str, Candidate], metadata: Mapping[str, Any]) -> Pair:
    """The first need not be better than the second is, nor than the floor lets any answer be.

    A second that is itself under the best gives up some of the floor, which is not given up twice.
    """
    expected, thens = _quality(first, known), _quality(then, known)
    if expected is None or thens is None:
        return Pair(first=first, then=then, expected=_UNKNOWN, least=ENOUGH)
    best = max([thens, *metadata.get("expected", {}).values()])
    return Pair(first=first, then=then, expected=expected, least=min(thens, best - metadata.get("floor", 0.0)))

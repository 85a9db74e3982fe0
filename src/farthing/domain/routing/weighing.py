"""How much a check tells of an answer, learned from checked answers of which it is known how good they were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import exp, log

from msgspec import Struct

from farthing.domain.routing.checking import Check

WEIGHT = 0.5
"""Of a check's log-odds where nothing is learned: models say that they are sure, and repeat their mistakes, more often
than they are right."""
MOST = 2.0
"""A check counts at most so many times for what it says."""
_STRENGTH = 50.0
"""Of what is supposed, as the information that is to outweigh it: of some thirty answers that agree or do not."""
_SUREST = 0.95
_STEPS = 20


class Tried(Struct, frozen=True, gc=False, kw_only=True):
    """A checked answer of which it is known how good it was. All but the names is 0..1."""

    model: str
    check: Check
    expected: float
    """What was expected of it before it was given."""
    score: float
    """Its check's."""
    quality: float
    """What people, or a judge, made of it."""


class Weights(Struct, frozen=True):
    """By which a check's log-odds count."""

    of_checks: Mapping[Check, float] = {}
    of_models: Mapping[tuple[str, Check], float] = {}
    """Where answers of the model itself are known."""

    def of(self, model: str, check: Check) -> float:
        """For this model's answers: 0..`MOST`."""
        own = self.of_models.get((model, check))
        return self.of_checks.get(check, WEIGHT) if own is None else own


def weights_of(tried: Sequence[Tried]) -> Weights:
    """What these answers say: of each check by all models, and of each model's starting from that."""
    by_check: dict[Check, list[Tried]] = defaultdict(list)
    by_model: dict[tuple[str, Check], list[Tried]] = defaultdict(list)
    for one in tried:
        by_check[one.check].append(one)
        by_model[one.model, one.check].append(one)
    of_checks = {check: _fitted(some, WEIGHT) for check, some in by_check.items()}
    return Weights(of_checks, {name: _fitted(some, of_checks[name[1]]) for name, some in by_model.items()})


def revised(expected: float, score: float, weight: float) -> float:
    """The chance that an answer is good, after a check that gave it this score."""
    return 1 / (1 + exp(-_log_odds(expected) - weight * _evidence(score)))


def _fitted(tried: Sequence[Tried], supposed: float) -> float:
    """The likeliest weight: logistic regression with the expected log-odds as offset and a normal prior, by bisection.

    Which answers were served follows from what was expected and the score, which are both known here: that people rate
    those alone does not bend it (missing at random, Rubin 1976).
    """
    seen = [(one.expected, one.score, one.quality, _evidence(one.score)) for one in tried]
    low, high = 0.0, MOST
    for _ in range(_STEPS):
        weight = (low + high) / 2
        rise = sum(
            (quality - revised(expected, score, weight)) * evidence for expected, score, quality, evidence in seen
        )
        if rise > _STRENGTH * (weight - supposed):
            low = weight
        else:
            high = weight
    return (low + high) / 2


def _evidence(score: float) -> float:
    return _log_odds(min(max(score, 1 - _SUREST), _SUREST))


def _log_odds(chance: float) -> float:
    kept = min(max(chance, 1e-3), 1 - 1e-3)
    return log(kept / (1 - kept))

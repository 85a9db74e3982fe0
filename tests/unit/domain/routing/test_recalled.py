"""Requests of the past, decided anew."""

from __future__ import annotations

import pytest

from farthing.domain.errors import NotFound
from farthing.domain.routing.complexity import Complexity
from farthing.domain.routing.learning.predictor import Forecast
from farthing.domain.routing.recalled import AsForetold, Considered, Recalled, unable
from farthing.domain.routing.unlearned import Unlearned
from tests.unit.domain.routing.foretelling import Told
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, THREE, ask, catalogue

HARD = "Prove that there are infinitely many primes, derive the bound step by step, and explain why it is tight."


def test_it_decides_as_complexity_did() -> None:
    """By the score and the tier that were written down, without the words."""
    was = Complexity().plan(ask(HARD), THREE)
    again = Recalled(was.tier, was.score, was.needs.tokens_in).plan(ask("?"), THREE)
    assert (again.models, again.tier, again.score, again.confidence) == (
        was.models,
        was.tier,
        was.score,
        was.confidence,
    )
    assert again.candidates == was.candidates
    assert again.metadata == {"decided_by": "complexity"}


def test_without_a_tier_or_a_score_it_is_unsure() -> None:
    """The cheapest model, with low confidence."""
    plan = Recalled(None, None, 10).plan(ask("?"), THREE)
    assert (plan.models[0].name, plan.confidence, plan.tier) == ("small", "low", "simple")


def test_a_weak_pool_is_unsure() -> None:
    """As complexity is where no model is of the tier."""
    plan = Recalled("complex", 0.99, 10).plan(ask("?"), catalogue(SMALL))
    assert (plan.models[0].name, plan.confidence) == ("small", "low")


def test_nobody_allowed_is_refused() -> None:
    """As it was for the request itself."""
    with pytest.raises(NotFound):
        Recalled("simple", 0.1, 10).plan(ask("?"), THREE, allowed=frozenset())


def test_what_was_foretold_then_stands() -> None:
    """What the predictor tells of other models, of costs and of what it rests on stays its own."""
    then = AsForetold(Told({"small": 0.4, "large": 0.9}, {"small": 0.01}, near=7), {"small": 0.6, "gone": 0.1})
    assert then.models == ("small", "large")
    found = then.outlook("Add 3 and 4.")
    assert found.forecasts == {"small": Forecast(0.6, 0.01), "large": Forecast(0.9, 0.0)}
    assert found.near == {"small": 7, "large": 7}


def test_those_that_could_not_answer_are_told_from_those_that_were_not_wanted() -> None:
    """A model of a tier that may be too weak could have answered; one that is not allowed could not."""
    plan = Unlearned("hybrid", Complexity()).plan(ask(HARD), THREE, allowed=frozenset({SMALL.name, LARGE.name}))
    seen = [Considered(one.model, one.reason, one.rank) for one in plan.candidates]
    assert {one.model for one in seen} == {"small", "medium", "large"}
    assert unable([*seen, Considered("unsaid")]) == {MEDIUM.name}

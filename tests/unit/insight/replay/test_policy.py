"""Which model another policy would have chosen, and what is known of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue
from farthing.domain.routing import STRATEGIES
from farthing.insight.replay.policy import CannotTell, Chooser, Known, Policy
from farthing.ports.replay import Decided
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, THREE, ask, catalogue, unrouted
from tests.unit.insight.replay.samples import NOW_US, SEEN_US, decided, known, policy, written


def choose(row: Decided, wanted: Policy, learned: Known | None = None) -> Any:
    """What would have been chosen for this request."""
    return Chooser(wanted, learned).choose(row)


def test_the_same_policy_chooses_the_same() -> None:
    """For sure, as nobody wrote down another chance; nothing is foretold of it."""
    found = choose(decided(), policy())
    assert (found.model.name, found.propensity, found.longer) == ("small", 1.0, 1.0)
    assert (found.expected, found.expected_was, found.is_rating_fresh) == (None, None, True)
    assert found.pattern == "factual"


def test_a_pool_leaves_the_others_out() -> None:
    """The models that are not routed are not chosen; what answered and was not chosen had no chance."""
    found = choose(decided(), policy(catalogue=catalogue(unrouted(SMALL), MEDIUM, LARGE)))
    assert (found.model.name, found.propensity) == ("medium", 0.0)


def test_what_could_not_answer_then_cannot_now() -> None:
    """A key that may not use the large model was refused it then, and is now."""
    plan = STRATEGIES["complexity"].plan(ask("?"), THREE, allowed=frozenset({"small", "medium"}))
    with pytest.raises(CannotTell, match="no model of the pool could answer"):
        choose(decided(decision=written(plan)), policy(catalogue=catalogue(LARGE)))


def test_what_is_learned_decides() -> None:
    """The small model is known to be worse than the floor allows; the rating of the answer came after that."""
    learned = known({"small": 0.5, "medium": 0.9, "large": 0.91})
    found = choose(decided(rating=0.0, rated_us=NOW_US), policy("learning"), learned)
    assert (found.model.name, found.expected, found.expected_was) == ("medium", 0.9, 0.5)
    assert found.is_rating_fresh


def test_hybrid_holds_it_against_complexity() -> None:
    """Where too few ratings speak for it, complexity decides."""
    learned = known({"small": 0.5, "medium": 0.9, "large": 0.91}, near=1)
    assert choose(decided(), policy("hybrid"), learned).model.name == "small"
    assert choose(decided(), policy("learning"), learned).model.name == "medium"


def test_what_was_expected_then_decides_before_what_is_expected_now() -> None:
    """It has not seen the rating, however early that was."""
    row = decided(rating=1.0, rated_us=SEEN_US - 1, metadata={"expected": {"small": 0.95, "large": 0.96}})
    found = choose(row, policy("learning"), known({"small": 0.5, "large": 0.9}))
    assert (found.model.name, found.expected, found.is_rating_fresh) == ("small", 0.95, True)


def test_a_rating_that_was_learned_from_is_told() -> None:
    """Neither it nor what was learned from it may judge the choice; complexity has learned from none."""
    row = decided(rating=1.0, rated_us=SEEN_US - 1)
    learned = known({"small": 0.5, "large": 0.9})
    found = choose(row, policy("learning"), learned)
    assert (found.model.name, found.expected, found.is_rating_fresh) == ("large", None, False)
    assert choose(row, policy(), learned).is_rating_fresh


def test_propensities_are_those_that_were_written_down() -> None:
    """Of a model that is not among them none."""
    row = decided(metadata={"propensities": {"small": 0.98, "large": 0.02}})
    assert choose(row, policy()).propensity == 0.98
    assert choose(row, policy(catalogue=catalogue(unrouted(SMALL), MEDIUM))).propensity == 0.0


@pytest.mark.parametrize("changes", [{"is_first": False}, {"model": "large"}])
def test_what_answers_in_place_of_another_tells_of_no_draw(changes: dict[str, Any]) -> None:
    """Whether the first failed or was not asked at all, for it was known to be away."""
    found = choose(replace(decided(), **changes), policy())
    assert (found.is_drawn, found.propensity) == (False, 0.0)


def test_a_longer_answer_is_told_from_what_answers_have_cost() -> None:
    """At 10 dollars per million, 0.003 dollars are 300 tokens less the question's; at 0.1, 0.00001 are 100."""
    learned = known({"small": 0.5, "large": 0.9}, {"small": 0.00003, "large": 0.006})
    found = choose(decided(), policy("learning"), learned)
    assert found.model.name == "large"
    assert found.longer == pytest.approx(600 / 300, rel=0.03)


@pytest.mark.parametrize("costs", [None, {"large": 0.006}])
def test_lengths_that_are_not_foretold_are_alike(costs: dict[str, float] | None) -> None:
    """Where nothing is recorded of a model's costs, its tier's usual length is expected of both."""
    assert choose(decided(), policy("complexity"), known({"small": 0.5}, costs)).longer == 1.0


def test_an_unpriced_or_free_model_has_no_length() -> None:
    """What it charges for is not known."""
    free = replace(LARGE, price=None)
    learned = known({"small": 0.5, "large": 0.9}, {"small": 0.00003, "large": 0.006})
    assert choose(decided(), policy("learning", catalogue=catalogue(unrouted(SMALL), free)), learned).longer == 1.0


def test_a_model_that_charges_nothing_for_output_has_no_length() -> None:
    """Its cost tells nothing of how much it says."""
    assert LARGE.price is not None
    rates = replace(LARGE.price.steps[0][1], completion=0)
    silent = replace(LARGE, price=replace(LARGE.price, steps=((0, rates),)))
    learned = known({"small": 0.5, "large": 0.9}, {"small": 0.00003, "large": 0.006})
    assert choose(decided(), policy("learning", catalogue=catalogue(SMALL, silent)), learned).longer == 1.0


def test_prices_are_those_of_the_day() -> None:
    """A catalogue holds from its moment on; before the first that one does."""
    dearer: Catalogue = catalogue(SMALL)
    wanted = policy(days=[(NOW_US - 1, THREE), (NOW_US + 1, dearer)])
    assert [wanted.catalogue(NOW_US + step) for step in (-9, -1, 0, 1, 9)] == [THREE, THREE, THREE, dearer, dearer]


def test_without_the_question_only_complexity_can_tell() -> None:
    """Its score is written down; what is learned would have to read the words."""
    row = decided(prompt=None)
    assert choose(row, policy()).pattern == "unknown"
    assert choose(row, policy("hybrid")).model.name == "small"
    with pytest.raises(CannotTell, match="the question was not kept"):
        choose(row, policy("hybrid"), known({"small": 0.5}))


def test_a_decision_of_another_release_is_left_out() -> None:
    """Its candidates read otherwise."""
    with pytest.raises(CannotTell, match="another release"):
        choose(decided(decision={"candidates": [{"model": 3}]}), policy())

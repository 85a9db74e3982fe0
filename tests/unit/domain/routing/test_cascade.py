"""Which two models make a cascade, and with what chance a checked answer will do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.catalogue import Model, Tier
from farthing.domain.chat import ChatRequest, Image, Message, Part, Text, Tool
from farthing.domain.routing import strategies_with
from farthing.domain.routing.cascade import ENOUGH, Pair, Verdict, may_cascade, pair_of
from farthing.domain.routing.plan import Candidate, Needs, Plan
from farthing.domain.routing.weighing import Weights
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import THREE, ask

Offer = tuple[str, Tier, int | None, float | None]
NEEDS = Needs(tokens_in=10, tokens_out=100, max_tokens=None)
ASKED = ChatRequest(model="auto", messages=(Message("user", (Text("Hi"),)),))


def model(name: str, tier: Tier = "simple") -> Model:
    """One of a vendor."""
    return Model(name=name, provider="v", upstream=name, dialect="openai", tier=tier)


def plan(*offers: Offer, **more: Any) -> Plan:
    """A plan of models in this order: name, tier, estimated cost, expected quality."""
    candidates = [
        Candidate(
            model=name, provider="v", tier=tier, estimated_cost=cost, estimated_quality=quality, reason="", rank=place
        )
        for place, (name, tier, cost, quality) in enumerate(offers)
    ]
    facts: dict[str, Any] = {"strategy": "hybrid", "confidence": "low", "reason": "So.", "needs": NEEDS} | more
    return Plan(models=tuple(model(name, tier) for name, tier, *_ in offers), candidates=tuple(candidates), **facts)


CHEAP: Offer = ("cheap", "simple", 10, None)
DEAR: Offer = ("dear", "complex", 30, None)


def names(found: Pair | None) -> tuple[str, str] | None:
    """Of the pair."""
    return None if found is None else (found.first.name, found.then.name)


@pytest.mark.parametrize(
    ("offers", "found"),
    [
        ((CHEAP, DEAR), ("cheap", "dear")),
        ((DEAR, CHEAP), ("cheap", "dear")),
        ((CHEAP, ("alike", "simple", 40, None), DEAR), ("cheap", "dear")),
        ((CHEAP, ("dear", "complex", 29, None)), None),
        ((CHEAP, ("alike", "simple", 40, None)), None),
        ((CHEAP,), None),
        ((CHEAP, ("unpriced", "complex", None, None)), None),
        ((("unpriced", "complex", None, None), CHEAP, DEAR), None),
        ((("cheap", "simple", 10, 0.8), ("worse", "complex", 40, 0.7), ("dear", "simple", 50, 0.9)), ("cheap", "dear")),
        ((("dear", "simple", 50, 0.9), ("cheap", "complex", 10, 0.7)), ("cheap", "dear")),
        ((("dear", "simple", 50, 0.9), ("cheap", "complex", 10, 0.6)), None),
    ],
)
def test_the_cheapest_is_asked_before_the_choice_or_before_the_next_that_is_better(
    offers: tuple[Any, ...], found: tuple[str, str] | None
) -> None:
    """Where that costs at least three times as much, and a check could make the first one's answer good enough."""
    assert names(pair_of(plan(*offers))) == found


@pytest.mark.parametrize("more", [{"strategy": "complexity"}, {"strategy": "passthrough"}, {"is_explored": True}])
def test_other_plans_have_no_pair(more: dict[str, Any]) -> None:
    """A score or a name decided, or chance did, to learn of the model."""
    assert pair_of(plan(CHEAP, DEAR, **more)) is None


def test_a_plan_that_is_sure_of_its_cheapest_needs_no_check() -> None:
    """Sure of a dear one, it may still be spared that."""
    assert pair_of(plan(CHEAP, DEAR, confidence="high")) is None
    assert names(pair_of(plan(CHEAP, DEAR, confidence="medium"))) == ("cheap", "dear")
    assert names(pair_of(plan(DEAR, CHEAP, confidence="high"))) == ("cheap", "dear")


def test_a_model_that_is_no_candidate_is_in_no_pair() -> None:
    """Nothing is known of its cost."""
    found = plan(CHEAP, DEAR)
    assert pair_of(replace(found, candidates=found.candidates[:1])) is None


def test_where_nothing_is_known_a_fixed_chance_is_enough() -> None:
    """And each model is as likely right as wrong before it is asked."""
    found = pair_of(plan(CHEAP, DEAR))
    assert found is not None
    assert (found.expected, found.least) == (0.5, ENOUGH)
    assert round(found.belief("self_check", 0.85), 3) == 0.704
    assert round(found.belief("self_check", 0.84), 3) == 0.696


@pytest.mark.parametrize(
    ("of_cheap", "of_dear", "found"), [(None, None, None), (0.8, None, None), (0.8, 0.9, ("cheap", "dear"))]
)
def test_a_callers_own_floor_needs_to_be_known_to_hold(
    of_cheap: float | None, of_dear: float | None, found: tuple[str, str] | None
) -> None:
    """A check alone cannot say how much worse than the best an answer is."""
    offered = plan(("cheap", "simple", 10, of_cheap), ("dear", "complex", 50, of_dear), metadata={"floor": 0.1})
    assert names(pair_of(offered)) == ("cheap", "dear")
    assert names(pair_of(offered, is_bound=True)) == found


def test_what_is_expected_of_both_says_what_is_enough() -> None:
    """The dear one's quality but for the floor; a check that tells nothing leaves what was expected."""
    found = pair_of(plan(("dear", "complex", 50, 0.9), ("cheap", "simple", 10, 0.8), metadata={"floor": 0.02}))
    assert found is not None
    assert (found.expected, found.least) == (0.8, 0.88)
    assert round(found.belief("self_check", 0.5), 9) == 0.8


def test_the_floor_is_not_given_up_twice() -> None:
    """A choice that is under the best by all of it leaves nothing for the cheap answer to be under the choice."""
    expected = {"best": 0.9, "dear": 0.88, "cheap": 0.8}
    offers: tuple[Offer, ...] = (("dear", "complex", 50, 0.88), ("cheap", "simple", 10, 0.8))
    for floor, least in ((0.0, 0.88), (0.02, 0.88), (0.03, 0.87)):
        found = pair_of(plan(*offers, metadata={"floor": floor, "expected": expected}))
        assert found is not None
        assert round(found.least, 9) == least


@pytest.mark.parametrize(
    ("of_models", "found"),
    [
        ({("cheap", "agreement"): 0.1}, ("cheap", "dear")),
        ({("cheap", "agreement"): 0.1, ("cheap", "self_check"): 0.1}, None),
        ({("dear", "agreement"): 0.1, ("dear", "self_check"): 0.1}, ("cheap", "dear")),
    ],
)
def test_a_model_whose_checks_have_told_little_does_not_answer_first(
    of_models: Any, found: tuple[str, str] | None
) -> None:
    """As long as any check could still pass its answer, it does."""
    assert names(pair_of(plan(CHEAP, DEAR), weights=Weights({}, of_models))) == found


def test_a_cheapest_choice_is_checked_as_long_as_any_check_could_fail_it() -> None:
    """One that is known to tell nothing passes all."""
    cheap: Offer = ("cheap", "simple", 10, 0.8)
    offered = plan(cheap, ("dear", "complex", 50, 0.81), metadata={"floor": 0.02})
    assert names(pair_of(offered, weights=Weights({"agreement": 0.0}))) == ("cheap", "dear")
    assert pair_of(offered, weights=Weights({"agreement": 0.0, "self_check": 0.0})) is None


def test_a_cheapest_choice_that_any_check_would_pass_is_not_checked() -> None:
    """So much may be given up that the worst of scores changes nothing; a dear choice is spared all the same."""
    cheap: Offer = ("cheap", "simple", 10, 0.8)
    dear: Offer = ("dear", "complex", 50, 0.9)
    assert names(pair_of(plan(cheap, dear, metadata={"floor": 0.4}))) == ("cheap", "dear")
    assert pair_of(plan(cheap, dear, metadata={"floor": 0.5})) is None
    assert names(pair_of(plan(dear, cheap, metadata={"floor": 0.5}))) == ("cheap", "dear")


def test_a_plan_by_what_was_learned_says_what_is_enough() -> None:
    """More is expected of the choice than of the cheap model, by no more than a check can make up for."""
    told, rated = Told({"small": 0.7, "medium": 0.5, "large": 0.82}), often("small", "medium", "large")
    found = strategies_with(told, rated=rated, floor=0.02)["learning"].plan(ask("Hello"), THREE)
    pair = pair_of(found)
    assert pair is not None
    assert (found.models[0].name, pair.first.name, pair.then.name) == ("large", "small", "large")
    assert (pair.expected, round(pair.least, 9)) == (0.7, 0.8)


@given(expected=st.floats(0, 1), scores=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_better_score_never_makes_an_answer_less_likely_good(expected: float, scores: tuple[float, float]) -> None:
    """And no score makes it certain."""
    pair = Pair(first=model("cheap"), then=model("dear"), expected=expected, least=0.5)
    low, high = (pair.belief("self_check", score) for score in sorted(scores))
    assert 0 < low <= high < 1


@pytest.mark.parametrize(
    ("score", "obstacle", "served", "ending"),
    [
        (0.9, None, "cheap", "passed its check (self_check 0.90: 0.75 to be good, of 0.70)."),
        (0.1, None, "dear", "did not pass a check (self_check 0.10: 0.25 to be good, of 0.70): dear was asked."),
        (None, None, "dear", "did not pass a check: dear was asked."),
        (None, "upstream_timeout", "cheap", "did not pass a check: dear could not answer (upstream_timeout)."),
    ],
)
def test_a_verdict_tells_its_reason(score: float | None, obstacle: str | None, served: str, ending: str) -> None:
    """In a sentence after the plan's own, and in figures."""
    pair = Pair(first=model("cheap"), then=model("dear"), expected=0.5, least=ENOUGH)
    verdict = Verdict(pair=pair, check="self_check", score=score, obstacle=obstacle)
    told = verdict.told(plan(CHEAP, DEAR, metadata={"floor": 0.0}))
    assert told.reason == f"So. cheap was asked first, and its answer {ending}"
    cascade = told.metadata["cascade"]
    assert (told.metadata["floor"], cascade["served"], cascade["weight"]) == (0.0, served, 0.5)


@pytest.mark.parametrize(
    "more",
    [
        {"n": 2},
        {"tools": (Tool(name="f"),)},
        {"logprobs": True},
        {"has_unseen": True},
        {"untranslatable": "messages[0]"},
        {"messages": (Message("user", (Text("What is this?"), Image(url="https://example.com/a.png"))),)},
    ],
)
def test_only_words_are_checked(more: dict[str, Any]) -> None:
    """One answer in words to words: no tools, no pictures, no several answers, nothing that only one vendor can say."""
    assert may_cascade(ASKED)
    assert not may_cascade(replace(ASKED, **more))


def test_a_conversation_of_words_is_checked() -> None:
    """However many turns it has."""
    parts: tuple[Part, ...] = (Text("a"), Text("b"))
    assert may_cascade(replace(ASKED, messages=(Message("system", parts), *ASKED.messages)))

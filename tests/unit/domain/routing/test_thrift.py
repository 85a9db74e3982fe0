"""Near the end of a budget `auto` plans one tier lower, and nothing else changes."""

from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue, Model, Tier
from farthing.domain.routing import strategies_with
from farthing.domain.routing.plan import Needs, Plan
from farthing.domain.routing.thrift import Thrift
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, THREE, ask, catalogue
from tests.unit.domain.routing.samples import model as sample


def model(name: str, tier: Tier) -> Model:
    """One that anybody may ask."""
    return Model(name=name, provider="p", upstream=name, dialect="openai", tier=tier)


MODELS = (model("s", "simple"), model("m", "moderate"), model("l", "complex"))
CATALOGUE = Catalogue(models={each.name: each for each in MODELS})
PLAN = Plan(
    models=(CATALOGUE.models["l"],),
    strategy="complexity",
    confidence="high",
    reason="Complex: 10 words.",
    needs=Needs(tokens_in=10, tokens_out=10, max_tokens=None),
    tier="complex",
)


def names(plan: Plan) -> list[str]:
    """In their order."""
    return [each.name for each in plan.models]


def test_each_tier_gives_way_to_the_one_below() -> None:
    """The dearer models stay as fallbacks, and the reason says why."""
    thrift = Thrift()
    lower = thrift.lower(PLAN, CATALOGUE, None)
    assert names(lower) == ["m", "l"]
    assert lower.reason.startswith("Complex: 10 words; a budget nears its end, so tier moderate: ")
    assert (lower.tier, lower.confidence) == ("complex", "low")
    assert names(thrift.lower(replace(PLAN, tier="moderate"), CATALOGUE, frozenset({"s", "l"}))) == ["s", "l"]


def test_the_lowest_tier_and_a_model_asked_for_by_name_stay() -> None:
    """There is nothing cheaper, or nobody may choose."""
    for tier in ("simple", None):
        plan = replace(PLAN, tier=tier)
        assert Thrift().lower(plan, CATALOGUE, None) is plan


def test_a_plan_that_goes_by_expectations_begins_with_the_best_that_is_cheaper() -> None:
    """Whatever the tiers; models of which nothing or no price is known stay where they are."""
    strategies = strategies_with(
        Told({"small": 0.3, "medium": 0.6, "large": 0.9, "free": 0.8}),
        rated=often("small", "medium", "large", "free"),
    )
    known = catalogue(SMALL, MEDIUM, LARGE, sample("free", "complex", None), sample("other", "complex", 0.01))
    plan = strategies["learning"].plan(ask("hi"), known, allowed=frozenset(known.models) - {"small"})
    assert names(plan) == ["large", "medium", "other", "free"]
    lower = Thrift().lower(plan, known, None)
    assert names(lower) == ["medium", "large", "other", "free"]
    assert [(one.model, one.rank) for one in lower.candidates] == [
        ("medium", 0),
        ("large", 1),
        ("other", 2),
        ("free", 3),
        ("small", None),
    ]
    assert lower.confidence == "low"
    assert lower.reason == (
        "large has an expected quality of 0.90, and none that is cheaper is within 0.02 of it; a budget nears its end, "
        "so medium: expected quality 0.60, 0.30 below the best, over the floor of 0.02."
    )


def test_the_cheapest_that_is_known_stays() -> None:
    """There is nothing to give up for."""
    plan = strategies_with(Told({"small": 0.9}), rated=often("small"))["hybrid"].plan(ask("hi"), THREE)
    assert Thrift().lower(plan, THREE, None) is plan

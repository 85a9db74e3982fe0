"""Near the end of a budget `auto` plans one tier lower, and nothing else changes."""

from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue, Model, Tier
from farthing.domain.routing.plan import Needs, Plan
from farthing.domain.routing.thrift import Thrift


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

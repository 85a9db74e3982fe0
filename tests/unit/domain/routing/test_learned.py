"""The strategies that know what models are worth."""

import pytest
from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.chat import ChatRequest, Image, Message
from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.routing import STRATEGIES, strategies_with
from farthing.domain.routing.plan import Plan
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, THREE, ask, catalogue, model, unrouted

EASY, HARD = ask("Good morning to you"), ask("Prove that there are infinitely many primes.")


def decide(
    qualities: dict[str, float],
    known: Catalogue = THREE,
    *,
    strategy: str = "learning",
    chat: ChatRequest = EASY,
    times: int = 100,
    floor: float | None = None,
) -> Plan:
    """The plan of a strategy that has learned this."""
    strategies = strategies_with(Told(qualities, near=times), rated=often(*qualities, times=times), floor=0.02)
    return strategies[strategy].plan(chat, known, floor=floor)


def names(plan: Plan) -> list[str]:
    """Of its models, in their order."""
    return [found.name for found in plan.models]


def reasons(plan: Plan) -> dict[str, str]:
    """Of every candidate."""
    return {candidate.model: candidate.reason for candidate in plan.candidates}


def test_without_a_predictor_nothing_is_learned() -> None:
    """All strategies decide as before."""
    assert strategies_with(None) is STRATEGIES


def test_with_a_predictor_the_same_strategies_are_there() -> None:
    """Under their own names, complexity untouched."""
    found = strategies_with(Told({"small": 0.5}))
    assert {name: strategy.name for name, strategy in found.items()} == {name: name for name in STRATEGIES}
    assert found["complexity"] is STRATEGIES["complexity"]


def test_a_hard_prompt_goes_to_a_cheap_model_that_is_known_to_be_good_at_it() -> None:
    """However complex it looks: the tier is that of the prompt, the choice is what was learned."""
    plan = decide({"small": 0.81, "medium": 0.5, "large": 0.82}, chat=HARD)
    assert names(plan) == ["small", "large", "medium"]
    assert (plan.strategy, plan.confidence, plan.tier) == ("learning", "high", "complex")
    assert plan.reason == (
        "small is the cheapest of 2 models expected within 0.02 of the best, at 0.81 against 0.82 of large."
    )
    assert plan.metadata["decided_by"] == "learning"
    assert plan.metadata["expected"] == {"small": 0.81, "medium": 0.5, "large": 0.82}
    assert (plan.metadata["floor"], plan.metadata["pattern"]) == (0.02, "reasoning")
    assert reasons(plan)["medium"] == "expected quality 0.50, 0.32 below the best, over the floor of 0.02"
    assert [candidate.estimated_quality for candidate in plan.candidates] == [0.81, 0.82, 0.5]


def test_an_easy_prompt_goes_to_a_dear_model_where_the_cheap_ones_fail() -> None:
    """What looks simple may not be."""
    plan = decide({"small": 0.4, "medium": 0.5, "large": 0.82})
    assert names(plan) == ["large", "medium", "small"]
    assert plan.tier == "simple"


@pytest.mark.parametrize(("floor", "first"), [(None, "medium"), (0.0, "large"), (0.05, "medium"), (0.5, "small")])
def test_a_request_may_have_a_floor_of_its_own(floor: float | None, first: str) -> None:
    """Else the configured one of 0.02 holds."""
    assert names(decide({"small": 0.4, "medium": 0.81, "large": 0.82}, floor=floor))[0] == first


def test_models_of_which_nothing_is_known_follow() -> None:
    """By tier and price, those of no price last; a tier that may be too weak is not tried on no knowledge."""
    other, free = model("other", "complex", 20), model("free", "moderate", None)
    plan = decide({"large": 0.8}, catalogue(SMALL, MEDIUM, LARGE, other, free), chat=ask("Compare Norway and Sweden."))
    assert names(plan) == ["large", "medium", "other", "free"]
    assert reasons(plan) == {
        "large": "expected quality 0.80, the best",
        "medium": "nothing is known of its quality yet",
        "other": "nothing is known of its quality yet",
        "free": "nothing is known of its quality yet",
        "small": "nothing is known of its quality yet, and tier simple may be too weak",
    }
    assert [(one.model, one.rank) for one in plan.candidates][-1] == ("small", None)
    assert plan.reason.startswith("large is the only capable model of which anything is known")


def test_a_known_model_without_a_price_comes_behind_those_with_one() -> None:
    """What nobody knows the cost of is asked last, even below the tier; where no known model has one, they decide."""
    free = model("free", "simple", None)
    plan = decide({"free": 0.9, "large": 0.8}, catalogue(free, LARGE), chat=HARD)
    assert names(plan) == ["large", "free"]
    assert reasons(plan)["free"] == "expected quality 0.90, but no price, so priced models come first"
    assert (plan.candidates[1].estimated_quality, plan.candidates[1].quality_interval) == (0.9, (0.8256, 0.9448))
    assert names(decide({"free": 0.9}, catalogue(free, LARGE), chat=EASY)) == ["free", "large"]


@pytest.mark.parametrize("strategy", ["learning", "hybrid"])
@pytest.mark.parametrize("times", [4, 100])
def test_where_nothing_is_known_of_the_models_complexity_decides(strategy: str, times: int) -> None:
    """A predictor of other models is of no use, nor is one that has met too few answers."""
    plan = decide({"elsewhere": 0.9} if times == 100 else {"large": 0.9}, strategy=strategy, times=times)
    assert names(plan) == ["small", "medium", "large"]
    assert (plan.strategy, plan.confidence, plan.metadata["decided_by"]) == (strategy, "low", "complexity")
    assert plan.reason.endswith("; nothing learned yet of these models.")


def test_a_prompt_without_words_is_not_foretold() -> None:
    """A picture alone tells a predictor nothing."""
    seeing = model("seeing", "simple", 1, "images")
    chat = ChatRequest(model="auto", messages=(Message("user", (Image(url="https://example.com/a.png"),)),))
    assert decide({"seeing": 0.9}, catalogue(seeing), chat=chat).metadata["decided_by"] == "complexity"


def test_models_that_cannot_serve_the_request_are_left_out_with_the_reason() -> None:
    """However good they are expected to be."""
    narrow = model("narrow", "simple", 0.01, window=100)
    strategies = strategies_with(Told({"narrow": 1.0, "small": 0.9, "large": 0.9}), rated=often("narrow", "small"))
    plan = strategies["learning"].plan(EASY, catalogue(narrow, SMALL, LARGE), allowed=frozenset({"narrow", "small"}))
    assert names(plan) == ["small"]
    assert reasons(plan)["narrow"].startswith("context window 100 <")
    assert reasons(plan)["large"] == "not allowed for this key"
    with pytest.raises(NotFound):
        strategies["learning"].plan(EASY, catalogue(), allowed=None)
    with pytest.raises(InvalidRequest, match="context window"):
        strategies["hybrid"].plan(ask("word " * 1_000), catalogue(narrow), allowed=None)


def test_the_configured_baseline_is_what_quality_is_held_against() -> None:
    """Also where it cannot be asked here; one that nothing is known of is none."""
    usual = replace(THREE, baseline="medium")
    assert names(decide({"small": 0.79, "medium": 0.8, "large": 0.95}, usual))[0] == "small"
    hidden = Catalogue(models={found.name: found for found in (SMALL, unrouted(MEDIUM), LARGE)}, baseline="medium")
    plan = decide({"small": 0.79, "medium": 0.8, "large": 0.95}, hidden)
    assert names(plan) == ["small", "large"]
    assert plan.reason.endswith("within 0.02 of the baseline, at 0.79 against 0.80 of medium.")
    assert names(decide({"small": 0.79, "large": 0.95}, usual))[0] == "large"


def test_a_new_catalogue_is_used_at_once() -> None:
    """What was chosen under the last one does not matter."""
    strategy = strategies_with(Told({"small": 0.8, "large": 0.9}), rated=often("small", "large"))["learning"]
    assert names(strategy.plan(EASY, THREE))[0] == "large"
    assert names(strategy.plan(HARD, THREE))[0] == "large"
    assert names(strategy.plan(EASY, catalogue(SMALL, MEDIUM)))[0] == "small"


@pytest.mark.parametrize(
    ("chat", "qualities", "near", "first", "by"),
    [
        (EASY, {"small": 0.4, "large": 0.82}, 100, "large", "learning"),
        (EASY, {"small": 0.4, "large": 0.82}, 9, "small", "complexity"),
        (EASY, {"small": 0.4, "medium": 0.82}, 9, "medium", "learning"),
        (EASY, {"small": 0.4, "medium": 0.82}, 4.9, "small", "complexity"),
        (HARD, {"small": 0.82, "large": 0.82}, 9, "large", "complexity"),
        (HARD, {"small": 0.82, "large": 0.82}, 10, "small", "learning"),
    ],
)
def test_the_hybrid_goes_by_what_was_learned_as_far_as_it_is_sure(
    chat: ChatRequest, qualities: dict[str, float], near: float, first: str, by: str
) -> None:
    """Two tiers off complexity need ten answers to such prompts of each compared model, one tier's step needs five."""
    strategies = strategies_with(Told(qualities, near=near), rated=often(*qualities))
    plan = strategies["hybrid"].plan(chat, THREE)
    assert (names(plan)[0], plan.strategy, plan.metadata["decided_by"]) == (first, "hybrid", by)
    assert plan.metadata["expected"] == qualities
    assert plan.confidence == ("high" if near >= 10 else "medium" if near >= 5 else "low")


@pytest.mark.parametrize(
    ("floor", "first", "by"), [(None, "small", "complexity"), (0.0, "large", "learning"), (0.42, "small", "complexity")]
)
def test_the_hybrid_holds_a_requests_own_floor_by_what_little_is_known(
    floor: float | None, first: str, by: str
) -> None:
    """Where complexity's choice is expected to fall below it; that of the settings waits until more is known."""
    strategies = strategies_with(Told({"small": 0.4, "large": 0.82}, near=1), rated=often("small", "large"))
    plan = strategies["hybrid"].plan(EASY, THREE, floor=floor)
    assert (names(plan)[0], plan.metadata["decided_by"]) == (first, by)


@pytest.mark.parametrize(
    ("near", "why"),
    [
        (9, "small of tier simple is not known well enough for this."),
        (1, "too few answers to prompts like this are rated."),
    ],
)
def test_the_hybrid_says_why_it_did_not_go_by_what_was_learned(near: float, why: str) -> None:
    """And shows what is expected of each model all the same."""
    strategies = strategies_with(Told({"small": 0.82, "large": 0.82}, near=near), rated=often("small", "large"))
    plan = strategies["hybrid"].plan(HARD, THREE)
    assert plan.reason.endswith(f"; {why}")
    assert {one.model: one.estimated_quality for one in plan.candidates} == {
        "large": 0.82,
        "small": 0.82,
        "medium": None,
    }
    intervals = {one.model: one.quality_interval for one in plan.candidates}
    assert intervals["medium"] is None
    assert intervals["large"] == intervals["small"] != (0.0, 1.0)


def test_learning_itself_decides_also_where_it_is_not_sure() -> None:
    """As it was asked to; the confidence is that of the model of which the fewest answers to such prompts are rated."""
    told = Told({"small": 0.81, "large": 0.82})
    told.nearer["large"] = 3
    plan = strategies_with(told, rated=often("small", "large"))["learning"].plan(EASY, THREE)
    assert (names(plan)[0], plan.confidence) == ("small", "low")


def test_many_models_are_all_in_the_plan_once() -> None:
    """Known and unknown ones."""
    many = [model(f"m{place}", "complex", 1 + place) for place in range(40)]
    known: dict[str, Model] = {found.name: found for found in many}
    plan = decide({f"m{place}": 0.5 + place / 100 for place in range(20)}, Catalogue(models=known), chat=HARD)
    assert sorted(names(plan)) == sorted(known)
    assert [one.rank for one in plan.candidates] == list(range(40))

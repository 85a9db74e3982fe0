"""Every strategy in the registry, and the plan for a model that was asked for by name."""

import pytest
from msgspec.structs import replace

from farthing.domain.catalogue import VIRTUAL_MODELS
from farthing.domain.errors import InvalidRequest
from farthing.domain.routing import STRATEGIES, concrete, strategy_for
from farthing.domain.routing.cold import COLD
from tests.unit.domain.routing.samples import LARGE, SMALL, THREE, ask, catalogue, model, unrouted


def test_strategies_are_registered_under_their_own_names() -> None:
    """What the configuration may name."""
    assert {name: strategy.name for name, strategy in STRATEGIES.items()} == {
        "complexity": "complexity",
        "learning": "learning",
        "hybrid": "hybrid",
    }


@pytest.mark.parametrize("name", ["learning", "hybrid"])
@pytest.mark.parametrize("text", ["hi", "Prove that there are infinitely many primes."])
def test_a_strategy_that_has_learned_nothing_says_so(name: str, text: str) -> None:
    """It decides as complexity does, moved by the prior, under its own name, with low confidence."""
    plan = STRATEGIES[name].plan(ask(text), THREE)
    instead = STRATEGIES["complexity"].plan(ask(text), THREE)
    assert plan.strategy == name
    assert plan.confidence == "low"
    assert plan.reason == f"{instead.reason[:-1]}; nothing learned yet."
    assert plan.metadata["decided_by"] == "complexity"
    assert (plan.models, plan.candidates, plan.tier) == (instead.models, instead.candidates, instead.tier)
    assert plan.metadata["before_prior"] == instead.score
    assert plan.score == pytest.approx(COLD.moved(instead.score or 0, len(text)), abs=1e-4)
    assert "before_prior" not in instead.metadata


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_keeps_to_what_a_key_may_use(name: str) -> None:
    """No strategy asks a model that is not allowed."""
    plan = STRATEGIES[name].plan(ask("hi"), THREE, allowed=frozenset({"large"}))
    assert [found.name for found in plan.models] == ["large"]


@pytest.mark.parametrize(
    ("asked", "strategy"),
    [
        ("auto", "hybrid"),
        ("farthing/auto", "hybrid"),
        ("farthing/complexity", "complexity"),
        ("farthing/learning", "learning"),
        ("farthing/hybrid", "hybrid"),
    ],
)
def test_a_virtual_model_names_its_strategy_or_leaves_it_to_the_configuration(asked: str, strategy: str) -> None:
    """`auto` is whatever is configured."""
    assert asked in VIRTUAL_MODELS
    assert strategy_for(asked, "hybrid") == strategy
    assert strategy_for("auto", "learning") == "learning"


def test_a_model_asked_for_by_name_is_the_whole_plan() -> None:
    """No score, no fallback, the likely cost of that model."""
    plan = concrete(replace(ask("Prove it."), max_tokens=50), SMALL, THREE)
    assert plan.models == (SMALL,)
    assert (plan.strategy, plan.confidence, plan.tier, plan.score) == ("passthrough", "high", None, None)
    assert plan.reason == "small was asked for by name."
    assert (plan.needs.tokens_in, plan.needs.tokens_out) == (7, 50)
    (candidate,) = plan.candidates
    assert (candidate.estimated_cost, candidate.rank, candidate.reason) == (5_700, 0, "asked for by name")


def test_an_unpriced_model_asked_for_by_name_has_no_estimated_cost() -> None:
    """Unknown is not zero."""
    unknown = model("unknown", "simple", None)
    assert concrete(ask("hi"), unknown, catalogue(unknown)).candidates[0].estimated_cost is None


def test_a_model_asked_for_by_name_is_tried_while_the_request_may_fit() -> None:
    """Only what surely overflows the window is refused, with the way out where there is one."""
    narrow = model("narrow", "simple", 1, window=2_000)
    assert concrete(ask("word " * 2_000), narrow, catalogue(narrow)).models == (narrow,)
    with pytest.raises(InvalidRequest) as refusal:
        concrete(ask("word " * 4_000), narrow, catalogue(narrow, LARGE))
    assert refusal.value.code == "context_length_exceeded"
    assert refusal.value.message.endswith("the context window holds 2,000. Shorten the messages, or ask for `auto`.")
    with pytest.raises(InvalidRequest, match=r"Shorten the messages\.$"):
        concrete(ask("word " * 4_000), narrow, catalogue(narrow, unrouted(LARGE)))

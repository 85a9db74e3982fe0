"""Which models are asked, in which order, and what is said of the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.catalogue import TIERS, Catalogue, Model, Tier
from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.routing.plan import Needs
from farthing.domain.routing.selection import Choice, Pool
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, THREE, catalogue, model, unrouted

NEEDS = Needs(tokens_in=1_000, tokens_out=500, max_tokens=None)


def choose(
    found: Catalogue, tier: Tier = "simple", needs: Needs = NEEDS, allowed: frozenset[str] | None = None
) -> Choice:
    """What the pool of a catalogue chooses."""
    return Pool(found).choose(needs, tier, allowed)


def names(choice: Choice) -> list[str]:
    """The models of a choice in the order in which they are asked."""
    return [found.name for found in choice.models]


def reasons(choice: Choice) -> dict[str, str]:
    """What is said of each candidate."""
    return {candidate.model: candidate.reason for candidate in choice.candidates}


def test_the_cheapest_of_the_tier_comes_first_then_the_tier_then_the_tiers_above() -> None:
    """Fallbacks go through the tier by price before they go up; what is below is not asked."""
    cheap, dear = model("cheap", "moderate", 1), model("dear", "moderate", 3.2)
    choice = choose(catalogue(LARGE, dear, SMALL, cheap), "moderate")
    assert names(choice) == ["cheap", "dear", "large"]
    assert reasons(choice) == {
        "cheap": "cheapest capable model of tier moderate",
        "dear": "costs 3.2x as much",
        "large": "tier complex not needed, costs 10.0x as much",
        "small": "tier simple may be too weak",
    }
    assert choice.because == "cheap is the cheapest of 3 capable models"
    assert choice.is_strong


def test_every_candidate_shows_its_cost_and_its_rank() -> None:
    """1,000 tokens in and 500 out at $0.1, $1 and $10 a million."""
    found = [(c.model, c.rank, c.estimated_cost, c.estimated_quality) for c in choose(THREE, "moderate").candidates]
    assert found == [("medium", 0, 1_500_000, None), ("large", 1, 15_000_000, None), ("small", None, 150_000, None)]


def test_models_of_equal_price_come_by_name() -> None:
    """A tie is broken the same way every time, and says so."""
    choice = choose(catalogue(model("b", "simple", 1), model("a", "simple", 1)))
    assert names(choice) == ["a", "b"]
    assert reasons(choice)["b"] == "costs the same"


def test_a_dearer_model_is_no_multiple_of_a_free_one() -> None:
    """Where the first costs nothing, the others are not free."""
    choice = choose(catalogue(model("local", "simple", 0), SMALL))
    assert names(choice) == ["local", "small"]
    assert reasons(choice)["small"] == "is not free"


def test_a_tier_above_may_be_cheaper_and_is_still_not_first() -> None:
    """The tier decides, and the sentence does not claim more than is true."""
    choice = choose(catalogue(SMALL, model("bargain", "complex", 0.05)))
    assert names(choice) == ["small", "bargain"]
    assert choice.because == "small is the cheapest capable model of its tier"
    assert reasons(choice)["bargain"] == "tier complex not needed, costs 0.5x as much"


def test_an_empty_tier_is_served_from_above() -> None:
    """Without a model of the tier the next one up is asked, and the reason says why."""
    choice = choose(catalogue(LARGE, model("larger", "complex", 20)))
    assert names(choice) == ["large", "larger"]
    assert choice.because == "no capable model of tier simple, so large of tier complex is asked"
    assert reasons(choice)["large"] == "no capable model of tier simple"
    assert choice.is_strong


def test_with_nothing_above_the_nearest_tier_below_serves() -> None:
    """A weaker model is better than none, but nobody should rely on it."""
    choice = choose(catalogue(SMALL, MEDIUM), "complex")
    assert names(choice) == ["medium", "small"]
    assert choice.because == "no capable model of tier complex, so medium of tier moderate is asked"
    assert not choice.is_strong


def test_unpriced_models_come_after_all_priced_ones() -> None:
    """What nobody knows the cost of is asked last, with no cost shown."""
    unknown = model("unknown", "simple", None)
    choice = choose(catalogue(unknown, SMALL, LARGE))
    assert names(choice) == ["small", "large", "unknown"]
    last = choice.candidates[2]
    assert (last.estimated_cost, last.reason) == (None, "has no price, so priced models come first")


def test_where_no_model_has_a_price_one_is_asked_all_the_same() -> None:
    """The reason says that the cost is not known."""
    choice = choose(catalogue(model("b", "simple", None), model("a", "simple", None)))
    assert names(choice) == ["a", "b"]
    assert choice.because == "no capable model has a price, a comes first"
    assert reasons(choice)["a"] == "no capable model has a price"


def test_what_a_key_may_not_use_is_not_asked() -> None:
    """Models that are not allowed are shown as such."""
    choice = choose(THREE, allowed=frozenset({"large", "medium"}))
    assert names(choice) == ["medium", "large"]
    assert reasons(choice)["small"] == "not allowed for this key"


def test_models_to_be_had_by_name_only_are_not_candidates() -> None:
    """`auto` never looks at a model that is not routed."""
    choice = choose(catalogue(unrouted(SMALL), MEDIUM))
    assert [candidate.model for candidate in choice.candidates] == ["medium"]


@pytest.mark.parametrize(
    ("found", "allowed"),
    [(catalogue(), None), (catalogue(unrouted(SMALL)), None), (THREE, frozenset[str]()), (THREE, frozenset({"gone"}))],
)
def test_without_a_model_to_route_to_the_request_is_refused(found: Catalogue, allowed: frozenset[str] | None) -> None:
    """An empty catalogue and a key that may use nothing look alike from outside."""
    with pytest.raises(NotFound) as refusal:
        choose(found, allowed=allowed)
    assert refusal.value.code == "model_not_found"
    assert refusal.value.param == "model"


@given(
    st.lists(
        st.builds(
            model,
            st.text("abcdef", min_size=1, max_size=4),
            st.sampled_from(TIERS),
            st.none() | st.sampled_from([0, 0.1, 1, 10]),
            window=st.none() | st.sampled_from([500, 2_000, 10_000]),
        ),
        min_size=1,
    ),
    st.sampled_from(TIERS),
)
def test_every_model_is_either_asked_or_told_why_not(models: list[Model], tier: Tier) -> None:
    """Candidates are all models once: first the plan in its order, unpriced models at its end, then those that lost."""
    found = catalogue(*models)
    if all(known.context_tokens == 500 for known in found.models.values()):
        with pytest.raises(InvalidRequest, match="context window holds 500"):
            choose(found, tier)
        return
    choice = choose(found, tier)
    assert sorted(candidate.model for candidate in choice.candidates) == sorted(found.models)
    ranks = [candidate.rank for candidate in choice.candidates]
    assert ranks == [*range(len(choice.models)), *[None] * (len(ranks) - len(choice.models))]
    assert [candidate.model for candidate in choice.candidates[: len(choice.models)]] == names(choice)
    assert all(candidate.reason for candidate in choice.candidates)
    costs = [candidate.estimated_cost for candidate in choice.candidates if candidate.rank is not None]
    assert [cost is None for cost in costs] == sorted(cost is None for cost in costs)

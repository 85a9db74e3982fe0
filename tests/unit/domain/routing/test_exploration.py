"""A share of what is decided goes to another model, and what came first how often is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.catalogue import TIERS, Catalogue
from farthing.domain.routing import STRATEGIES, strategies_with
from farthing.domain.routing.exploration import explored
from farthing.domain.routing.plan import Plan
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import ask, catalogue, model

NEAR = catalogue(model("small", "simple", 1), model("medium", "moderate", 2), model("large", "complex", 4))
GOOD = {"small": 0.81, "medium": 0.8, "large": 0.82}
CHAT = ask("Good morning to you")


def planned(qualities: dict[str, float] = GOOD, known: Catalogue = NEAR) -> Plan:
    """What is decided when this is expected."""
    strategy = strategies_with(Told(qualities), rated=often(*qualities))["learning"]
    return strategy.plan(CHAT, known)


def propensities(plan: Plan, known: Catalogue = NEAR) -> Any:
    """With a tenth explored."""
    return explored(plan, known, share=0.1, request_id="r").metadata["propensities"]


def test_a_share_of_requests_goes_to_each_of_the_others_alike() -> None:
    """By a hash of their ids: as many of 4,000 as the propensities say, the same each time."""
    plan = planned()
    made = [explored(plan, NEAR, share=0.1, request_id=f"request-{n}") for n in range(4_000)]
    assert made[0].metadata["propensities"] == {"small": 0.9, "large": 0.05, "medium": 0.05}
    firsts = [one.models[0].name for one in made]
    assert [firsts.count(name) for name in ("small", "medium", "large")] == [3_626, 202, 172]
    assert made == [explored(plan, NEAR, share=0.1, request_id=f"request-{n}") for n in range(4_000)]


def test_what_is_explored_says_so() -> None:
    """The model that would have come first is the first fallback."""
    plan = planned()
    found = next(one for n in range(99) if (one := explored(plan, NEAR, share=0.2, request_id=f"r{n}")).is_explored)
    assert [each.name for each in found.models] == ["large", "small", "medium"]
    assert [(one.model, one.rank) for one in found.candidates] == [("large", 0), ("small", 1), ("medium", 2)]
    assert found.reason == f"Explored: large is asked instead of small to learn what it is worth. {plan.reason}"
    assert (found.confidence, found.metadata["decided_by"]) == ("low", "learning")


def test_nothing_is_explored_by_who_wants_none_of_it_or_has_learned_nothing() -> None:
    """Who never rates an answer would pay for nothing."""
    assert explored(planned(), NEAR, share=0.0, request_id="r").metadata["propensities"] == {"small": 1.0}
    for name in STRATEGIES:
        plan = STRATEGIES[name].plan(CHAT, NEAR)
        assert propensities(plan) == {"small": 1.0}


@pytest.mark.parametrize(
    ("qualities", "prices", "others"),
    [
        ({"small": 0.8, "medium": 0.8, "large": 0.8}, (1, 4, 31), {"medium": 0.05, "large": 0.005}),
        ({"small": 0.9, "medium": 0.781, "large": 0.3}, (3, 1, 1), {"medium": 0.05, "large": 0.01}),
        ({"small": 0.9, "medium": 0.3}, (1, 31, 1), {"medium": 0.005, "large": 0.05}),
        ({"small": 0.8}, (1, 4, None), {"medium": 0.1}),
        ({"small": 0.8, "medium": 0.9}, (None, None, None), {}),
        ({"small": 0.8, "medium": 0.8, "large": 0.8}, (0, 1, 0), {"small": 0.1}),
    ],
)
def test_what_would_lose_more_is_explored_more_seldom(
    qualities: dict[str, float], prices: tuple[float | None, ...], others: dict[str, float]
) -> None:
    """What costs over four times as much, or is over 0.1 further below the best than the floor; no unpriced one."""
    known = catalogue(*(model(name, tier, usd) for name, tier, usd in zip(GOOD, TIERS, prices, strict=True)))
    plan = planned(qualities, known)
    told = propensities(plan, known)
    del told[plan.models[0].name]
    assert told == {name: pytest.approx(chance, rel=1e-4) for name, chance in others.items()}


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.lists(st.floats(0.01, 500), min_size=3, max_size=3))
def test_what_exploration_loses_is_bounded(qualities: list[float], prices: list[float]) -> None:
    """A tenth explored adds at most 0.3 times the cost, and costs at most 0.1 of the floor and 0.1 points."""
    known = catalogue(*(model(name, tier, usd) for name, tier, usd in zip(GOOD, TIERS, prices, strict=True)))
    plan = planned(dict(zip(GOOD, qualities, strict=True)), known)
    told = propensities(plan, known)
    cost = {one.model: one.estimated_cost or 0 for one in plan.candidates}
    first = plan.models[0].name
    assert sum(told[name] * (cost[name] - cost[first]) for name in told) <= 0.3 * cost[first] + 1e-6
    expected = plan.metadata["expected"]
    lost = sum(told[name] * (max(expected.values()) - expected[name]) for name in told if name != first)
    assert lost <= 0.1 * (plan.metadata["floor"] + 0.1) + 1e-9


@pytest.mark.parametrize(("baseline", "others"), [("medium", {"medium"}), ("large", {"medium", "large"})])
def test_nothing_is_explored_that_costs_more_than_the_baseline(baseline: str, others: set[str]) -> None:
    """Savings are measured against it."""
    known = replace(NEAR, baseline=baseline)
    assert set(propensities(planned(GOOD, known), known)) == {"small", *others}


def test_a_baseline_that_cannot_be_asked_bounds_the_cost_as_well() -> None:
    """At its price for what is likely; one without a price bounds nothing."""
    for usd, others in ((2, {"medium"}), (None, {"medium", "large"})):
        usual = model("usual", "complex", usd)
        known = Catalogue(models={**NEAR.models, "usual": replace(usual, routed=False)}, baseline="usual")
        assert set(propensities(planned(GOOD, known), known)) == {"small", *others}


def test_models_that_were_struck_off_the_plan_are_not_explored() -> None:
    """They cost more than the caller allows."""
    plan = planned()
    affordable = replace(plan, models=plan.models[:1])
    assert propensities(affordable) == {"small": 1.0}


@given(
    st.dictionaries(st.sampled_from(sorted(GOOD)), st.floats(0, 1), min_size=1),
    st.floats(0, 0.2),
    st.text(max_size=9),
)
def test_propensities_are_a_distribution_over_the_plan(qualities: dict[str, float], share: float, name: str) -> None:
    """Whatever is expected; the model that comes first has one over 0 unless the share is 0."""
    plan = explored(planned(qualities), NEAR, share=share, request_id=name)
    told = plan.metadata["propensities"]
    assert sum(told.values()) == pytest.approx(1, abs=1e-12)
    assert set(told) <= {each.name for each in plan.models}
    assert told[plan.models[0].name] > 0

"""A share of users' days is answered by the baseline, and everything else that it could have answered is told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.budget import DAY_US
from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.routing import STRATEGIES
from farthing.domain.routing.holdback import GROUPS, divided, group_of, unit_of
from farthing.domain.routing.plan import Plan
from tests.unit.domain.routing.samples import ask, catalogue, model

NEAR = catalogue(model("small", "simple", 1), model("large", "complex", 4))
LARGE = NEAR.models["large"]
CHAT = ask("Good morning to you")


def planned(known: Catalogue = NEAR) -> Plan:
    """What is decided by complexity."""
    return STRATEGIES["complexity"].plan(CHAT, known)


def held(plan: Plan, baseline: Model | None = LARGE) -> Plan:
    """With everything held back."""
    return divided(plan, baseline, share=1.0, unit="u")


def test_the_baseline_answers_what_is_held_back() -> None:
    """The model that would have been asked comes next, and the row says why."""
    plan = held(planned())
    assert [each.name for each in plan.models] == ["large", "small"]
    assert [(one.model, one.rank) for one in plan.candidates] == [("large", 0), ("small", 1)]
    assert (plan.strategy, plan.side, plan.confidence) == ("hold_back", "hold_back", "high")
    assert plan.reason == "Held back: large, the baseline, answers 100 % of all, to measure what routing saves."


def test_everything_else_is_routed_as_it_was() -> None:
    """But for its side of the comparison."""
    plan = planned()
    assert divided(plan, LARGE, share=0.0, unit="u") == replace(plan, side="routed")


def test_what_the_baseline_cannot_answer_is_on_neither_side() -> None:
    """None is configured, its price is unknown, or it is not among the models of the plan."""
    plan = planned()
    for baseline in (None, replace(LARGE, price=None), replace(LARGE, name="elsewhere")):
        assert held(plan, baseline) is plan


def test_the_share_is_that_of_the_units() -> None:
    """By a hash: as many of 10,000 as were asked for, the same each time."""
    sides = [divided(planned(), LARGE, share=0.02, unit=f"u{n}").side for n in range(10_000)]
    assert (sides.count("hold_back"), sides.count("routed")) == (217, 9_783)


@given(at_us=st.integers(0, 2**53), user=st.text(min_size=1))
def test_a_users_day_is_one_unit(at_us: int, user: str) -> None:
    """Whatever is asked on it; another day or tenant is another one, and without a user it is the request."""
    day = at_us - at_us % DAY_US
    unit = unit_of("acme", user, "r1", at_us)
    assert unit == unit_of("acme", user, "r2", day) != unit_of("acme", user, "r1", day + DAY_US)
    assert unit != unit_of("bolt", user, "r1", at_us)
    assert unit_of("acme", None, "r1", at_us) == "r1"
    assert 0 <= group_of(unit) < GROUPS


def test_groups_are_even_and_know_nothing_of_who_is_held_back() -> None:
    """Of 6,400 units about a hundred in each group, and as many of those held back as of the others."""
    units = [f"u{n}" for n in range(6_400)]
    sizes = [0] * GROUPS
    for unit in units:
        sizes[group_of(unit)] += 1
    assert 60 < min(sizes) <= max(sizes) < 140
    low = [unit for unit in units if group_of(unit) < GROUPS // 2]
    back = [unit for unit in units if divided(planned(), LARGE, share=0.5, unit=unit).side == "hold_back"]
    assert abs(len(set(low) & set(back)) - 1_600) < 120

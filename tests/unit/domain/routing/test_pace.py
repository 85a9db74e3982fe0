"""What routed requests cost on average is kept at a target, by quality where it saves most."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.pricing import NANO
from farthing.domain.routing import STRATEGIES, strategies_with
from farthing.domain.routing.pace import Pace, paced
from farthing.domain.routing.plan import Plan
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, ask, catalogue, model

THREE = catalogue(SMALL, MEDIUM, LARGE)
CHAT = ask("Good morning to you")
GOOD = {"small": 0.7, "medium": 0.8, "large": 0.9}


def planned(qualities: dict[str, float] = GOOD) -> Plan:
    """What is decided without a pace."""
    return strategies_with(Told(qualities), rated=often(*qualities))["learning"].plan(CHAT, THREE)


def at(points_per_usd: float) -> Pace:
    """A pace at which quality is worth so much."""
    return Pace(target_usd=0.002, spent_usd=None, points_per_usd=points_per_usd)


@pytest.mark.parametrize(("points", "first"), [(0.0, "large"), (40.0, "large"), (50.0, "medium"), (500.0, "small")])
def test_quality_is_given_up_where_it_saves_enough(points: float, first: str) -> None:
    """The large model costs 0.26 cents, the others a tenth and a hundredth of it; each is 0.1 better than the last."""
    plan = paced(planned(), at(points))
    assert [one.estimated_cost for one in planned().candidates] == [2_590_000, 259_000, 25_900]
    assert plan.models[0].name == first
    assert plan.metadata["points_per_usd"] == points
    assert plan.confidence == planned().confidence
    if first != "large":
        assert plan.candidates[0].model == first
        assert plan.reason == (
            "large has an expected quality of 0.90, and none that is cheaper is within 0.02 of it; "
            f"to keep to $0.002 a request, {first} instead."
        )


def test_nothing_dearer_is_asked_and_nothing_unknown() -> None:
    """A pace lowers what is spent; where nothing is known of the first model there is nothing to weigh."""
    plan = planned({"small": 0.8, "large": 0.81})
    assert [each.name for each in paced(plan, at(0.0)).models] == [each.name for each in plan.models]
    plain = STRATEGIES["complexity"].plan(CHAT, THREE)
    assert paced(plain, at(9_999.0)).models == plain.models
    struck = replace(planned(), models=(LARGE,))
    assert paced(struck, at(9_999.0)).models == (LARGE,)


def spent(target: float, per_minute: int, minutes: int) -> Sequence[tuple[int, int]]:
    """Requests of three models, whose best costs about 0.0116 dollars and whose cheapest 0.00023."""
    random, found = Random(7), list[tuple[int, int]]()
    for _ in range(minutes):
        pace, cost = Pace.of(found, target), 0.0
        for _ in range(per_minute):
            hard, size = random.random(), random.uniform(0.5, 2)
            worth = {0.0002 * size: 0.9 - 0.5 * hard**2, 0.002 * size: 0.92 - 0.25 * hard**2, 0.01 * size: 0.94}
            cost += max(worth, key=lambda usd: worth[usd] - pace.points_per_usd * usd)
        found.append((per_minute, round(cost * NANO)))
    return found


@pytest.mark.parametrize("target", [0.0005, 0.001, 0.004, 0.008])
def test_the_mean_comes_to_the_target(target: float) -> None:
    """Within 3 %, from the first hour's end to the end of the third."""
    later = spent(target, 30, 180)[60:]
    mean = sum(cost for _, cost in later) / NANO / sum(count for count, _ in later)
    assert mean == pytest.approx(target, rel=0.03)


def test_a_target_that_is_not_reached_gives_nothing_up() -> None:
    """In the long run; without any request as well."""
    minutes = spent(0.02, 30, 60)
    assert Pace.of(minutes, 0.02).points_per_usd == 0
    assert Pace.of([], 0.02) == Pace(target_usd=0.02, spent_usd=None, points_per_usd=0)


def test_what_was_spent_is_told() -> None:
    """The mean of all minutes, also of those too quiet to go by."""
    found = Pace.of([(10, 30 * NANO), (5, 0)], 1.0)
    assert found.spent_usd == 2.0
    assert found.points_per_usd == pytest.approx(0.01)


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**15)), max_size=50),
    st.floats(1e-6, 1_000),
)
def test_the_pace_is_bounded(minutes: list[tuple[int, int]], target: float) -> None:
    """As much money as the target is never worth more than all quality, and the same minutes give the same pace."""
    pace = Pace.of(minutes, target)
    assert 0 <= pace.points_per_usd * target <= 1 + 1e-9
    assert Pace.of(minutes, target) == pace


def test_of_models_of_one_cost_the_better_is_asked() -> None:
    """Whatever the pace."""
    two = catalogue(model("a", "simple", 1), model("b", "simple", 1))
    plan = strategies_with(Told({"a": 0.8, "b": 0.81}), rated=often("a", "b"))["learning"].plan(CHAT, two)
    assert paced(plan, at(100.0)).models[0].name == "b"

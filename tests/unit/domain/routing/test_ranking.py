"""The order of models by what is expected of them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing.foresight import Expected
from farthing.domain.routing.ranking import Bar, candidates_of, rank, sentence
from tests.unit.domain.routing.samples import model

MANY = st.lists(
    st.tuples(st.floats(min_value=0, max_value=1), st.integers(min_value=0, max_value=1_000_000)),
    min_size=1,
    max_size=12,
)
SHARE = st.floats(min_value=0, max_value=1)


def expected(name: str, quality: float, cost: int | None) -> Expected:
    """A model of which this is expected."""
    return Expected(model(name, "simple", None if cost is None else 1.0), quality, cost, near=100)


def names(groups: Sequence[Sequence[Expected]]) -> list[list[str]]:
    """Of the models in each group."""
    return [[one.model.name for one in group] for group in groups]


DEAR, MIDDLE, CHEAP = expected("dear", 0.82, 3_000), expected("middle", 0.81, 1_000), expected("cheap", 0.76, 100)


def test_the_cheapest_within_the_floor_is_first() -> None:
    """Then the others within it by cost, then those beneath by the same rule."""
    best = Bar.of([DEAR, MIDDLE, CHEAP], None, 0.02)
    assert (best.quality, best.model, best.is_baseline) == (0.82, "dear", False)
    assert names(rank([DEAR, MIDDLE, CHEAP], best)) == [["middle", "dear"], ["cheap"]]
    worse = [expected("a", 0.60, 900), expected("b", 0.59, 100), expected("c", 0.3, 1)]
    assert names(rank([DEAR, *worse], best)) == [["dear"], ["b", "a"], ["c"]]


@pytest.mark.parametrize(
    ("floor", "order"),
    [
        (0.0, [["dear"], ["middle"], ["cheap"]]),
        (0.01, [["middle", "dear"], ["cheap"]]),
        (0.06, [["cheap", "middle", "dear"]]),
        (1.0, [["cheap", "middle", "dear"]]),
    ],
)
def test_the_floor_decides_how_much_quality_a_cheaper_answer_may_cost(floor: float, order: list[list[str]]) -> None:
    """With none only the best will do; a model that is off by exactly the floor is still good enough."""
    assert names(rank([CHEAP, DEAR, MIDDLE], Bar.of([DEAR, MIDDLE, CHEAP], None, floor))) == order


def test_equal_costs_are_ordered_by_quality_then_by_name() -> None:
    """For the same money the better one is asked."""
    same = [expected("b", 0.81, 100), expected("a", 0.81, 100), expected("c", 0.82, 100)]
    assert names(rank(same, Bar.of(same, None, 0.02))) == [["c", "a", "b"]]


def test_a_baseline_is_what_models_are_held_against() -> None:
    """The best may then be dearer than need be; a baseline that no model reaches gives way to the best."""
    baseline = expected("usual", 0.77, 2_000)
    bar = Bar.of([DEAR, MIDDLE, CHEAP], baseline, 0.02)
    assert (bar.quality, bar.model, bar.is_baseline, bar.named) == (0.77, "usual", True, "the baseline")
    assert names(rank([DEAR, MIDDLE, CHEAP], bar)) == [["cheap", "middle", "dear"]]
    assert Bar.of([CHEAP], baseline, 0.02) == Bar(0.76, "cheap", is_baseline=False, floor=0.02)


def test_every_model_tells_why_it_has_its_place() -> None:
    """In words that a person understands, with what is expected of it."""
    bar = Bar.of([DEAR, MIDDLE, CHEAP], None, 0.02)
    found = candidates_of(rank([DEAR, MIDDLE, CHEAP], bar), bar)
    assert [(one.rank, one.model, one.estimated_quality, one.estimated_cost, one.reason) for one in found] == [
        (0, "middle", 0.81, 1_000, "expected quality 0.81, the cheapest within 0.02 of the best"),
        (1, "dear", 0.82, 3_000, "expected quality 0.82, costs 3.0x as much"),
        (2, "cheap", 0.76, 100, "expected quality 0.76, 0.06 below the best, over the floor of 0.02"),
    ]


@pytest.mark.parametrize(
    ("many", "baseline", "reason", "said"),
    [
        (
            [DEAR, MIDDLE, CHEAP],
            None,
            "expected quality 0.81, the cheapest within 0.02 of the best",
            "middle is the cheapest of 2 models expected within 0.02 of the best, at 0.81 against 0.82 of dear.",
        ),
        (
            [expected("dear", 0.82, 100), expected("middle", 0.81, 1_000)],
            None,
            "expected quality 0.82, the cheapest within 0.02 of the best",
            "dear is the cheapest of 2 models expected within 0.02 of the best.",
        ),
        (
            [DEAR, CHEAP],
            None,
            "expected quality 0.82, the best",
            "dear has an expected quality of 0.82, and none that is cheaper is within 0.02 of it.",
        ),
        (
            [DEAR, CHEAP],
            expected("usual", 0.8, 1),
            "expected quality 0.82, the only one within 0.02 of the baseline",
            "dear has an expected quality of 0.82, and none that is cheaper is within 0.02 of it.",
        ),
        (
            [DEAR, MIDDLE],
            MIDDLE,
            "expected quality 0.81, the cheapest within 0.02 of the baseline",
            "middle is the cheapest of 2 models expected within 0.02 of the baseline.",
        ),
        (
            [CHEAP],
            None,
            "expected quality 0.76, the best",
            "cheap is the only capable model of which anything is known, with an expected quality of 0.76.",
        ),
    ],
)
def test_the_choice_is_told_in_one_sentence(
    many: list[Expected], baseline: Expected | None, reason: str, said: str
) -> None:
    """Which model, out of how many, how good against which other."""
    bar = Bar.of(many, baseline, 0.02)
    groups = rank(many, bar)
    assert sentence(groups, bar) == said
    assert candidates_of(groups, bar)[0].reason == reason


def test_models_without_any_price_are_ordered_by_quality() -> None:
    """Where that is all that is known."""
    many = [expected("a", 0.7, None), expected("b", 0.71, None)]
    bar = Bar.of(many, None, 0.02)
    assert [(one.model, one.reason) for one in candidates_of(rank(many, bar), bar)] == [
        ("b", "expected quality 0.71, the cheapest within 0.02 of the best"),
        ("a", "expected quality 0.70, has no price, as all that is known"),
    ]


@given(MANY, SHARE)
def test_no_cheaper_model_within_the_floor_is_passed_over(many: list[tuple[float, int]], floor: float) -> None:
    """The first is within the floor of the best, all that are cheaper are not, and none gets lost."""
    models = [expected(f"m{place}", quality, cost) for place, (quality, cost) in enumerate(many)]
    best = max(quality for quality, _ in many)
    groups = rank(models, Bar.of(models, None, floor))
    first = groups[0][0]
    assert first.quality >= best - floor - 1e-9
    assert all(one.quality < best - floor for one in models if (one.cost or 0) < (first.cost or 0))
    assert sorted(one.model.name for group in groups for one in group) == sorted(one.model.name for one in models)


@given(MANY, SHARE, SHARE)
def test_a_higher_floor_never_costs_more(many: list[tuple[float, int]], one: float, other: float) -> None:
    """Giving up more quality is never dearer."""
    models = [expected(f"m{place}", quality, cost) for place, (quality, cost) in enumerate(many)]
    strict, loose = (rank(models, Bar.of(models, None, floor))[0][0].cost or 0 for floor in sorted((one, other)))
    assert loose <= strict

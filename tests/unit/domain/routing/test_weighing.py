"""How much checks count follows from what checked answers turned out to be worth."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing.checking import Check
from farthing.domain.routing.weighing import MOST, WEIGHT, Tried, revised, weights_of

SHARES = st.floats(0, 1)


def tried(
    count: int, good: float, *, score: float = 1.0, model: str = "small", check: Check = "agreement"
) -> list[Tried]:
    """So many answers of which as much was expected as not, a share of which was good."""
    one = Tried(model=model, check=check, expected=0.5, score=score, quality=good)
    return [one] * count


def test_of_what_nobody_has_tried_something_is_supposed() -> None:
    """Half of what a check says."""
    assert weights_of([]).of("small", "agreement") == WEIGHT
    assert weights_of(tried(9, 1.0)).of("small", "self_check") == WEIGHT


@pytest.mark.parametrize(("good", "weight"), [(0.5, 0.0), (0.8, 0.471), (0.9, 0.746)])
def test_many_answers_say_what_agreement_is_worth(good: float, weight: float) -> None:
    """That many of a hundred whose second answer was the same were good, of which half would have been."""
    found = weights_of(tried(5_000, good)).of("small", "agreement")
    assert found == pytest.approx(weight, abs=0.01)
    assert revised(0.5, 1.0, found) == pytest.approx(good, abs=0.01)


def test_both_kinds_of_answers_tell_the_same() -> None:
    """Where answers agree most are good, where they differ most are not."""
    low, high = tried(500, 0.2, score=0.0), tried(500, 0.8)
    assert weights_of([*low, *high]).of("small", "agreement") == pytest.approx(0.475, abs=0.01)


def test_some_thirty_answers_outweigh_what_was_supposed() -> None:
    """A few do not: the weight has come half of its way."""
    found = weights_of(tried(30, 0.9)).of("small", "agreement")
    half = (WEIGHT + log(9) / log(19)) / 2
    assert found == pytest.approx(half, abs=0.06)


def test_a_check_that_is_wrong_more_often_than_right_tells_nothing() -> None:
    """It does not count the other way round, nor more than twice."""
    assert weights_of(tried(5_000, 0.1)).of("small", "agreement") == pytest.approx(0.0, abs=1e-5)
    sure = tried(50_000, 1.0, score=0.6, check="self_check")
    assert weights_of(sure).of("small", "self_check") == pytest.approx(MOST, abs=1e-5)


def test_each_model_has_its_own_weight_that_starts_from_that_of_all() -> None:
    """One of which little is known is taken to be as the others are; another check says nothing of it."""
    known, other, new = tried(3_000, 0.9), tried(1_000, 0.6, model="boastful"), tried(3, 0.9, model="new")
    doubted = tried(1_000, 0.5, check="self_check")
    weights = weights_of([*known, *other, *new, *doubted])
    of_all = weights.of("unknown", "agreement")
    assert weights.of("boastful", "agreement") < of_all < weights.of("small", "agreement")
    assert weights.of("new", "agreement") == pytest.approx(of_all, abs=0.02)
    assert weights.of("new", "self_check") < 0.1


@pytest.mark.parametrize("start", [0.05, 0.5, 0.95])
def test_what_is_expected_comes_to_what_answers_are_worth(start: float) -> None:
    """Here 70 of 100; of a good answer the second agrees in 80, of a bad one in 30. Those that pass are good in 86."""
    passed, good_passed = 0.7 * 0.8 + 0.3 * 0.3, 0.7 * 0.8 / (0.7 * 0.8 + 0.3 * 0.3)
    expected = start
    for _ in range(50):
        expected = passed * good_passed + (1 - passed) * revised(expected, 0.0, WEIGHT)
    assert round(good_passed, 2) == 0.86
    assert expected == pytest.approx(0.7, abs=0.03)


@given(st.lists(st.tuples(SHARES, SHARES, SHARES), max_size=20))
def test_every_weight_is_within_bounds(answers: list[tuple[float, float, float]]) -> None:
    """Whatever the answers, and whatever the order in which they come."""
    found = [
        Tried(model="small", check="agreement", expected=expected, score=score, quality=quality)
        for expected, score, quality in answers
    ]
    weight = weights_of(found).of("small", "agreement")
    assert 0 <= weight <= MOST
    assert weights_of(found[::-1]).of("small", "agreement") == pytest.approx(weight, abs=1e-5)

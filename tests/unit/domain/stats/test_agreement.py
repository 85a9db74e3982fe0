"""A judge and people: how far they agree, and what is made of both."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.stats.agreement import FEWEST, agreement, corrected

WORTH = st.floats(0, 1)
GOOD, BAD = (0.9, 0.75), (0.25, 0.0)


def test_agreement_is_a_share_with_its_interval_and_kappa() -> None:
    """Forty answers: 20 both like, 10 neither, 5 the judge alone and 5 people alone."""
    rated = [GOOD] * 20 + [BAD] * 10 + [(1.0, 0.5)] * 5 + [(0.5, 1.0)] * 5
    found = agreement(rated)
    assert found is not None
    chance = (25 * 25 + 15 * 15) / 1600
    assert (found.count, found.share) == (40, 0.75)
    assert found.kappa == pytest.approx((0.75 - chance) / (1 - chance))
    assert (round(found.low, 4), round(found.high, 4)) == (0.5981, 0.8581)


def test_where_all_are_good_to_both_kappa_says_nothing() -> None:
    """Chance alone would agree as often."""
    found = agreement([GOOD] * 20)
    assert found is not None
    assert (found.share, round(found.low, 4), found.high, found.kappa) == (1.0, 0.8389, 1.0, None)


def test_of_few_nothing_is_told() -> None:
    """Fewer than twenty that both have rated."""
    assert agreement([GOOD] * (FEWEST - 1)) is None
    assert corrected([0.5] * 1000, [GOOD] * (FEWEST - 1)) is None


def test_a_judge_that_is_always_too_kind_is_put_right() -> None:
    """By a tenth here, and so exactly known."""
    rated = [(0.1 + step / 25, step / 25) for step in range(20)]
    others = [0.1 + step / 25 for step in range(20)] * 100
    found = corrected(others, rated)
    assert found is not None
    assert found.mean == pytest.approx(0.38)
    alone = corrected([], rated)
    assert alone is not None
    assert found.high - found.low < (alone.high - alone.low) / 5


@pytest.mark.parametrize("others", [[], [0.5] * 100], ids=["no-others", "a-judge-who-always-says-the-same"])
def test_without_help_of_the_judge_it_is_what_people_said(others: list[float]) -> None:
    """Their mean and Student's interval."""
    rated = [(0.5, step / 20) for step in range(21)]
    found = corrected(others, rated)
    assert found is not None
    assert (found.mean, round(found.low, 4), round(found.high, 4)) == (0.5, 0.3588, 0.6412)


@given(st.lists(WORTH, max_size=50), st.lists(st.tuples(WORTH, WORTH), min_size=FEWEST, max_size=50))
def test_the_interval_stays_on_the_scale(others: list[float], rated: list[tuple[float, float]]) -> None:
    """From 0 to 1, in its order."""
    found = corrected(others, rated)
    assert found is not None
    assert 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize("n", [25, 100])
@pytest.mark.parametrize("noise", [0.1, 0.6], ids=["good-judge", "bad-judge"])
def test_the_interval_covers_what_people_would_say_of_all(n: int, noise: float) -> None:
    """In at least 93 of 100 simulated worlds, where the judge is too kind by 0.15; with a good one it is shorter."""
    dice, covered, short, worlds = Random(n), 0, 0, 1_000
    for _ in range(worlds):
        rated = []
        others = []
        for number in range(n * 4):
            told = float(dice.random() < 0.6)
            judged = min(1.0, max(0.0, 0.15 + told * 0.6 + dice.gauss(0, noise)))
            if number < n:
                rated.append((judged, told))
            else:
                others.append(judged)
        found, alone = corrected(others, rated), corrected([], rated)
        assert found is not None
        assert alone is not None
        assert alone.mean == pytest.approx(fmean(told for _, told in rated))
        covered += found.low <= 0.6 <= found.high
        short += found.high - found.low < alone.high - alone.low
    assert covered >= 0.93 * worlds
    assert short > 0.9 * worlds or noise > 0.5

"""How long answers are is learned quickly, forgotten slowly, and never underestimated."""

from collections.abc import Sequence
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.domain.lengths import BUCKETS, ENOUGH, FINENESS, HORIZON, Lengths


def learned(tokens: Sequence[int]) -> Lengths:
    """What these answers teach."""
    lengths = Lengths()
    for each in tokens:
        lengths.add(each)
    return lengths


def test_nothing_is_said_of_too_few_answers() -> None:
    """From the thirtieth on."""
    assert learned([100] * (ENOUGH - 1)).p95 is None
    assert learned([100] * ENOUGH).p95 == 107


@given(st.lists(st.integers(1, 200_000), min_size=ENOUGH, max_size=200))
def test_the_percentile_is_not_too_low_and_at_most_a_fifth_too_high(tokens: list[int]) -> None:
    """Of nineteen answers out of twenty none is longer."""
    p95 = learned(tokens).p95
    exact = sorted(tokens)[ceil(len(tokens) * 0.95) - 1]
    assert p95 is not None
    assert exact <= p95 <= exact * 2 ** (1 / FINENESS)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 5_000), min_size=ENOUGH, max_size=60), st.lists(st.integers(1, 5_000), max_size=90))
def test_the_percentile_is_the_same_however_often_somebody_has_looked(first: list[int], then: list[int]) -> None:
    """It is followed from one look to the next, down as well as up, also where old counts are halved."""
    watched, unwatched = learned([*first, *[300] * (HORIZON - 90)]), learned([*first, *[300] * (HORIZON - 90)])
    for tokens in then:
        watched.add(tokens)
        assert watched.p95 is not None
        unwatched.add(tokens)
    assert watched.p95 == unwatched.p95


def test_old_answers_are_forgotten() -> None:
    """After some thousand short ones the long ones count no more."""
    lengths = learned([10_000] * 500 + [10] * HORIZON * 4)
    assert lengths.p95 == 11


def test_lengths_without_end_stay_in_the_last_bucket() -> None:
    """An absurd figure is as long as the longest."""
    assert learned([0] * ENOUGH).p95 == 1
    assert learned([2**60] * ENOUGH).p95 == int(2 ** ((BUCKETS - 1) / FINENESS))

"""What is measured against held-back requests."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy import stats

from farthing.domain.stats.heldback import FEWEST_GROUPS, Gain, Ratings, Side, Sides, gained, measured

GROUPS = 64


def side(requests: list[int], cost: list[int], baseline_cost: list[int] | None = None) -> Side:
    """One without ratings."""
    ratings = Ratings([0.0] * len(cost), [0] * len(cost))
    return Side(requests=requests, cost=cost, baseline_cost=baseline_cost or cost, ratings=ratings)


def test_the_saving_is_the_held_back_mean_less_what_was_paid() -> None:
    """20 groups with costs 90 and 110 a request held back; 1,000 routed requests a group that cost 30 each."""
    held = side([10] * 20, [900, 1_100] * 10)
    routed = side([1_000] * 20, [30_000] * 20, [100_000] * 20)
    found = measured(Sides(held=held, routed=routed))
    assert found is not None
    assert [found.saved, found.share] == pytest.approx([20_000 * 70, 0.7])
    # The jackknife of 20 equal groups is their standard error: sd / √20, on the scale of logarithms.
    half = stats.t.ppf(0.975, 19) * np.std([0.9, 1.1] * 10, ddof=1) / np.sqrt(20)
    bounds = 2_000_000 * np.exp([-half, half])
    assert list(found.interval) == pytest.approx(list(bounds - 600_000))
    assert list(found.share_interval) == pytest.approx(list(1 - 600_000 / bounds))


def test_a_handful_that_met_none_of_the_dear_ones_is_not_sure_of_it() -> None:
    """Where held-back requests are all alike and others are not, the others tell how far off their mean may be."""
    held = side([10] * 20, [1_000] * 20)
    baseline = [100_000] * 16 + [900_000] * 4
    routed = side([1_000] * 20, [30_000] * 20, baseline)
    found = measured(Sides(held=held, routed=routed))
    assert found is not None
    relative = np.std(baseline, ddof=1) / np.sqrt(20) / np.mean(baseline)
    half = stats.t.ppf(0.975, 19) * relative * np.sqrt(1 + 20_000 / 200)
    assert found.interval[1] == pytest.approx(2_000_000 * np.exp(half) - 600_000)


@pytest.mark.parametrize(
    ("held", "routed"),
    [
        (side([0] * 20, [0] * 20), side([9] * 20, [9] * 20)),
        (side([9] * 20, [9] * 20), side([0] * 20, [0] * 20)),
        (side([4] * 20, [9] * 20), side([9] * 20, [9] * 20)),
        (side([90] * (FEWEST_GROUPS - 1), [9] * 9), side([9] * 9, [9] * 9)),
        (side([9] * 20, [0] * 20), side([9] * 20, [9] * 20)),
        (side([9] * 20, [9] * 20), side([9] * 20, [0] * 20, [0] * 20)),
        (side([100_000] * 10, [10**18, *[0] * 9]), side([10**9] * 2, [1, 1], [1, 10**15])),
    ],
)
def test_too_little_says_nothing(held: Side, routed: Side) -> None:
    """No requests, too few or of too few groups, such as cost nothing, or an interval beyond all numbers."""
    assert measured(Sides(held=held, routed=routed)) is None


def test_better_ratings_are_a_gain() -> None:
    """Routed less held back, in points of 0..1, with Welch's interval over groups."""
    before = Ratings([0.5, 0.7] * 10, [1] * 20)
    after = Ratings([1.4, 1.8] * 10, [2] * 20)
    found = gained(before, after)
    assert isinstance(found, Gain)
    assert found.difference == pytest.approx(0.2)
    expected = stats.ttest_ind([0.7, 0.9] * 10, [0.5, 0.7] * 10, equal_var=False).confidence_interval()
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high])
    assert -inf < found.low < found.high < inf


@pytest.mark.parametrize(("before", "after"), [(0, 20), (20, 0), (FEWEST_GROUPS - 1, 20), (20, FEWEST_GROUPS - 1)])
def test_ratings_of_few_groups_say_nothing(before: int, after: int) -> None:
    """On either side."""
    assert gained(rated(before), rated(after)) is None


def rated(groups: int) -> Ratings:
    """One rating in each of so many groups."""
    found = Ratings([0.0] * GROUPS, [0] * GROUPS)
    for group in range(groups):
        found.add(group, 0.5)
    return found

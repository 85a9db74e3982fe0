"""What other choices would have been worth."""

from __future__ import annotations

from math import nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.stats.offpolicy import Comparison, Replayed, compare_choices

Z = 1.959964


def replayed(count: int, **columns: Any) -> Replayed:
    """Requests that a model foretold at 0.5 answered, which were not rated and would be answered by it again."""
    usual = {"was": 0.5, "would": 0.5, "rating": nan, "propensity": 1.0, "rated": 1.0}
    numbers = {"model": 0, "choice": 0}
    found: dict[str, Any] = {name: np.full(count, value) for name, value in usual.items()}
    found |= {name: np.full(count, value, dtype=np.int64) for name, value in numbers.items()}
    found["is_same"] = np.ones(count, dtype=bool)
    return Replayed(**found | {name: np.array(value) for name, value in columns.items()})


def compared(count: int, **columns: Any) -> Comparison:
    """What comes of such requests where some are rated."""
    found = compare_choices(replayed(count, **columns))
    assert found is not None
    return found


def test_nothing_rated_says_nothing() -> None:
    """However sure the propensities are."""
    assert compare_choices(replayed(3)) is None


def test_where_all_is_rated_and_the_same_all_is_known() -> None:
    """The mean is that of the ratings, whatever was foretold, without doubt and without a difference."""
    found = compared(4, rating=[1.0, 0.0, 1.0, 1.0])
    assert (found.would.mean, found.would.interval, found.would.effective) == (0.75, (0.75, 0.75), 4)
    assert (found.was.mean, found.was.interval) == (0.75, (0.75, 0.75))
    assert (found.difference.mean, found.difference.interval) == (0.0, (0.0, 0.0))


def test_some_ratings_stand_for_all() -> None:
    """Half are rated: each stands for two, and the doubt is that of Poisson sampling."""
    found = compared(4, rating=[1.0, nan, 0.6, nan], rated=[0.5] * 4)
    assert found.was.mean == pytest.approx(0.8)
    # 2 · (2 − 1) · (0.5² + 0.1²) of what was drawn is 0.52, 4 · (2 − 1) · 0.13 by the chances of all as much.
    assert found.was.interval[0] == pytest.approx(0.8 - Z * sqrt(0.52) / 4)
    assert found.was.interval[1] == 1.0
    assert found.was.effective == 2


def test_a_rare_draw_stands_for_many() -> None:
    """Of ten requests of which the choice answers one in ten, the one that it answered tells of all of them."""
    found = compared(
        10,
        rating=[0.9] + [0.2] * 9,
        is_same=[True] + [False] * 9,
        propensity=[0.1] * 10,
        model=[1] + [0] * 9,
        choice=[1] * 10,
    )
    assert found.would.mean == pytest.approx(0.9)
    assert found.would.effective == pytest.approx(1)
    assert found.was.mean == pytest.approx(0.27)
    assert found.difference.mean == pytest.approx(0.63)
    assert found.difference.interval[0] < 0 < found.difference.interval[1]


def test_what_could_not_be_drawn_is_only_foretold() -> None:
    """The correction is for the others, and the doubt is as large as what is foretold is usually off by."""
    found = compared(
        2, rating=[0.9, nan], is_same=[True, False], propensity=[1.0, 0.0], would=[0.5, 0.3], choice=[0, 1]
    )
    assert found.would.mean == pytest.approx((0.9 + 0.3) / 2)
    assert found.would.interval[1] == pytest.approx(0.6 + Z * sqrt(0.16) / 2)


def test_nothing_drawn_leaves_what_is_foretold() -> None:
    """With the doubt that goes with it: no choice was ever what answered."""
    found = compared(
        2, rating=[0.9, 0.9], is_same=[False, False], propensity=[0.5, 0.5], would=[0.3, 0.3], choice=[1, 1]
    )
    assert found.would.mean == pytest.approx(0.3)
    assert found.would.effective == 0
    assert found.would.interval[1] == pytest.approx(0.3 + Z * sqrt(2 * 0.16) / 2)


def test_models_err_each_by_their_own() -> None:
    """A model that is foretold well leaves less doubt than one that is not, once both are rated often."""
    ratings = [0.5] * 100 + [0.0, 1.0] * 50
    both = {"rating": ratings, "model": [0] * 100 + [1] * 100, "rated": [0.5] * 200}
    steady = compared(200, **both, choice=[0] * 200, propensity=[0.5] * 200, is_same=[True] * 100 + [False] * 100)
    wild = compared(200, **both, choice=[1] * 200, propensity=[0.5] * 200, is_same=[False] * 100 + [True] * 100)
    widths = [high - low for low, high in (steady.would.interval, wild.would.interval)]
    assert widths[0] < widths[1] / 3


def test_a_part_is_those_requests_alone() -> None:
    """As if there were no others."""
    whole = replayed(3, rating=[1.0, 0.0, nan])
    part = compare_choices(whole.rows(np.array([True, False, False])))
    assert part is not None
    assert part.was.mean == 1.0


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.floats(0, 1),
            st.none() | st.floats(0, 1),
            st.booleans(),
            st.floats(0, 1),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_figure_is_a_number_within_its_bounds(
    rows: list[tuple[float, float, float | None, bool, float, int]],
) -> None:
    """Whatever the columns hold: means and qualities within 0..1, differences within -1..1."""
    was, would, rating, is_same, propensity, model = (list(column) for column in zip(*rows, strict=True))
    found = compare_choices(
        replayed(
            len(rows),
            was=was,
            would=would,
            rating=np.array([nan if value is None else value for value in rating], dtype=float),
            is_same=is_same,
            propensity=propensity,
            model=model,
        )
    )
    for worth, least in [] if found is None else [(found.was, 0), (found.would, 0), (found.difference, -1)]:
        low, high = worth.interval
        assert least <= low <= worth.mean <= high <= 1
        assert 0 <= worth.effective <= len(rows) + 1e-6

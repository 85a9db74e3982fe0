"""Forests learn what a linear function cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from farthing.insight.learning.growing import grow


def crossed(rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """One where exactly one of two numbers is positive, minus one elsewhere; eight more numbers mean nothing."""
    numbers = np.random.default_rng(3).normal(size=(rows, 10)).astype(np.float32)
    return numbers, np.where((numbers[:, 0] > 0) != (numbers[:, 1] > 0), 1.0, -1.0)[:, None].astype(np.float32)


def test_a_forest_learns_what_depends_on_two_numbers_at_once() -> None:
    """Rows that were not seen are told on the right side, nearly all."""
    numbers, values = crossed(1_500)
    forest = grow(numbers[:1_200], values[:1_200], np.ones((1_200, 1), dtype=np.float32), np.ones(1))
    said = np.array([forest.predict(row)[0] for row in numbers[1_200:]])
    assert (np.sign(said) == values[1_200:, 0]).mean() > 0.9


def test_the_same_rows_grow_the_same_forest() -> None:
    """Chance is drawn from a fixed seed."""
    numbers, values = crossed(60)
    known = np.ones((60, 1), dtype=np.float32)
    first, second = (grow(numbers, values, known, np.ones(1)) for _ in range(2))
    assert first.predict(numbers[0]).tolist() == second.predict(numbers[0]).tolist()


def test_few_rows_are_not_divided() -> None:
    """Each tree is its root, and says less than the mean: half a row of nothing speaks beside its own."""
    numbers = np.arange(6, dtype=np.float32)[:, None]
    values = np.full((6, 2), 2, dtype=np.float32)
    known = np.array([[1, 0]] * 6, dtype=np.float32)
    forest = grow(numbers, values, known, np.ones(2))
    assert forest.depth == 0
    assert forest.predict(numbers[0]).tolist() == [pytest.approx(12 / 6.5, rel=1e-3), 0]

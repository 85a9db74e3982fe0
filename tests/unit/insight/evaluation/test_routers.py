"""What the baselines make of a prompt."""

from __future__ import annotations

import pytest

from farthing.insight.evaluation.routers import BASELINES, lining
from tests.unit.insight.evaluation.outcomes import halves, row


def test_a_task_of_few_rows_is_drawn_to_the_mean_of_all() -> None:
    """Five rows of the whole stand beside its own, and an unknown task is the whole."""
    rows = [row(number, (1.0, 1.0), (1.0, 3.0), dataset="rare") for number in range(5)]
    rows += [row(number, (0.0, 1.0), (1.0, 1.0), dataset="common") for number in range(5, 20)]
    fitted = BASELINES["label"](rows, ("a", "b"))
    quality, cost = fitted.predict([rows[0], row(99, (0, 0), (0, 0), dataset="new")])
    assert quality.tolist() == [[0.625, 1.0], [0.25, 1.0]]
    assert cost.tolist() == [[1.0, 2.25], [1.0, 1.5]]


def test_length_follows_straight_lines() -> None:
    """Quality over the doublings of the tokens, cost over the tokens, and never next to nothing."""
    rows = [row(number, (1 - number / 10, 1.0), (2.0**number, 8.0), prompt="word " * 2**number) for number in range(6)]
    fitted = lining(rows, ("a", "b"))
    quality, cost = fitted.predict([row(9, (0, 0), (0, 0), prompt="word " * 64)])
    assert quality[0, 1] == pytest.approx(1.0)
    assert 0.35 < quality[0, 0] < 0.45
    assert cost[0].tolist() == pytest.approx([64.0, 8.0], rel=0.05)
    falling = [row(number, (1.0, 1.0), (9.0 - number, 9.0), prompt="word " * 2**number) for number in range(6)]
    _, least = lining(falling, ("a", "b")).predict([row(9, (0, 0), (0, 0), prompt="word " * 2**12)])
    assert least[0].tolist() == pytest.approx([0.65, 9.0])


def test_the_complexity_score_trusts_the_price() -> None:
    """A demanding prompt is worth a dearer model more than an easy one; the dearest never fails."""
    fitted = BASELINES["complexity"](halves(20), ("a", "b"))
    hard = "Prove that the algorithm is optimal, derive its complexity, and refactor the code.\n" * 20
    quality, cost = fitted.predict([row(0, (1, 1), (1, 1), prompt="Hi"), row(1, (1, 1), (1, 1), prompt=hard)])
    assert quality[:, 1].tolist() == [1.0, 1.0]
    assert quality[0, 0] == 1.0
    assert quality[1, 0] < 0.5
    assert cost.tolist() == [[1.0, 10.0], [1.0, 10.0]]

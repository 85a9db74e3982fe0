"""What is corrected and paced between two trainings, on recorded outcomes."""

import pytest

from benchmarks.routing.online import Asked, cheapest, fallen, spent
from farthing.insight.learning.labels import Outcome

EXPECTED = {"small": (0.8, 0.001), "large": (0.81, 0.01)}
STREAM = [
    Asked(f"Question {number}?", {"small": Outcome(0.8, 0.001), "large": Outcome(0.81, 0.01)}, EXPECTED)
    for number in range(900)
]


def test_the_cheapest_within_the_floor_is_asked() -> None:
    """The best where no cheaper one is within it."""
    assert cheapest(EXPECTED) == "small"
    assert cheapest(EXPECTED | {"large": (0.83, 0.01)}) == "large"


def test_a_fall_is_met_by_ratings() -> None:
    """Without them the requests stay where they were, at a fifth of the quality."""
    before, after = fallen(STREAM, 0.8, 0.0, 1), fallen(STREAM, 0.8, 1.0, 1)
    assert before.share > 0.97
    assert before.quality == pytest.approx(0.16, abs=0.02)
    assert after.share < 0.2
    assert after.quality > 0.65


def test_a_pace_is_kept() -> None:
    """Where nothing is cheap enough the cheapest answers."""
    dear = [Asked(one.text, one.outcomes, EXPECTED | {"large": (0.9, 0.01)}) for one in STREAM]
    assert sum(spent(dear, None)[0]) / len(dear) == pytest.approx(0.01)
    assert sum(spent(dear, 0.0001)[0][-100:]) / 100 == pytest.approx(0.001)
    assert spent(STREAM, 1.0)[1] == pytest.approx(0.8)

"""What is known of a prompt before the first rated answer."""

from __future__ import annotations

from math import exp, log, log1p

import numpy as np
import pytest

from farthing.domain.routing.learning.prior import Prior
from farthing.domain.routing.learning.vocabulary import Vocabulary


def prior() -> Prior:
    """Red asks for more by 2, blue for nothing; so does each e-fold of length, by 0.5."""
    return Prior(
        vocabulary=Vocabulary({"red": 0, "blue": 1}, np.array([[3, 0], [0, 5]], dtype=np.int8)),
        piece_rarity=np.ones(2, dtype=np.float32),
        centre=np.zeros(2, dtype=np.float32),
        meanings=np.array([[1, 0], [0, 1]], dtype=np.float32),
        of_likeness=np.array([2, 0], dtype=np.float32),
        usual=(0.5, log1p(3)),
        steps=(1.0, 0.5),
    )


def test_what_is_asked_about_and_length_make_the_excess() -> None:
    """Each by its own step, from what is usual."""
    assert prior().excess("red") == pytest.approx(2 - 0.5)
    assert prior().excess("red   \n") - prior().excess("red") == pytest.approx(0.5 * log(8 / 4))
    assert prior().excess("blue") == pytest.approx(2 * exp(-2) - 0.5 + 0.5 * log(5 / 4), rel=1e-5)


def test_a_usual_prompt_is_in_one_of_five_beyond_the_cheapest_model() -> None:
    """Demand is the logistic function of the excess, from those odds."""
    assert prior().demand("red") == pytest.approx(1 / (1 + exp(1.4 - 1.5)))


def test_a_text_without_words_can_be_told() -> None:
    """It is short, and about nothing: as far from red as from blue."""
    assert prior().excess("") == pytest.approx(2 * exp(-1) - 0.5 - 0.5 * log(4), rel=1e-5)

"""The check of first answers learns from recorded ones."""

from __future__ import annotations

import numpy as np
import pytest

from farthing.insight.learning.checking import fit_check
from farthing.insight.learning.labels import Labelled, Outcome

MODELS = ("cheap", "dear")


def row(number: int) -> Labelled:
    """The cheap model's answer is right where its sum is; the dear one fails where the prompt says so."""
    is_right = number % 2 == 0
    answer = f"That is {number} + 2 = {number + 2 + (not is_right)}."
    outcomes = {"cheap": Outcome(float(is_right), 1.0, answer), "dear": Outcome(float(number % 4 != 3), 9.0)}
    return Labelled(prompt=f"What is {number} plus 2?", outcomes=outcomes)


def test_an_answer_moves_what_is_expected_of_every_model() -> None:
    """A wrong sum speaks against who made it, and as far as they fail together, against the other."""
    rows = [row(number) for number in range(10, 210)]
    before = np.tile([0.5, 0.75], (len(rows), 1))
    check = fit_check(rows, MODELS, "cheap", before)
    answers = ["That is 107 + 2 = 109.", "That is 107 + 2 = 110."]
    right, wrong = check.revise_many(["What is 107 plus 2?"] * 2, answers, np.array([[0.5, 0.75]] * 2))
    assert right[0] > 0.6
    assert wrong[0] < 0.4
    assert right[1] > wrong[1] + 0.1
    assert (check.models, check.first) == (MODELS, "cheap")


def test_each_answer_is_judged_by_itself() -> None:
    """Whatever stands in the other rows, and never beyond 0..1."""
    rows = [row(number) for number in range(10, 60)]
    before = np.tile([0.5, 0.75], (len(rows), 1))
    check = fit_check(rows, MODELS, "cheap", before)
    prompts, answers = ["What is 1 plus 2?", "?"], ["1 + 2 = 3", "no " * 900]
    before = np.array([[1.0, 1.0], [0.0, 0.0]])
    both = check.revise_many(prompts, answers, before)
    assert both[:1] == pytest.approx(check.revise_many(prompts[:1], answers[:1], before[:1]))
    assert both[1:] == pytest.approx(check.revise_many(prompts[1:], answers[1:], before[1:]))
    assert ((both >= 0) & (both <= 1)).all()


def test_signs_that_never_vary_weigh_nothing() -> None:
    """Where all answers are alike, what was expected stays, but for the mean error."""
    rows = [
        Labelled(prompt="p", outcomes={"cheap": Outcome(number % 2, 1.0, "a"), "dear": Outcome(1.0, 9.0)})
        for number in range(20)
    ]
    check = fit_check(rows, MODELS, "cheap", np.tile([0.7, 1.0], (20, 1)))
    assert check.revise_many(["p"], ["a"], np.array([[0.7, 1.0]])) == pytest.approx(np.array([[0.5, 1.0]]))

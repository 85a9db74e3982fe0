"""The shipped predictor as a router that is scored."""

from __future__ import annotations

from farthing.insight.evaluation.learners import LEARNERS
from farthing.insight.learning.labels import Labelled, Outcome


def taught(number: int) -> Labelled:
    """A sum, which the cheap model gets wrong, or a greeting, which it gets right."""
    prompt = f"What is {number} times {number + 7}?" if number % 2 else f"Say hello to guest {number}, please."
    outcomes = {"dear": Outcome(1.0, 10.0), "cheap": Outcome(float(number % 2 == 0), 1.0)}
    return Labelled(prompt=prompt, outcomes=outcomes)


def test_the_predictor_learns_from_rows_and_sees_prompts_alone() -> None:
    """Its columns are the models of the pool in their order; what is recorded of a scored row changes nothing."""
    fitted = LEARNERS["learning"]([taught(number) for number in range(60)], ("cheap", "dear"))
    asked = [Labelled(prompt=taught(number).prompt, outcomes={"cheap": Outcome(0.5, 0.0)}) for number in (100, 101)]
    quality, cost = fitted.predict(asked)
    assert quality.shape == cost.shape == (2, 2)
    assert quality[0, 0] > 0.75
    assert quality[1, 0] < 0.25
    assert (quality[:, 1] > 0.95).all()
    assert cost.round(3).tolist() == [[1.0, 10.0], [1.0, 10.0]]

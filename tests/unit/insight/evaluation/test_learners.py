"""The shipped predictor and check as routers that are scored."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from farthing.embeddings.fake import FakeModel
from farthing.insight.evaluation.learners import CASCADES, LEARNERS, cold, embedding
from farthing.insight.learning.labels import BadLabels, Labelled, Outcome


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


def test_the_check_reads_the_first_answer_alone() -> None:
    """What is recorded of its quality, and of other models, changes nothing."""
    rows = [
        replace(row, outcomes={**row.outcomes, "cheap": replace(row.outcomes["cheap"], response=said)})
        for row in map(taught, range(60))
        for said in ["Sure." if row.outcomes["cheap"].quality else "I am sorry, I cannot tell."]
    ]
    models = ("cheap", "dear")
    check = CASCADES["hybrid"].fit_check(rows, models, "cheap", np.tile([0.5, 1.0], (60, 1)))
    asked = [
        Labelled(prompt="?", outcomes={"cheap": Outcome(quality, 0.0, said)})
        for quality in (0.0, 1.0)
        for said in ("Sure.", "I am sorry, I cannot tell.")
    ]
    found = check.revise(asked, np.tile([0.5, 1.0], (4, 1)))
    assert found[0].tolist() == found[2].tolist()
    assert found[1].tolist() == found[3].tolist()
    assert found[0, 0] > 0.7
    assert found[1, 0] < 0.4


def test_the_cold_router_is_told_nothing_of_the_task_that_is_scored() -> None:
    """Neither its rows nor its prompts; without others there is none."""
    scored = [Labelled(prompt="Hello", outcomes={}, dataset="mine")]
    rows = [replace(taught(number), dataset="theirs") for number in range(60)]
    fitted = cold(rows, scored)(rows, ("cheap", "dear"))
    quality, cost = fitted.predict([taught(101)])
    assert 0 < quality[0, 0] < quality[0, 1] == 1
    assert cost.tolist() == [[1.0, 10.0]]
    for known in ([replace(row, dataset="mine") for row in rows], [replace(row, prompt="hello") for row in rows]):
        with pytest.raises(BadLabels, match="0 rows of other tasks are too few for the cold router"):
            cold(known, scored)


def test_a_router_may_read_embeddings() -> None:
    """What it learns from is embedded once for all parts; what it foretells each time, as in a gateway."""
    model, models = FakeModel(), ("cheap", "dear")
    fit, rows = embedding(model), [taught(number) for number in range(40)]
    for _ in range(2):
        quality, _ = fit(rows, models).predict([taught(100), taught(101)])
        assert quality[0, 0] > 0.75
        assert quality[1, 0] < 0.25
    assert len(model.asked) == 40 + 2 + 2

"""Predictors learn from recorded outcomes what tells prompts apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from farthing.embeddings.fake import FakeModel
from farthing.insight.learning.embedding import Remembered
from farthing.insight.learning.labels import Labelled, Outcome
from farthing.insight.learning.solving import solve
from farthing.insight.learning.training import fit
from farthing.insight.learning.vocabulary import packed, unpacked, vocabulary

NOUNS = ["river", "castle", "garden", "engine", "violin", "planet", "market", "forest", "bridge", "island"]


def rows() -> list[Labelled]:
    """The small model can tell of things and not multiply; the large one can do both, at ten times the price."""
    small, large = Outcome(1.0, 0.001), Outcome(1.0, 0.01)
    told = [Labelled(f"Tell me about the {noun}.", {"small": small, "large": large}) for noun in NOUNS]
    wrong = Outcome(0.0, 0.002)
    sums = [Labelled(f"What is {n} times {n + 7}?", {"small": wrong, "large": large}) for n in range(11, 21)]
    return told + sums


def test_a_predictor_tells_what_the_small_model_can_do() -> None:
    """Prompts that were not seen go by those that they are like, in quality and in cost."""
    predictor = fit(rows())
    easy, hard = predictor.predict("Tell me about the harbour."), predictor.predict("What is 31 times 38?")
    assert easy["small"].quality > 0.7
    assert hard["small"].quality < 0.3
    assert easy["large"].quality == hard["large"].quality == 1
    assert easy["small"].cost < 0.0012
    assert hard["small"].cost > 0.0018
    assert easy["large"].cost == pytest.approx(0.01)


def test_what_embeddings_have_in_common_is_learned() -> None:
    """Where words and traits tell nothing apart; without the embedding it is foretold near the mean."""
    signs = [f"{a}{b}" for a in "bcdfghjk" for b in "aeiou"]
    rows = [Labelled(sign, {"small": Outcome(float(number % 2))}) for number, sign in enumerate(signs)]

    def embed(texts: Sequence[str]) -> NDArray[Any]:
        return np.eye(2, dtype=np.float32)[[signs.index(text) % 2 for text in texts]]

    predictor = fit(rows, embed=embed)
    assert predictor.reads_embeddings
    even, odd = (predictor.predict("xyz", row)["small"].quality for row in np.eye(2, dtype=np.float32))
    assert even < 0.4
    assert odd > 0.6
    assert even < predictor.predict("xyz")["small"].quality < odd


def test_each_text_is_embedded_once() -> None:
    """However often it is asked for, also twice at once."""
    model = FakeModel()
    embed = Remembered(model)
    first, again = embed(["red", "blue", "red"]), embed(["blue", "green"])
    assert model.asked == ["red", "blue", "green"]
    assert first[1].tolist() == again[0].tolist() == FakeModel()(["blue"])[0].tolist()
    assert first[0].tolist() == first[2].tolist()


def test_outcomes_may_be_missing() -> None:
    """Each model goes by the prompts that it was asked; one without costs has none, one never asked has quality 0."""
    half = [
        Labelled(
            row.prompt, {"small": Outcome(row.outcomes["small"].quality)} if number % 2 else {"large": Outcome(0.5)}
        )
        for number, row in enumerate(rows())
    ]
    predictor = fit(half, models=("small", "large", "never"))
    found = predictor.predict("What is 31 times 38?")
    assert predictor.models == ("small", "large", "never")
    assert found["small"].quality < 0.4
    assert found["large"] == pytest.approx((0.5, 0))
    assert found["never"] == (0, 0)


def test_a_predictor_knows_what_it_rests_on() -> None:
    """Many rated answers are near a prompt like those that were seen, few near one that is like none."""
    predictor = fit(rows())
    near, far = predictor.outlook("What is 31 times 38?").near, predictor.outlook("Bonjour, mes amis!").near
    assert near["small"] == near["large"] > 3
    assert far["large"] < 0.5


def test_prompts_of_one_kind_are_near_to_each_other_where_nothing_else_was_rated() -> None:
    """Each of them is then a large part of what there is to go by; each counts for itself, and for what is like it."""
    predictor = fit([Labelled(f"Add {n} and {n + 18}.", {"only": Outcome(1.0)}) for n in range(20)])
    assert predictor.outlook("Add 3 and 21.").near["only"] > 10
    assert predictor.outlook("Tell me about the harbour.").near["only"] < 0.5
    assert fit([Labelled("Hello", {"only": Outcome(1.0)})] * 3).outlook("Hello").near["only"] == pytest.approx(3)


def test_nothing_can_be_learned_of_nothing() -> None:
    """The refusal says what is needed."""
    with pytest.raises(ValueError, match="one prompt at least"):
        fit([])


def test_one_row_is_enough() -> None:
    """What it says is then said of every prompt like it."""
    found = fit([Labelled("Hello", {"only": Outcome(0.25, 0.5)})]).predict("Hello")["only"]
    assert found == pytest.approx((0.25, 0.5))


def test_the_ridge_solution_is_the_exact_one() -> None:
    """Gradients that are steered by each other come to what the normal equations give, output by output."""
    random = np.random.default_rng(5)
    dense, other = (random.normal(size=(40, 6)).astype(np.float32) for _ in range(2))
    values = random.normal(size=(40, 3)).astype(np.float32)
    known = (random.random((40, 3)) < 0.7).astype(np.float32)
    ridge = np.array([0.5, 2, 8], dtype=np.float32)
    found = np.concatenate(solve([sparse.csr_array(dense), other], values, known, ridge))
    both = np.concatenate((dense, other), axis=1)
    for output in range(3):
        seen = known[:, output] > 0
        curved = both[seen].T @ both[seen] + ridge[output] * np.eye(12)
        exact = np.linalg.solve(curved, both[seen].T @ values[seen, output])
        assert found[:, output] == pytest.approx(exact, abs=5e-3)


def test_an_output_that_is_known_of_no_row_has_no_weights() -> None:
    """It does not disturb the others."""
    block = np.eye(3, dtype=np.float32)
    known = np.array([[1, 0]] * 3, dtype=np.float32)
    (weights,) = solve([block], np.ones((3, 2), dtype=np.float32), known, np.ones(2, dtype=np.float32))
    assert weights.tolist() == [[0.5, 0]] * 3


def test_the_vocabulary_comes_with_the_package() -> None:
    """Words that are common stand whole, others in pieces; all have vectors."""
    words = vocabulary()
    assert len(words.numbers) == len(words.vectors) == 30_522
    assert words.vectors.dtype == np.int8
    assert [len(words.pieces_of([word])) for word in ("river", "farthing", "gluons")] == [1, 2, 3]


def test_a_packed_vocabulary_is_the_same_when_unpacked() -> None:
    """Pieces keep their order, vectors their numbers."""
    vectors = np.array([[1, -2], [3, 127]], dtype=np.int8)
    found = unpacked(packed(["a", "##é"], vectors))
    assert dict(found.numbers) == {"a": 0, "##é": 1}
    assert found.vectors.tolist() == vectors.tolist()

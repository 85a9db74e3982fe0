"""What a predictor makes of its weights."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from farthing.domain.routing.learning.embedded import Embedded
from farthing.domain.routing.learning.encoder import Encoder, likeness, unit
from farthing.domain.routing.learning.forest import Forest
from farthing.domain.routing.learning.nearness import Nearness
from farthing.domain.routing.learning.predictor import Forecast, Predictor
from farthing.domain.routing.learning.reading import read
from farthing.domain.routing.learning.terms import PLACES, places_of
from farthing.domain.routing.learning.traits import NAMES
from farthing.domain.routing.learning.vocabulary import Vocabulary

VOCABULARY = Vocabulary({"red": 0, "blue": 1}, np.array([[3, 0], [0, 5]], dtype=np.int8))
RED, BLUE, PAIR = places_of(["red", "blue"])
FOREST = Forest(
    roots=np.array([0, 3], dtype=np.int32),
    asked=np.array([NAMES.index("words"), 0, 0, 0], dtype=np.int32),
    bounds=np.array([1.0, np.inf, np.inf, np.inf], dtype=np.float32),
    children=np.array([1, 1, 2, 3], dtype=np.int32),
    leaves=np.array([0, 0, 1, 2], dtype=np.int32),
    values=np.array([[0, 0, 0, 0], [0.5, 0, 0, 0], [0.25, 0, 0, 0]], dtype=np.float32),
    depth=1,
)
"""One tree asks whether there is more than one word, the other asks nothing."""


def encoder() -> Encoder:
    """Knows two words and not their pair; two landmarks, red and blue."""
    rarity = np.zeros(PLACES, dtype=np.float32)
    rarity[[RED, BLUE]] = 3, 4
    return Encoder(
        rarity=rarity,
        piece_rarity=np.array([1, 2], dtype=np.float32),
        vectors=VOCABULARY.vectors,
        means=np.zeros(len(NAMES), dtype=np.float32),
        scales=np.ones(len(NAMES), dtype=np.float32),
        centre=np.zeros(2, dtype=np.float32),
        traits=np.array([[0] * len(NAMES), [1] * len(NAMES)], dtype=np.float32),
        meanings=np.array([[1, 0], [0, 1]], dtype=np.float32),
    )


NEARNESS = Nearness(
    rarity=np.ones(2, dtype=np.float32),
    vectors=VOCABULARY.vectors,
    centre=np.zeros(2, dtype=np.float32),
    meanings=np.array([[1, 0], [0.4, 0.8]], dtype=np.float32),
    rated=np.array([[8, 0], [2, 6]], dtype=np.float32),
)


def predictor() -> Predictor:
    """Two models; red speaks for the first, likeness to the meaning of blue for the second."""
    of_terms = np.zeros((PLACES, 4), dtype=np.float32)
    of_terms[RED] = 0.25, 0, 1, 0
    of_likeness = np.zeros((4, 4), dtype=np.float32)
    of_likeness[3, 1] = 2.0
    return Predictor(
        models=("small", "large"),
        vocabulary=VOCABULARY,
        encoder=encoder(),
        of_terms=of_terms,
        of_likeness=of_likeness,
        forest=FOREST,
        nearness=NEARNESS,
        means=np.array([0.5, 0.25, 0.0, np.log(2.0)]),
        levels=np.array([1.5, 0.0]),
    )


def test_known_terms_weigh_by_rarity_at_length_one() -> None:
    """3 and 4 make 0.6 and 0.8; the pair, which is not known, is left out."""
    places, weights = encoder().terms(read("red blue", VOCABULARY))
    assert dict(zip(places.tolist(), weights.tolist(), strict=True)) == {
        RED: pytest.approx(0.6),
        BLUE: pytest.approx(0.8),
    }


def test_a_term_that_is_repeated_weighs_by_its_logarithm() -> None:
    """Three times as often counts 1 + ln 3 times."""
    places, weights = encoder().terms(read("red red red blue", VOCABULARY))
    found = dict(zip(places.tolist(), weights.tolist(), strict=True))
    assert found[RED] / found[BLUE] == pytest.approx((1 + np.log(3)) * 3 / 4)


def test_traits_count_up_to_four_deviations() -> None:
    """The squared distance of two prompts is about 1: each trait is divided by the root of twice their number."""
    far = np.full((1, len(NAMES)), 9, dtype=np.float32)
    assert encoder().standard(far)[0, 0] == pytest.approx(4 / np.sqrt(2 * len(NAMES)))


def test_rare_pieces_decide_what_a_prompt_is_about() -> None:
    """Of one red and one blue the rarer blue has 10 against 3."""
    meaning = encoder().meaning([[0, 1], []])
    assert meaning[0].tolist() == pytest.approx([3 / np.hypot(3, 10), 10 / np.hypot(3, 10)])
    assert meaning[1].tolist() == [0, 0]


def test_likeness_falls_with_the_square_of_the_distance() -> None:
    """1 to itself, 1/e at distance 1."""
    found = likeness(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 0.0]]))
    assert found.ravel().tolist() == pytest.approx([1, np.exp(-1)])
    assert unit(np.array([[0.0, 2.0]])).tolist() == [[0, 1]]


def test_a_forest_says_the_mean_of_its_trees() -> None:
    """A tree goes right at what is larger than its bound, left at what equals it."""
    numbers = np.zeros(len(NAMES) + 2, dtype=np.float32)
    assert FOREST.predict(numbers).tolist() == [0.125, 0, 0, 0]
    numbers[NAMES.index("words")] = 1
    assert FOREST.predict(numbers).tolist() == [0.125, 0, 0, 0]
    numbers[NAMES.index("words")] = 2
    assert FOREST.predict(numbers).tolist() == [0.375, 0, 0, 0]


def test_a_forecast_is_the_mean_and_half_of_what_both_halves_add() -> None:
    """Quality stays within 0..1; cost is the exponential at the model's level, 0 where none is known."""
    found = predictor().predict("red")
    alike = np.exp(-2.0)
    assert found["small"] == pytest.approx(Forecast(0.5 + (0.25 + 0.125) / 2, 1.5 * np.sqrt(np.e)))
    assert found["large"] == pytest.approx(Forecast(0.25 + alike, 0))
    assert predictor().predict("blue")["large"].quality == 1


def test_many_are_foretold_as_each_alone() -> None:
    """Rows by models."""
    quality, cost = predictor().predict_many(["red", "blue"])
    assert quality.shape == cost.shape == (2, 2)
    assert quality[1].tolist() == [forecast.quality for forecast in predictor().predict("blue").values()]


def reading() -> Predictor:
    """The same; likeness to the embedding of blue speaks for the first model."""
    plain = predictor()
    of_likeness = np.concatenate((plain.of_likeness, np.array([[0, 0, 0, 0], [0.5, 0, 0, 0]], dtype=np.float32)))
    embeddings = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)
    return replace(plain, encoder=replace(plain.encoder, embeddings=embeddings), of_likeness=of_likeness)


def test_an_embedding_counts_by_its_likeness_to_those_learned_from() -> None:
    """1 to itself, e⁻² to one that has nothing to do with it; without one nothing is added."""
    assert (reading().reads_embeddings, predictor().reads_embeddings) == (True, False)
    blue, red = (np.array(embedding, dtype=np.float32) for embedding in ([0, 1, 0], [1, 0, 0]))
    before = predictor().predict("red")["small"].quality
    assert reading().predict("red")["small"].quality == before
    assert reading().predict("red", blue)["small"].quality == pytest.approx(before + 0.25)
    assert reading().predict("red", red)["small"].quality == pytest.approx(before + 0.25 * np.exp(-2.0))
    quality, _ = reading().predict_many(["red", "red"], np.array([blue, red]))
    assert quality[:, 0].tolist() == pytest.approx([before + 0.25, before + 0.25 * np.exp(-2.0)])


def test_what_is_recalled_of_a_prompt_is_told_the_predictor() -> None:
    """Of another prompt nothing is, and it is foretold without."""
    known = {"red": np.array([0, 1, 0], dtype=np.float32)}
    told = Embedded(reading(), known.get)
    assert told.models == ("small", "large")
    assert told.outlook("red") == reading().outlook("red", known["red"])
    assert told.outlook("blue") == reading().outlook("blue")
    assert (told.outlook("red").is_whole, told.outlook("blue").is_whole) == (True, False)


def test_rated_answers_count_by_how_like_their_prompts_are() -> None:
    """Up to a cosine of 0.2 answers do not count, from there on in proportion, from 0.6 on whole."""
    assert predictor().outlook("red").near == pytest.approx({"small": 8 + 2 * (0.4 - 0.2) / 0.4, "large": 3})
    assert predictor().outlook("blue").near == pytest.approx({"small": 2, "large": 6})


def test_what_prompts_are_alike_in_is_seen_from_the_centre_of_many() -> None:
    """Pieces weigh by how rare they are in these."""
    alike = replace(NEARNESS, rarity=np.array([1, 2], dtype=np.float32)).alike([[0, 1], []])
    assert alike[0].tolist() == pytest.approx([3 / np.hypot(3, 10), (0.4 * 3 + 0.8 * 10) / np.hypot(3, 10)])
    assert alike[1].tolist() == [0, 0]
    away = replace(NEARNESS, centre=np.array([1, 0], dtype=np.float32)).alike([[0], [1]])
    assert away[0].tolist() == [0, 0]
    assert away[1].tolist() == pytest.approx([-(0.5**0.5), 0.4 * 0.5**0.5])

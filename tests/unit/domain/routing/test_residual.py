"""What ratings say of a predictor since it was fitted."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing import strategies_with
from farthing.domain.routing.residual import MOST, TRAITS, Corrected, Residual, traits_of
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import ask, catalogue, model

EXPECTED = {"small": 0.86, "large": 0.9}
WORDS = (
    "explain why",
    "write a",
    "code in",
    "python",
    "prove the theorem",
    "compare",
    "the capital",
    "of France",
    "12",
    "33",
)
PAIR = catalogue(model("small", "simple", 1), model("large", "complex", 10))


def prompts(count: int, seed: int = 7) -> list[str]:
    """Of some words each."""
    random = Random(seed)
    return [" ".join(random.choices(WORDS, k=random.randint(3, 30))) for _ in range(count)]


def served(truth: dict[str, float], *, count: int = 600, seed: int = 7) -> list[str]:
    """The models that answer, every answer being rated 0 or 1, and one of fifty explored."""
    random, residual, chosen = Random(seed), Residual(tuple(EXPECTED)), []
    for number, text in enumerate(prompts(count, seed)):
        foreteller = Corrected(Told(EXPECTED), residual.correction)
        plan = strategies_with(foreteller, rated=often(*EXPECTED), floor=0.05)["learning"].plan(ask(text), PAIR)
        name = plan.models[1 if number % 50 == 0 else 0].name
        chosen.append(name)
        residual.learn(text, name, float(random.random() < truth[name]) - EXPECTED[name])
    return chosen


@pytest.mark.parametrize("seed", [7, 8])
def test_a_cheap_model_that_degrades_loses_its_requests(seed: int) -> None:
    """By 0.4 and without a word of it: after 120 ratings nearly all goes elsewhere."""
    chosen = served({"small": 0.46, "large": 0.9}, seed=seed)
    assert chosen[:20].count("small") == 19
    assert chosen[120:].count("small") <= 60


@pytest.mark.parametrize("seed", [7, 8])
def test_nothing_drifts_where_nothing_has_changed(seed: int) -> None:
    """What ratings scatter by chance corrects nothing: exactly what is explored goes elsewhere."""
    chosen = served(EXPECTED, seed=seed)
    assert chosen.count("large") == 12


def test_without_ratings_nothing_is_corrected() -> None:
    """Nor for a model of which there are none."""
    residual = Residual(("small", "large"))
    assert residual.correction.of("Hello") == {"small": 0.0, "large": 0.0}
    for text in prompts(100):
        residual.learn(text, "small", -0.5)
    found = residual.correction.of("Hello")
    assert -MOST <= found["small"] < -0.2
    assert found["large"] == 0.0


def test_what_is_not_rated_again_is_forgotten() -> None:
    """A model that lost its requests gets another chance, whatever was said of it."""
    residual = Residual(("small", "large"))
    for text in prompts(100):
        residual.learn(text, "small", -0.8)
    before = residual.correction.of("Hello")["small"]
    for text in prompts(1_200, seed=8):
        residual.learn(text, "large", 0.0)
    after = residual.correction.of("Hello")
    assert before < -0.4
    assert after == {"small": 0.0, "large": 0.0}


def test_a_kind_of_prompt_is_told_from_another() -> None:
    """A model that has become bad at code alone is corrected more there than elsewhere."""
    residual, code, poem = Residual(("small",)), "Write a python function ```x```", "Write a poem about the shore"
    for _ in range(150):
        residual.learn(code, "small", -0.8)
        residual.learn(poem, "small", 0.0)
    found = residual.correction
    assert found.of(code)["small"] < found.of(poem)["small"] - 0.2


def test_the_same_ratings_give_the_same_corrections() -> None:
    """So all workers agree."""
    twice = []
    for _ in range(2):
        residual = Residual(("small",))
        for text in prompts(50):
            residual.learn(text, "small", -0.3)
        twice.append(residual.correction)
    assert np.array_equal(twice[0].weights, twice[1].weights)


@given(st.lists(st.tuples(st.text(max_size=200), st.sampled_from(sorted(EXPECTED)), st.floats(-1, 1)), max_size=20))
def test_an_expectation_stays_one(ratings: list[tuple[str, str, float]]) -> None:
    """Within 0..1, whatever was asked and said."""
    residual = Residual(tuple(EXPECTED))
    for text, name, missed in ratings:
        assert len(traits_of(text)) == TRAITS == 18
        residual.learn(text, name, missed)
    corrected = Corrected(Told(EXPECTED), residual.correction)
    assert corrected.models == tuple(EXPECTED)
    for name, found in corrected.outlook("What is Python?").forecasts.items():
        assert 0 <= found.quality <= 1
        assert abs(found.quality - EXPECTED[name]) <= MOST + 1e-9

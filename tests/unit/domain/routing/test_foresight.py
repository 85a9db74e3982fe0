"""What is expected of models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing.foresight import Expected, Foresight, confidence_in
from farthing.domain.routing.plan import Needs
from farthing.domain.tokens import estimate
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, model

TEXT = "What is the capital of Norway?"
WORDS = estimate(TEXT)
NEEDS = Needs(tokens_in=100, tokens_out=250, max_tokens=None)


def cost_of(usd: float, needs: Needs = NEEDS, price: float | None = 1) -> int | None:
    """What a model at so many dollars for a million tokens is expected to cost where its answers have cost `usd`."""
    found = model("m", "simple", price)
    return Foresight(Told({"m": 0.5}, {"m": usd}), often("m")).expect(TEXT, [found], needs)["m"].cost


def test_a_model_with_fewer_than_five_rated_answers_is_not_known() -> None:
    """Nor is one that the predictor does not tell of, whatever was rated of it; the rest are."""
    rated = {"small": 5, "medium": 4, "large": 100}
    foresight = Foresight(Told({"small": 0.8, "medium": 0.9}), rated)
    assert foresight.expect(TEXT, [SMALL, MEDIUM, LARGE], NEEDS).keys() == {"small"}
    assert foresight.knows([MEDIUM, SMALL])
    assert not foresight.knows([MEDIUM, LARGE])


@pytest.mark.parametrize(
    ("near", "confidence"),
    [((10, 10), "high"), ((9.9, 100), "medium"), ((5, 5), "medium"), ((100, 9), "medium"), ((100, 4.9), "low")],
)
def test_confidence_is_that_of_the_model_with_the_fewest_answers_to_such_prompts(
    near: tuple[float, float], confidence: str
) -> None:
    """High from ten of each of the compared models, medium from five."""
    assert confidence_in([Expected(SMALL, 0.5, 1, one) for one in near]) == confidence


@pytest.mark.parametrize(
    ("quality", "near", "interval"),
    [
        (0.7, 0, (0.0, 1.0)),
        (0.5, 100, (0.4038, 0.5962)),
        (0.9, 10, (0.5958, 0.9821)),
        (1.0, 10, (0.7225, 1.0)),
        (0.0, 10, (0.0, 0.2775)),
    ],
)
def test_the_interval_is_wilsons(quality: float, near: float, interval: tuple[float, float]) -> None:
    """Of so many rated answers to such prompts; without any it says nothing."""
    assert Expected(SMALL, quality, 1, near).interval == interval


@given(st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1e6))
def test_the_interval_holds_what_is_expected(quality: float, near: float) -> None:
    """Within 0..1, and narrower with more answers."""
    low, high = Expected(SMALL, quality, 1, near).interval
    assert 0 <= low <= quality + 1e-4
    assert quality - 1e-4 <= high <= 1
    nearer = Expected(SMALL, quality, 1, near + 100).interval
    assert nearer[1] - nearer[0] <= high - low + 1e-4


def test_how_many_answers_speak_for_it_is_told_of_each_model() -> None:
    """As the predictor says."""
    told = Told({"small": 0.8, "large": 0.9})
    told.nearer["large"] = 2.5
    found = Foresight(told, often("small", "large")).expect(TEXT, [SMALL, LARGE], NEEDS)
    assert {name: one.near for name, one in found.items()} == {"small": 100, "large": 2.5}


def test_what_answers_have_cost_is_turned_into_tokens_at_todays_price() -> None:
    """400 tokens of output beyond the prompt's own, for the 100 tokens that this request has."""
    assert cost_of((WORDS + 400) / 1e6) == 500_000


def test_where_no_cost_is_recorded_the_likely_output_of_the_tier_is_expected() -> None:
    """As complexity estimates it; so it is where output is free."""
    assert cost_of(0.0) == 350_000
    assert cost_of(0.5, price=0) == 0


def test_an_unpriced_model_has_no_cost() -> None:
    """Whatever was recorded."""
    assert cost_of(0.5, price=None) is None


def test_expected_output_stays_within_eight_times_of_what_is_likely() -> None:
    """A price that has changed since makes no absurd estimate."""
    assert cost_of(1000.0) == 100_000 + 8 * 250_000
    assert cost_of(1e-9) == 100_000 + 31_000


def test_an_answer_costs_no_more_than_its_limit_allows() -> None:
    """And so many of them so many times that."""
    assert cost_of(1.0, Needs(tokens_in=100, tokens_out=50, max_tokens=50)) == 150_000
    assert cost_of((WORDS + 40) / 1e6, Needs(tokens_in=100, tokens_out=100, max_tokens=50, answers=2)) == 180_000


def test_one_prompt_is_foretold_once() -> None:
    """However often it is asked about in a row, for whatever models."""
    told = Told({"small": 0.8, "large": 0.9})
    foresight = Foresight(told, often("small", "large"))
    found = [foresight.expect(text, [which], NEEDS) for which in (SMALL, LARGE) for text in (TEXT, TEXT, "Hi")]
    assert told.asked == [TEXT, "Hi", TEXT, "Hi"]
    assert [(name, one.quality) for each in found for name, one in each.items()] == [("small", 0.8)] * 3 + [
        ("large", 0.9)
    ] * 3


@given(st.floats(min_value=0, max_value=1e6), st.integers(min_value=1, max_value=10_000))
def test_the_expected_cost_never_leaves_its_bounds(usd: float, tokens_out: int) -> None:
    """Between an eighth of the likely output and eight times that."""
    cost = cost_of(usd, Needs(tokens_in=100, tokens_out=tokens_out, max_tokens=None))
    assert cost is not None
    assert 100_000 + (tokens_out // 8) * 1_000 <= cost <= 100_000 + 8 * tokens_out * 1_000

"""What is known of a prompt before anything is learned."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing import STRATEGIES
from farthing.domain.routing.cold import COLD
from farthing.insight.learning.priors import prior
from tests.unit.domain.routing.samples import THREE, ask


def test_it_is_the_prior_of_the_package() -> None:
    """Whose length alone counts here; the file is made anew by `make train-prior`, which tells both numbers."""
    found = prior()
    assert (COLD.usual, COLD.step) == pytest.approx((found.usual[1], found.steps[1]), abs=1e-4)


def test_a_usual_prompt_keeps_its_score() -> None:
    """Of 180 characters."""
    assert COLD.moved(0.4, 180) == pytest.approx(0.4, abs=0.001)


def test_long_prompts_ask_for_more_and_short_ones_for_less() -> None:
    """Within bounds: the odds are multiplied by exp(1/2) at most."""
    assert COLD.moved(0.5, 10**9) == pytest.approx(1 / (1 + exp(-0.5)))
    assert COLD.moved(0.5, 0) == pytest.approx(1 / (1 + exp(0.5)))


@given(st.floats(0, 1), st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_never_makes_a_prompt_simpler(complexity: float, chars: int, more: int) -> None:
    """But for rounding; and what asks for nothing, or for everything, goes on to do so."""
    fewer, all_of_them = COLD.moved(complexity, chars), COLD.moved(complexity, chars + more)
    assert 0 <= fewer <= all_of_them + 1e-12
    assert all_of_them <= 1 + 1e-12
    assert (COLD.moved(0.0, chars), COLD.moved(1.0, chars)) == (0.0, 1.0)


def test_it_decides_where_nothing_is_learned() -> None:
    """A long list of plain words looks simple by a hair: experience with long prompts says otherwise."""
    text = "word " * 120
    plans = {name: strategy.plan(ask(text), THREE) for name, strategy in STRATEGIES.items()}
    assert {name: plan.tier for name, plan in plans.items()} == {
        "complexity": "simple",
        "learning": "moderate",
        "hybrid": "moderate",
    }

"""docs/routing.md says what the code does."""

import re
from pathlib import Path

import pytest

from farthing.domain.routing import STRATEGIES
from farthing.domain.routing.complexity import (
    COMPLEX_FROM,
    HIGH_CONFIDENCE,
    MEDIUM_CONFIDENCE,
    MODERATE_FROM,
    WEIGHTS,
)
from tests.unit.domain.routing.samples import THREE, ask

PAGE = (Path(__file__).parents[4] / "docs" / "routing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^\| ([^|]+) \| ([a-z]+ [^|]+) \| (0\.\d{4}) \| (simple|moderate|complex) \|$", PAGE, re.MULTILINE
)


def test_the_documented_weights_are_those_of_the_score() -> None:
    """Every part stands in the table, in the same order, with its weight."""
    rows = re.findall(r"^\| ([a-z]+) \| (0\.\d\d) \|", PAGE, re.MULTILINE)
    assert {name: float(weight) for name, weight in rows} == WEIGHTS


def test_the_documented_thresholds_are_those_of_the_tiers() -> None:
    """Tiers and confidence begin where the page says."""
    assert (MODERATE_FROM, COMPLEX_FROM, MEDIUM_CONFIDENCE, HIGH_CONFIDENCE) == (0.25, 0.55, 0.05, 0.15)
    assert "| 0.25 to under 0.55 | moderate | | 0.05 to under 0.15 | medium |" in PAGE
    assert "| under 0.25 | simple | | 0.15 and more | high |" in PAGE


def test_there_are_worked_examples() -> None:
    """The page works at least four prompts through."""
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(("prompt", "parts", "score", "tier"), EXAMPLES)
def test_a_worked_example_comes_out_as_documented(prompt: str, parts: str, score: str, tier: str) -> None:
    """Parts, score and tier of the prompt are those that the page shows."""
    plan = STRATEGIES["complexity"].plan(ask(prompt), THREE)
    shown = {name: float(part) for name, part in (pair.split() for pair in parts.split(", "))}
    assert {name: part for name, part in plan.metadata["parts"].items() if part} == pytest.approx(shown, abs=0.005)
    assert (plan.score, plan.tier) == (float(score), tier)

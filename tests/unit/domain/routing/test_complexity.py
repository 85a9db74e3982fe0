"""The complexity score, its tiers and its confidence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.catalogue import TIERS, Tier
from farthing.domain.routing.complexity import WEIGHTS, Complexity, confidence_of, score, tier_of
from farthing.domain.routing.plan import Confidence
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, THREE, ask, catalogue, model

PARTS = st.lists(st.floats(min_value=0, max_value=1), min_size=len(WEIGHTS), max_size=len(WEIGHTS))


@pytest.mark.parametrize(
    ("text", "tiers"),
    [
        ("hi", "simple"),
        ("What is Python?", "simple"),
        ("What is the capital of Norway?", "simple"),
        ('Translate "good morning" into French.', "simple"),
        ("Was ist die Hauptstadt von Norwegen?", "simple"),
        ("¿Cuál es la capital de Noruega?", "simple"),
        ("什么是Python?", "simple"),
        ("日本の首都はどこですか?", "simple"),
        ("Explain async/await", "simple moderate"),
        ("Compare PostgreSQL and MySQL.", "moderate"),
        ("Solve x^2 - 5x + 6 = 0 and explain each step.", "moderate"),
        ("Vergleiche PostgreSQL und MySQL.", "moderate"),
        ("Prove that there are infinitely many primes.", "complex"),
        ("Refactor this function to remove the duplication.", "complex"),
        ("Design a distributed rate limiter for a public API.", "complex"),
        ("Beweise, dass die Wurzel aus 2 irrational ist.", "complex"),
        ("Démontrez que racine de 2 est irrationnel.", "complex"),
        ("Demuestra que la raíz de 2 es irracional.", "complex"),
        ("Докажите, что корень из двух иррационален.", "complex"),
        ("证明素数有无穷多个。", "complex"),
        ("素数が無限に存在することを証明してください。", "complex"),
    ],
)
def test_prompts_find_the_tier_a_person_would_choose(text: str, tiers: str) -> None:
    """Questions of fact are simple, comparisons moderate, proofs, designs and refactorings complex, in any language."""
    assert Complexity().plan(ask(text), THREE).tier in tiers.split()


def test_the_score_is_one_minus_the_product_of_what_each_part_leaves() -> None:
    """A part alone reaches its weight, two parts add without coming to more than 1."""
    alone = {name: score([float(name == other) for other in WEIGHTS]) for name in WEIGHTS}
    assert alone == pytest.approx(WEIGHTS)
    assert score([0.0] * 8) == 0.0
    assert score([0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]) == pytest.approx(1 - 0.7 * 0.5)
    assert score([1.0] * 8) == pytest.approx(1 - 0.4 * 0.65 * 0.5 * 0.35 * 0.75 * 0.85 * 0.7 * 0.6)


@given(PARTS, st.integers(min_value=0, max_value=len(WEIGHTS) - 1), st.floats(min_value=0, max_value=1))
def test_more_of_any_part_never_lowers_the_score(parts: list[float], place: int, more: float) -> None:
    """The score stays within 0..1 and rises with each part."""
    raised = [*parts[:place], max(parts[place], more), *parts[place + 1 :]]
    assert 0.0 <= score(parts) <= score(raised) + 1e-12 <= 1.0


@pytest.mark.parametrize(
    ("complexity", "tier", "confidence"),
    [
        (0.0, "simple", "high"),
        (0.1, "simple", "high"),
        (0.11, "simple", "medium"),
        (0.19, "simple", "medium"),
        (0.21, "simple", "low"),
        (0.2499, "simple", "low"),
        (0.25, "moderate", "low"),
        (0.31, "moderate", "medium"),
        (0.4, "moderate", "high"),
        (0.49, "moderate", "medium"),
        (0.5499, "moderate", "low"),
        (0.55, "complex", "low"),
        (0.61, "complex", "medium"),
        (0.71, "complex", "high"),
        (1.0, "complex", "high"),
    ],
)
def test_tiers_begin_at_their_thresholds_and_confidence_grows_with_the_distance(
    complexity: float, tier: Tier, confidence: Confidence
) -> None:
    """The nearer the score is to a threshold, the less sure the tier."""
    assert tier_of(complexity) == tier
    assert confidence_of(complexity) == confidence


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Good morning to you", "Simple: 4 words, no code or mathematics; small is the cheapest of 3 capable models."),
        ("Give me 7 names", "Simple: 3 words, little code or mathematics; small is the cheapest of 3 capable models."),
        ("What is Python?", "Simple: 3 words with code; small is the cheapest of 3 capable models."),
        ("Compare Norway and Sweden.", "Moderate: 4 words with reasoning; medium is the cheapest of 2 capable models."),
        (
            "Prove this theorem on the convergence of sums; exactly and strictly.",
            "Complex: 11 words with reasoning, mathematics and constraints; large is the only capable model.",
        ),
        (
            "证明",
            "Complex: 2 characters with reasoning and a language other than English; large is the only capable model.",
        ),
    ],
)
def test_the_reason_says_what_was_seen_and_why_the_model(text: str, reason: str) -> None:
    """One sentence names the tier, the extent, the strongest parts and the choice."""
    assert Complexity().plan(ask(text), THREE).reason == reason


def test_a_plan_tells_its_score_and_every_part() -> None:
    """What decided can be recomputed from the plan."""
    plan = Complexity().plan(ask("Compare Python and Rust."), THREE)
    assert plan.strategy == "complexity"
    assert plan.score == 0.3895
    assert plan.confidence == "medium"
    assert plan.models == (MEDIUM, LARGE)
    assert plan.metadata == {
        "decided_by": "complexity",
        "parts": dict.fromkeys(WEIGHTS, 0.0) | {"reasoning": 0.4, "code": 0.5},
        "thresholds": {"moderate": 0.25, "complex": 0.55},
    }
    assert score(plan.metadata["parts"].values()) == pytest.approx(plan.score, abs=1e-4)


def test_a_new_catalogue_is_used_at_once() -> None:
    """A strategy that has decided on one catalogue decides on the next by that one alone."""
    strategy = Complexity()
    cheaper = model("cheaper", "simple", 0.01)
    assert strategy.plan(ask("hi"), THREE).models[0] == SMALL
    assert strategy.plan(ask("hi"), catalogue(SMALL, cheaper)).models == (cheaper, SMALL)
    assert strategy.plan(ask("hi"), THREE).models[0] == SMALL


@given(st.text())
def test_the_same_question_gets_the_same_plan(text: str) -> None:
    """A decision depends on nothing but the request and the catalogue, and always names a tier."""
    plan = Complexity().plan(ask(text), THREE)
    assert plan == Complexity().plan(ask(text), THREE)
    assert plan.tier in TIERS

"""What kind of thing prompts ask for."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing.patterns import Pattern, pattern_of


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Write a Python function that reverses a string.", "code"),
        ("Why does this fail?\n```\nx = 1\n```", "code"),
        ("Refactor this class so that the method is shorter.", "code"),
        ("Schreibe eine Funktion in Rust.", "code"),
        ("Prove that there are infinitely many primes.", "reasoning"),
        ("Ann has 12 apples and gives half to each of 2 friends. How many remain?", "reasoning"),
        ("Beweise, dass die Wurzel aus 2 irrational ist.", "reasoning"),
        ("Write a short poem about the sea.", "creative"),
        ("Erzähle eine Geschichte vom Meer.", "creative"),
        ("Compare PostgreSQL and MySQL.", "analysis"),
        ("Summarize the strengths and weaknesses of this plan.", "analysis"),
        ("Explain photosynthesis to a child.", "explanation"),
        ("Why is the sky blue?", "explanation"),
        ("How does a steam engine work?", "explanation"),
        ("Pourquoi le ciel est-il bleu ?", "explanation"),
        ("What is the capital of Norway?", "factual"),
        ("Who wrote Faust?", "factual"),
        ("Wann wurde Rom gegründet?", "factual"),
        ("Hello there", "general"),
        ("", "general"),
        ("42", "general"),
    ],
)
def test_prompts_have_the_pattern_a_person_would_name(text: str, pattern: Pattern) -> None:
    """By their words, in several languages."""
    assert pattern_of(text) == pattern


def test_a_long_text_is_read_at_both_ends() -> None:
    """What is asked stands before or after it."""
    long = "lorem ipsum " * 1_000
    assert pattern_of(f"Summarize and compare: {long}") == "analysis"
    assert pattern_of(f"{long} Summarize and compare.") == "analysis"
    assert pattern_of(f"{long} Summarize and compare. {long}") == "general"


def test_a_word_that_is_repeated_counts_once() -> None:
    """Else the longer text would always be the surer one."""
    assert pattern_of("total total total") == "reasoning"
    assert pattern_of("the total total") == "general"


@given(st.text())
def test_every_text_has_a_pattern(text: str) -> None:
    """One of seven."""
    assert pattern_of(text) in get_args(Pattern)

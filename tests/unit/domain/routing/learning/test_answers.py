"""Signs that an answer may be wrong."""

from __future__ import annotations

from math import isfinite, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.routing.learning.answers import NAMES, signs_of, sums_in

PROMPT = "Ada buys 3 books for $4 each and a pen for $1.50. What does she pay?"


def told(answer: str, prompt: str = PROMPT) -> dict[str, float]:
    """The signs by their names."""
    return dict(zip(NAMES, signs_of(prompt, answer), strict=True))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 * 4 = 12", (1, 0)),
        ("3*4+1=13 and 3 * 4 + 1 = 15", (1, 1)),
        ("10 - 2 x 3 = 4", (1, 0)),
        ("1,200 / 3 = 400.", (1, 0)),
        ("1 / 3 = 0.33", (1, 0)),
        ("5% x 200 = 10", (1, 0)),
        ("2 \u00d7 3 \u00f7 4 = 1.5", (1, 0)),
        ("6 / 0 = 0", (0, 1)),
        ("4 = 4, 2 + 2, 2 + = 3, 5 6 + 1 = 7", (1, 0)),
        ("(2 + 3) * 4 = 20", (0, 0)),
        ("1 + 1 = 2 + 3 = 5", (1, 0)),
        ("x = 5 and 7 boxes = 8", (0, 0)),
        ("2 + 2 =", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_sums_are_checked(text: str, found: tuple[int, int]) -> None:
    """Right to the rounding that people do; what is no plain sum is not counted."""
    assert sums_in(text) == found


def test_working_marks_are_read_through() -> None:
    """Currency signs and a calculator's notes stand in no sum's way."""
    found = told("She pays 3 x $4 = $<<3*4=12>>12 and 12 + 1.50 = $13.50.")
    assert (found["sums"], found["wrong sums"]) == (log1p(2), 0.0)
    assert found["share of wrong sums"] == 0.0


def test_figures_are_compared_with_the_prompt() -> None:
    """A number that was left unused, a result that only repeats the question, one with many decimals."""
    found = told("The result is 12.125.")
    assert found["numbers of the prompt unused"] == log1p(3)
    assert found["share of them"] == 1.0
    assert (found["last number"], found["decimals of the last number"]) == (log1p(12.125), 3.0)
    assert (found["last number is whole"], found["fractions"], found["new numbers"]) == (0.0, log1p(1), log1p(1))
    repeated = told("3, so 4, so 4")
    assert (repeated["last number is the prompt's"], repeated["last number repeated"]) == (1.0, 1.0)
    assert repeated["last number to the prompt's largest"] == 0.0


@pytest.mark.parametrize(
    ("answer", "sign"),
    [
        ("I am sorry, I cannot tell.", "refusal"),
        ("It might be about three.", "hedging"),
        ("She pays for the", "unfinished"),
        ("Three.\nThree.", "repeated lines"),
        ("```\nprint(3)\n```", "program"),
        ("If so, then three.", "supposition"),
        ("Thus three.", "conclusion"),
        ("Three?", "question"),
        ("3 - 5 = -2", "negative results"),
        ("Three.", "no number"),
    ],
)
def test_wording_tells(answer: str, sign: str) -> None:
    """Each sign is there in an answer that has it, and not in a plain one."""
    assert told(answer)[sign] > 0
    assert told("She pays 13.5 dollars.")[sign] == 0


def test_an_empty_answer_has_signs_too() -> None:
    """Nothing is divided by nothing."""
    found = told("", "")
    assert (found["no number"], found["unfinished"], found["lines"], found["last line"]) == (1.0, 1.0, 0.0, 0.0)


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_answer_gives_finite_numbers(prompt: str, answer: str) -> None:
    """Whatever it holds, one for each name."""
    found = signs_of(prompt, answer)
    assert len(found) == len(NAMES)
    assert all(map(isfinite, found))


@pytest.mark.parametrize(
    "answer", ["9" * 5_000, "9" * 400 + " * 9 = 1", "1 / 0.0 = 1", "-" * 5_000, "1+" * 3_000 + "1=1"]
)
def test_numbers_of_any_length_are_read(answer: str) -> None:
    """They count as at most a trillion, and take no time to speak of."""
    assert all(map(isfinite, signs_of(answer, answer)))

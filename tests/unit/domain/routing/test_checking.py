"""What two answers come to, and what a model says of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.catalogue import Model
from farthing.domain.chat import ChatRequest, Message, ResponseFormat, Text
from farthing.domain.routing.checking import agreement, check_for, final_answer, read_probability, self_check

ASKED = ChatRequest(model="auto", messages=(Message("user", (Text("Capital of France?"),)),), user="u")
PLAIN = Model(name="m", provider="v", upstream="m", dialect="openai", tier="simple")
THINKS = replace(PLAIN, capabilities=frozenset({"reasoning"}))


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("Paris", "paris"),
        (" **Paris.** \n", "paris"),
        ("(B)", "b"),
        ("$1,234,567.50.", "1234567.5"),
        ("3.00", "3"),
        ("100", "100"),
        ("-5 %", "-5 %"),
        ("Step 1.\nStep 2.\n#### 1,000", "1000"),
        ("So we get \\boxed{42}.", "42"),
        ("First we add.\nThe answer is 7.", "7"),
        ("We add.\nFinal answer: **(C)**", "c"),
        ("So the answer is plain. Answer: 7", "7"),
        ("The answer is 6 + 1.\nThe final answer is 7.", "7"),
        ("The answer is 7.\n" + "Or so it seems. " * 20, None),
        ("One line.\nAnother line.", None),
        ("x" * 81, None),
        ("...", None),
        ("", None),
    ],
)
def test_a_final_answer_is_what_a_reader_takes_away(text: str, final: str | None) -> None:
    """Without capitals, marks and what groups digits; a longer text has one where it says so at its end."""
    assert final_answer(text) == final


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        ("Paris.", "paris", 1.0),
        ("7", "So:\n#### 7.0", 1.0),
        ("Paris", "Lyon", 0.0),
        ("Paris", "x\ny", 0.0),
        ("", "", 0.0),
    ],
)
def test_two_answers_agree_that_come_to_the_same(first: str, second: str, score: float) -> None:
    """And that come to anything."""
    assert agreement(first, second) == score


@given(st.text(max_size=200))
def test_an_answer_agrees_with_itself(text: str) -> None:
    """Where it comes to anything."""
    assert agreement(text, text) == (final_answer(text) is not None)


def test_short_answers_are_checked_by_another_if_that_could_differ() -> None:
    """Long ones, and those that come out alike each time, by the model's doubt."""
    assert check_for(ASKED, "Paris") == "agreement"
    assert check_for(replace(ASKED, temperature=0.7), "Paris") == "agreement"
    assert check_for(replace(ASKED, temperature=0.0), "Paris") == "self_check"
    assert check_for(replace(ASKED, seed=1), "Paris") == "self_check"
    assert check_for(ASKED, "First.\nSecond.") == "self_check"


def test_a_self_check_goes_on_with_the_conversation() -> None:
    """So that the vendor's prompt cache serves it; the caller's wishes for the answer are not the check's."""
    chat = replace(ASKED, temperature=0.3, stream=True, response_format=ResponseFormat("json_object"), max_tokens=9)
    question = self_check(chat, "Paris", PLAIN)
    assert question.messages[:2] == (*ASKED.messages, Message("assistant", (Text("Paris"),)))
    assert [message.role for message in question.messages] == ["user", "assistant", "user"]
    assert question == replace(ASKED, model="m", messages=question.messages, max_tokens=16)


def test_a_model_that_thinks_is_given_room_for_it() -> None:
    """Else it would say nothing."""
    question = self_check(ASKED, "Paris", THINKS)
    assert (question.max_tokens, question.reasoning_effort) == (512, "low")


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ("87", 0.87),
        (" 87% ", 0.87),
        ("I am 99.5 % sure.", 0.995),
        ("0", 0.0),
        ("100", 1.0),
        ("101", None),
        ("-5", None),
        ("5 of 10", None),
        ("Certainly!", None),
        ("", None),
    ],
)
def test_a_probability_is_one_number(said: str, score: float | None) -> None:
    """Of per cent; anything else is none."""
    assert read_probability(said) == score

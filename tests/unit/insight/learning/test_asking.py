"""Questions that are asked again tell of earlier answers, and programs' questions do not."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.insight.learning.asking import MOST_ASKED, SOONEST_US, WITHIN_US, asked_again
from farthing.ports.learning import Lesson, Remark

SECOND_US = 1_000_000
QUESTION = "How do I sort a list of names in Python?"


def asked(name: str, at_s: float, **changes: Any) -> Lesson:
    """A question of Ann's that is answered within a second."""
    at_us = round(at_s * SECOND_US)
    fields: dict[str, Any] = {
        "request_id": name,
        "created_at_us": at_us,
        "tenant": "acme",
        "model": "small",
        "prompt": QUESTION,
        "cost": 1,
        "asker": "user ann",
        "context": "same",
        "answered_us": at_us + SECOND_US,
    }
    return Lesson(**{**fields, **changes})


FIRST = asked("first", 0)


def told(*known: Lesson) -> list[str]:
    """The requests whose answers the last of these speaks against."""
    return [remark.request_id for remark in asked_again(known[-1:], known)]


@pytest.mark.parametrize("prompt", [QUESTION, f"Please, {QUESTION}"])
def test_asking_again_speaks_against_the_answer(prompt: str) -> None:
    """Weakly: two of five, by nobody in particular, whether the words are the same or nearly."""
    again = asked("again", 10, prompt=prompt)
    mark = Remark(request_id="first", tenant="acme", principal="implicit", grade=2, source="implicit")
    assert asked_again([again], [FIRST, again]) == [mark]


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "Who wrote the novel about the white whale?"},
        {"context": "other"},
        {"asker": "user bob"},
        {"asker": "session ann"},
        {"tenant": "bolt"},
    ],
)
def test_another_question_says_nothing(changes: dict[str, Any]) -> None:
    """Nor does the same one after other messages, by another person, or of another tenant."""
    assert told(FIRST, asked("again", 10, **changes)) == []


@pytest.mark.parametrize(
    ("gap_us", "speaks"),
    [(SOONEST_US - 1, False), (SOONEST_US, True), (WITHIN_US, True), (WITHIN_US + 1, False), (-1, False)],
)
def test_a_person_asks_again_soon_but_not_at_once(gap_us: int, speaks: bool) -> None:
    """Between two seconds and two minutes after the end of the answer."""
    again = asked("again", (SECOND_US + gap_us) / SECOND_US)
    assert told(FIRST, again) == (["first"] if speaks else [])


def test_the_last_answer_is_meant() -> None:
    """Of two that were thrown away, each new question speaks against the one before it."""
    again, once_more = asked("again", 10), asked("more", 20)
    assert told(FIRST, again, once_more) == ["again"]
    known = [FIRST, again, once_more]
    assert [remark.request_id for remark in asked_again([again, once_more], known)] == ["first", "again"]


def test_programs_are_not_listened_to() -> None:
    """Who asks something else right after an answer, or more than a person can, tells nothing by asking again."""
    other = asked("other", 9.5, prompt="Who wrote the novel about the white whale?")
    assert told(FIRST, other, asked("again", 11)) == []
    many = [asked(f"number-{number}", 3 * number) for number in range(MOST_ASKED + 1)]
    assert told(*many) == [f"number-{MOST_ASKED - 1}"]
    assert told(*many, asked("again", 3 * MOST_ASKED + 3)) == []


def test_what_came_later_is_not_looked_at() -> None:
    """Lessons are written in the order in which answers end."""
    assert [remark.request_id for remark in asked_again([FIRST], [FIRST, asked("later", 5)])] == []

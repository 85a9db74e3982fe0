"""What is remembered of questions and answers that come again."""

from __future__ import annotations

import msgspec
import pytest

from farthing.dialects import INBOUND, UPSTREAM
from farthing.dialects.readings import LONGEST_ANSWER, LONGEST_QUESTION, Readings, read_kept
from farthing.domain.cachekey import identity
from farthing.domain.errors import InvalidRequest

OPENAI, NATIVE = INBOUND["openai"], INBOUND["native"]
PLACE = {"tenant": "t", "arm": None, "route": "/r", "model": "m"}


def question(text: str) -> bytes:
    """A body that both dialects take."""
    return msgspec.json.encode({"model": "m", "prompt": text, "messages": [{"role": "user", "content": text}]})


def answer(text: str) -> bytes:
    """A whole answer."""
    return msgspec.json.encode({"id": "x", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]})


def test_a_reading_is_what_the_dialect_reads() -> None:
    """Tree, request, extras and identity are those of the body."""
    body = question("why?")
    reading = Readings().of(NATIVE, body)
    assert reading.tree == msgspec.json.decode(body)
    assert reading.chat == NATIVE.read_request(reading.tree)
    assert reading.extras == {"tokenizer_id": None, "experiment_id": None, "user_id": None}
    for tenant in ("t", "t", "u", "t"):
        place = PLACE | {"tenant": tenant}
        assert reading.identity(**place) == identity(reading.tree, **place)  # type: ignore[arg-type]


def test_a_kept_question_is_not_read_again() -> None:
    """Only those that were kept, and each dialect reads for itself."""
    readings, body = Readings(), question("why?")
    first = readings.of(OPENAI, body)
    assert readings.of(OPENAI, body) is not first
    readings.keep(OPENAI, first)
    readings.keep(OPENAI, readings.of(OPENAI, body))
    assert readings.of(OPENAI, bytes(bytearray(body))) is first
    assert readings.of(OPENAI, body + b" ") is not first
    assert readings.of(NATIVE, body).chat != first.chat


def test_the_oldest_question_makes_room() -> None:
    """No more than so many are known."""
    readings = Readings(most=2)
    kept = [readings.of(OPENAI, question(text)) for text in "abc"]
    for reading in kept:
        readings.keep(OPENAI, reading)
    assert [readings.of(OPENAI, reading.body) is reading for reading in kept] == [False, True, True]


def test_long_questions_are_not_kept() -> None:
    """They would take more room than they save."""
    readings = Readings()
    short, long = (readings.of(OPENAI, question("?").ljust(LONGEST_QUESTION + more)) for more in (0, 1))
    for reading in (short, long):
        readings.keep(OPENAI, reading)
    assert readings.of(OPENAI, short.body) is short
    assert readings.of(OPENAI, long.body) is not long


def test_what_is_refused_is_refused_each_time() -> None:
    """A body that cannot be read leaves nothing behind."""
    readings = Readings()
    for _ in range(2):
        with pytest.raises(InvalidRequest):
            readings.of(OPENAI, b"{}")


def test_a_kept_answer_is_read_once() -> None:
    """It is what its dialect makes of it; a long one is read each time."""
    body = answer("a")
    completion, relayed = read_kept("openai", body)
    assert (completion, relayed) == UPSTREAM["openai"].read_whole(body)
    assert read_kept("openai", body)[0] is completion
    long = answer("a" * LONGEST_ANSWER)
    assert read_kept("openai", long)[0] == UPSTREAM["openai"].read_completion(long)
    assert read_kept("openai", long)[0] is not read_kept("openai", long)[0]

"""Token estimates stay close to what a real tokenizer counts."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.chat import (
    ChatRequest,
    Choice,
    Completion,
    Image,
    Message,
    Reasoning,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from farthing.domain.holding import KNOWN_ERROR
from farthing.domain.tokens import (
    IMAGE_TOKENS,
    LOW_DETAIL_IMAGE_TOKENS,
    MESSAGE_TOKENS,
    MOST_MESSAGE_TOKENS,
    TOOLS_TOKENS,
    estimate,
    estimate_completion,
    estimate_request,
    last_user_text,
    measure,
    sampled,
    weigh,
)
from farthing.domain.vision import MOST_TOKENS

ROWS = json.loads((Path(__file__).parents[2] / "golden" / "tokens.json").read_text(encoding="utf-8"))["rows"]
COUNTED = [(row["tokens"], row["error"], row["text"]) for row in ROWS]


def request(*messages: Message, **more: object) -> ChatRequest:
    """A request of these messages."""
    return ChatRequest(model="auto", messages=messages, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("counted", "error", "text"), COUNTED)
def test_an_estimate_is_near_the_count_of_a_tokenizer(counted: int, error: float, text: str) -> None:
    """Prose, program text and other scripts are estimated within their bound."""
    assert estimate(text) == pytest.approx(counted, rel=error)


def test_estimates_of_many_texts_even_out() -> None:
    """Over all examples together the estimate is within 5%."""
    assert sum(estimate(text) for *_, text in COUNTED) == pytest.approx(sum(count for count, *_ in COUNTED), rel=0.05)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("hello", 1), ("\ud800", 1), ("\ue000", 1), (chr(0xFF0C) * 4, 3), ("👍", 2)]
)
def test_the_smallest_texts(text: str, tokens: int) -> None:
    """Nothing is no token; a letter, half a surrogate pair, a full-width comma or an emoji is counted."""
    assert estimate(text) == tokens


@pytest.mark.parametrize("row", ROWS)
def test_what_other_tokenizers_count_is_bounded(row: dict[str, Any]) -> None:
    """By the bytes in every script, and in English, program text and JSON by the known error of the estimate."""
    most = max(row["tokens"], *row["others"].values())
    assert most <= len(row["text"].encode())
    if row["text"].isascii():
        assert most <= KNOWN_ERROR * estimate(row["text"])


@given(st.text(max_size=300))
def test_any_text_has_an_estimate_within_its_bytes(text: str) -> None:
    """An estimate is never negative and never over the bytes of the text, which is the most a tokenizer can count."""
    assert bool(text) <= estimate(text) <= len(text.encode("utf-8", "surrogatepass")) + 1


@pytest.mark.parametrize("length", [2_048, 2_049, 5_000, 123_457])
def test_a_long_text_is_weighed_by_samples_from_its_whole_length(length: int) -> None:
    """Half prose and half digits give the mean of both, whichever half comes first."""
    prose = ("the quick brown fox jumps over the lazy dog " * (length // 44 + 1))[: length // 2]
    digits = ("31415 " * (length // 6 + 1))[: length - length // 2]
    whole = estimate(prose) + estimate(digits)
    assert estimate(prose + digits) == pytest.approx(whole, rel=0.12)
    assert estimate(digits + prose) == pytest.approx(whole, rel=0.12)


@pytest.mark.parametrize(("text", "tokens"), [("\U0001f44d", 2), ("7", 1), ("\n", 0.5), ("\u6f22", 0.75)])
def test_the_heaviest_text_is_weighed_to_its_end(text: str, tokens: float) -> None:
    """However many characters that weigh much follow each other."""
    assert [weigh(text * times) for times in (0, 81, 82, 328, 70_000)] == [
        tokens * times for times in (0, 81, 82, 328, 70_000)
    ]


def test_a_request_counts_its_messages_and_their_marks() -> None:
    """Each message adds its text and the tokens that vendors put around it."""
    text = "What is the difference between a list and a tuple?"
    assert estimate_request(request(Message("user", (Text(text),)))) == 11 + MESSAGE_TOKENS


def test_a_picture_counts_as_a_picture_however_large_its_bytes() -> None:
    """Base64 is never read as text."""
    small = Image(media_type="image/png", data="A" * 10)
    large = Image(media_type="image/png", data="A" * 1_000_000)
    # The beginning of a PNG of 1,000 by 1,000 pixels.
    known = Image(media_type="image/png", data="iVBORw0KGgoAAAANSUhEUgAAA+gAAAPoCAYAAAAA")
    assert estimate_request(request(Message("user", (known,)))) == 1_296 + MESSAGE_TOKENS
    low = Image(url="https://example.org/a.png", detail="low")
    assert estimate_request(request(Message("user", (small,)))) == IMAGE_TOKENS + MESSAGE_TOKENS
    assert estimate_request(request(Message("user", (large,)))) == IMAGE_TOKENS + MESSAGE_TOKENS
    assert estimate_request(request(Message("user", (low,)))) == LOW_DETAIL_IMAGE_TOKENS + MESSAGE_TOKENS


def test_tools_and_schemas_count() -> None:
    """What a model reads of tools, their use and an asked-for schema is part of the input."""
    bare = request(Message("user", (Text("Weather?"),)))
    schema = {"type": "object", "properties": {"city": {"type": "string", "description": "Where to look."}}}
    with_tool = request(*bare.messages, tools=(Tool("weather", "Looks up the weather.", schema), Tool("time")))
    with_schema = request(*bare.messages, response_format=ResponseFormat("json_schema", schema=schema))
    used = request(
        *bare.messages,
        Message("assistant", (Reasoning("It asks for the weather."), ToolCall("1", "weather", '{"city": "Oslo"}'))),
        Message("tool", (ToolResult("1", "Sunny, 21 degrees"),)),
    )
    assert [estimate_request(chat) for chat in (bare, with_tool, with_schema, used)] == [6, 49, 32, 34]


def test_a_completion_counts_text_thinking_and_tool_calls() -> None:
    """Everything the model wrote is output, of every choice."""
    said = Choice((Text("The answer is four."),), "stop")
    thought = Choice((Reasoning("Two and two."), ToolCall("1", "add", '{"a": 2, "b": 2}')), "tool_calls")
    assert estimate_completion(Completion(id="1", model="m", choices=(said,))) == 5
    assert estimate_completion(Completion(id="1", model="m", choices=(said, thought))) == 17
    assert estimate_completion(Completion(id="1", model="m", choices=())) == 0


def test_the_last_text_of_a_user_is_what_is_asked() -> None:
    """Answers, tool results and pictures after it do not hide the question."""
    messages = (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("First"),)),
        Message("user", (Text("Second"), Text("question"))),
        Message("assistant", (ToolCall("1", "look", "{}"),)),
        Message("tool", (ToolResult("1", "seen"),)),
        Message("user", (Image(url="https://example.org/a.png"),)),
    )
    assert last_user_text(messages) == "Second\nquestion"
    assert last_user_text(messages[:2]) == "First"
    assert last_user_text(messages[:1]) == ""


def test_no_vendor_counts_more_tokens_than_a_text_has_bytes() -> None:
    """With room for the marks around each message, and for what is told of tools out of sight."""
    asked = request(Message("user", (Text("grün 👍"),)), Message("user", (Text("x"),)))
    assert measure(asked).most == len("grün 👍\nx".encode()) + 2 * MOST_MESSAGE_TOKENS
    with_tool = replace(asked, tools=(Tool("look"),))
    assert measure(with_tool).most == len("grün 👍\nx\nlook\n\n".encode()) + 3 * MOST_MESSAGE_TOKENS + TOOLS_TOKENS


def test_the_most_of_a_picture_goes_by_its_size_alone() -> None:
    """What no size is known of is one of the largest, and its characters are no text."""
    known = Image(media_type="image/png", data="iVBORw0KGgoAAAANSUhEUgAAA+gAAAPoCAYAAAAA", detail="low")
    far = Image(url="https://example.org/a.png", detail="low")
    seen = measure(request(Message("user", (known, far))))
    assert (seen.most, seen.picture_chars) == (1_296 + MOST_TOKENS + MOST_MESSAGE_TOKENS, 40)
    assert seen.has_pictures
    assert measure(request(Message("user", (Text("x"),)))).picture_chars == 0


def test_a_text_that_was_weighed_whole_is_not_estimated_again() -> None:
    """Only of long ones a sample would be weighed: where spaces lie just there, that misses nearly everything."""
    piece, stride = 256, 2_000
    arranged = "".join((" " * piece).ljust(stride, "7") for _ in range(8))[: 7 * stride + piece]
    long = request(Message("user", (Text(arranged),)))
    assert sampled(long) == arranged
    assert measure(long).tokens < len(arranged) / 5
    assert measure(replace(long, weighed=12_345)).tokens == 12_345 + MESSAGE_TOKENS
    assert sampled(replace(long, weighed=12_345)) is None
    assert sampled(request(Message("user", (Text("short"),)))) is None

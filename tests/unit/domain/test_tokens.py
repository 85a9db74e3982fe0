"""Token estimates stay close to what a real tokenizer counts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from farthing.domain.tokens import (
    IMAGE_TOKENS,
    LOW_DETAIL_IMAGE_TOKENS,
    MESSAGE_TOKENS,
    estimate,
    estimate_completion,
    estimate_request,
    last_user_text,
)

COUNTED = [
    (row["tokens"], row["error"], row["text"])
    for row in json.loads((Path(__file__).parents[2] / "golden" / "tokens.json").read_text(encoding="utf-8"))["rows"]
]


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

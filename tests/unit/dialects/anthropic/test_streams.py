"""Streams of the Messages API, read and written."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from farthing.dialects import sse
from farthing.dialects.anthropic import Anthropic
from farthing.dialects.base import Event, Piece, ReplyFacts
from farthing.domain.chat import (
    ChatRequest,
    Completed,
    Delta,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from farthing.domain.errors import (
    UpstreamError,
    UpstreamInterrupted,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamTimeout,
)

DIALECT = Anthropic()
CHAT = ChatRequest(model="m", messages=(), stream=True)
FACTS = ReplyFacts(request_id="r-1", created_s=1)
STOP = {"type": "message_stop"}


def event(data: dict[str, Any]) -> Event:
    """The event that holds this data."""
    text = msgspec.json.encode(data)
    return Event(data["type"].encode(), text, sse.frame(text, data["type"].encode()))


def start(**usage: int) -> dict[str, Any]:
    """A stream's first event."""
    return {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": usage}}


def block(content: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """The beginning of a block."""
    return {"type": "content_block_start", "index": index, "content_block": content}


def change(delta: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """More of a block."""
    return {"type": "content_block_delta", "index": index, "delta": delta}


def stop(index: int = 0) -> dict[str, Any]:
    """The end of a block."""
    return {"type": "content_block_stop", "index": index}


def read(*data: dict[str, Any]) -> list[Delta]:
    """The deltas in these events."""
    reader = DIALECT.stream_reader()
    return [delta for piece in data for delta in reader.read(event(piece)).deltas]


def written(*deltas: Delta) -> list[Any]:
    """The data of the events written for these deltas."""
    writer = DIALECT.stream_writer(CHAT, FACTS)
    framer = sse.Framer()
    events = framer.feed(b"".join(writer.write(delta) for delta in deltas))
    assert all(item.name.decode() == msgspec.json.decode(item.data)["type"] for item in events)
    return [msgspec.json.decode(item.data) for item in events]


def test_a_text_is_read() -> None:
    """Start, text, the reason for the end, tokens, and the end mark; pings and unknown events say nothing."""
    assert read(
        start(input_tokens=10, output_tokens=1),
        {"type": "ping"},
        block({"type": "text", "text": ""}),
        change({"type": "text_delta", "text": "Hel"}),
        change({"type": "text_delta", "text": "lo"}),
        change({"type": "citations_delta", "citation": {}}),
        stop(),
        {"type": "something_new"},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        STOP,
    ) == [
        Started("msg_1", "m"),
        UsageReport(Usage(prompt=10, completion=1)),
        TextDelta("Hel"),
        TextDelta("lo"),
        Finished("stop"),
        UsageReport(Usage(prompt=10, completion=5)),
        Completed(),
    ]


def test_tool_calls_are_read() -> None:
    """Calls are numbered by themselves; arguments come in pieces, at once, or not at all."""
    assert read(
        block({"type": "text", "text": "So:"}, 0),
        stop(0),
        block({"type": "tool_use", "id": "t1", "name": "f", "input": {}}, 1),
        change({"type": "input_json_delta", "partial_json": ""}, 1),
        change({"type": "input_json_delta", "partial_json": '{"a"'}, 1),
        change({"type": "input_json_delta", "partial_json": ": 1}"}, 1),
        stop(1),
        block({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, 2),
        change({"type": "input_json_delta", "partial_json": '{"query"'}, 2),
        stop(2),
        block({"type": "tool_use", "id": "t2", "name": "g", "input": {"b": 2}}, 3),
        stop(3),
        block({"type": "tool_use", "id": "t3", "name": "h"}, 4),
        stop(4),
    ) == [
        TextDelta("So:"),
        ToolCallDelta(0, "t1", "f"),
        ToolCallDelta(0, arguments='{"a"'),
        ToolCallDelta(0, arguments=": 1}"),
        ToolCallDelta(1, "t2", "g"),
        ToolCallDelta(1, arguments='{"b":2}'),
        ToolCallDelta(2, "t3", "h"),
        ToolCallDelta(2, arguments="{}"),
    ]


def test_thinking_is_read() -> None:
    """Thinking with its signature, thinking that is not shown, and redacted thinking."""
    assert read(
        block({"type": "thinking", "thinking": "", "signature": ""}, 0),
        change({"type": "thinking_delta", "thinking": "Hm."}, 0),
        change({"type": "signature_delta", "signature": "c2ln"}, 0),
        stop(0),
        block({"type": "thinking", "thinking": "At once.", "signature": "c2ln"}, 1),
        block({"type": "redacted_thinking", "data": "b3Bh"}, 2),
    ) == [
        ReasoningDelta("Hm."),
        ReasoningDelta("", "c2ln"),
        ReasoningDelta("At once.", "c2ln"),
        ReasoningDelta("", "redacted:b3Bh"),
    ]


def test_the_last_report_completes_the_first() -> None:
    """What message_delta leaves out stands as message_start told it, and what it tells again is not added."""
    first = start() | {}
    first["message"]["usage"] = {
        "input_tokens": 4,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100},
        "output_tokens": 2,
    }
    last = {
        "type": "message_delta",
        "delta": {},
        "usage": {
            "input_tokens": 6,
            "cache_creation_input_tokens": 130,
            "cache_read_input_tokens": None,
            "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 3},
        },
    }
    assert read(first, last)[1:] == [
        UsageReport(Usage(prompt=4, cached=50, cache_write_1h=100, completion=2)),
        UsageReport(Usage(prompt=6, cached=50, cache_write_5m=30, cache_write_1h=100, completion=6, reasoning=3)),
    ]


def test_an_unbelievable_report_is_none() -> None:
    """A stream without tokens in it still is a stream."""
    assert read(start(), start(input_tokens=-1), {"type": "message_delta", "delta": {"stop_reason": "refusal"}}) == [
        Started("msg_1", "m"),
        Started("msg_1", "m"),
        Finished("content_filter"),
    ]


def test_nothing_counts_after_the_end_mark() -> None:
    """A second end mark, or text after it, changes nothing, and the stream may end."""
    reader = DIALECT.stream_reader()
    assert reader.read(event(STOP)).deltas == (Completed(),)
    assert list(reader.read(event(STOP)).deltas) == []
    assert list(reader.close()) == []


def test_a_stream_without_its_end_mark_is_broken() -> None:
    """Bytes that end cleanly do not make an answer whole."""
    reader = DIALECT.stream_reader()
    reader.read(event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}))
    with pytest.raises(UpstreamInterrupted):
        reader.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"type":1}',
        b'{"type":"\xff"}',
        b'{"type":"message_start"}',
        b'{"type":"content_block_start"}',
    ],
)
def test_garbage_is_called_so(data: bytes) -> None:
    """An event that cannot be read breaks the stream."""
    with pytest.raises(UpstreamInvalid):
        DIALECT.stream_reader().read(Event(b"", data, b""))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", UpstreamOverloaded),
        ("api_error", UpstreamOverloaded),
        ("rate_limit_error", UpstreamRateLimited),
        ("timeout_error", UpstreamOverloaded),
        ("something_new", UpstreamOverloaded),
    ],
)
def test_an_error_event_is_raised(kind: str, expected: type[UpstreamError]) -> None:
    """An error in mid-stream has a type where it would have had a status."""
    with pytest.raises(UpstreamError) as caught:
        read({"type": "error", "error": {"type": kind, "message": "canary"}})
    assert type(caught.value) is expected
    assert "canary" not in caught.value.message


@pytest.mark.parametrize("data", [b'{"type":"error"}', b'{"type":"error","error":5}'])
def test_an_error_event_that_cannot_be_read_is_an_error(data: bytes) -> None:
    """A broken stream stays broken."""
    with pytest.raises(UpstreamInvalid):
        DIALECT.stream_reader().read(Event(b"error", data, b""))


def test_every_event_is_relayed_as_it_came() -> None:
    """Pings and unknown events reach a caller of the same dialect, too."""
    ping = event({"type": "ping"})
    assert DIALECT.stream_reader().read(ping) == Piece((), ping.raw)


ZERO: dict[str, Any] = {
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"thinking_tokens": 0},
}
HEAD: dict[str, Any] = {
    "id": "msg_x",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}


def test_a_text_is_written() -> None:
    """The first event waits for content, so that tokens told before it stand in it; the end tells them all."""
    assert written(
        Started("x", "m"),
        UsageReport(Usage(prompt=3)),
        TextDelta("Hel"),
        TextDelta(""),
        TextDelta("lo"),
        Finished("stop"),
        UsageReport(Usage(prompt=3, completion=2)),
        Completed(),
    ) == [
        {"type": "message_start", "message": {**HEAD, "usage": {**ZERO, "input_tokens": 3}}},
        block({"type": "text", "text": ""}),
        change({"type": "text_delta", "text": "Hel"}),
        change({"type": "text_delta", "text": "lo"}),
        stop(),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {**ZERO, "input_tokens": 3, "output_tokens": 2},
        },
        STOP,
    ]


def test_thinking_and_calls_are_written_in_blocks() -> None:
    """A signature closes its block, redacted thinking is a block at once, and each call has its own."""
    assert written(
        ReasoningDelta("Hm"),
        ReasoningDelta("."),
        ReasoningDelta("", "c2ln"),
        ReasoningDelta("", "redacted:b3Bh"),
        ReasoningDelta(""),
        ToolCallDelta(0, "t1", "f", '{"a'),
        ToolCallDelta(0, arguments='":1}'),
        ToolCallDelta(1, "t2", "g"),
        ToolCallDelta(1, arguments="{}"),
    )[1:] == [
        block({"type": "thinking", "thinking": "", "signature": ""}, 0),
        change({"type": "thinking_delta", "thinking": "Hm"}, 0),
        change({"type": "thinking_delta", "thinking": "."}, 0),
        change({"type": "signature_delta", "signature": "c2ln"}, 0),
        stop(0),
        block({"type": "redacted_thinking", "data": "b3Bh"}, 1),
        stop(1),
        block({"type": "tool_use", "id": "t1", "name": "f", "input": {}}, 2),
        change({"type": "input_json_delta", "partial_json": '{"a'}, 2),
        change({"type": "input_json_delta", "partial_json": '":1}'}, 2),
        stop(2),
        block({"type": "tool_use", "id": "t2", "name": "g", "input": {}}, 3),
        change({"type": "input_json_delta", "partial_json": "{}"}, 3),
    ]


def test_late_arguments_find_their_block() -> None:
    """A vendor that mixes its calls does not mix up their arguments."""
    data = written(ToolCallDelta(0), ToolCallDelta(1, "b", "g"), ToolCallDelta(0, arguments="{}"))
    assert data[-1] == change({"type": "input_json_delta", "partial_json": "{}"}, 0)
    assert data[1] == block({"type": "tool_use", "id": "", "name": "", "input": {}}, 0)


def test_an_empty_answer_is_whole() -> None:
    """The end alone still makes a message, with our own id."""
    data = written(Completed())
    assert [item["type"] for item in data] == ["message_start", "message_delta", "message_stop"]
    assert data[0]["message"]["id"] == "msg_r-1"


@pytest.mark.parametrize(
    "delta", [TextDelta("x", 1), ReasoningDelta("x", choice=1), ToolCallDelta(0, choice=1), Finished("length", 1)]
)
def test_other_choices_are_left_out(delta: Delta) -> None:
    """The dialect knows one choice."""
    data = written(delta, Completed())
    assert [item["type"] for item in data] == ["message_start", "message_delta", "message_stop"]
    assert data[1]["delta"]["stop_reason"] == "end_turn"


def test_a_break_is_told_without_an_end_mark() -> None:
    """The caller's SDK raises what the error event says."""
    writer = DIALECT.stream_writer(CHAT, FACTS)
    writer.write(TextDelta("x"))
    assert writer.error(UpstreamTimeout("Too slow.")) == (
        b'event: error\ndata: {"type":"error","error":{"type":"timeout_error","message":"Too slow."},'
        b'"request_id":"r-1"}\n\n'
    )


def test_what_is_written_is_read_again() -> None:
    """Reading a written stream gives the deltas back."""
    deltas: Sequence[Delta] = (
        Started("msg_1", "m"),
        UsageReport(Usage(prompt=3)),
        ReasoningDelta("Hm."),
        ReasoningDelta("", "c2ln"),
        TextDelta("Hi"),
        ToolCallDelta(0, "t", "f"),
        ToolCallDelta(0, arguments='{"a":1}'),
        Finished("tool_calls"),
        UsageReport(Usage(prompt=3, cached=1, cache_write_1h=2, completion=4, reasoning=5)),
        Completed(),
    )
    assert read(*written(*deltas)) == list(deltas)

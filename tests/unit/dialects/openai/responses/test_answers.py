"""Answers of the Responses API: what they say, what they used, and how they break."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.dialects import UPSTREAM
from farthing.dialects.base import Event
from farthing.dialects.openai.responses.answers import Reader
from farthing.domain.chat import (
    Choice,
    Completed,
    Completion,
    Delta,
    Finished,
    Reasoning,
    ReasoningDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from farthing.domain.errors import UpstreamError, UpstreamInterrupted, UpstreamInvalid, UpstreamRateLimited

DIALECT = UPSTREAM["responses"]
USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
}
TOKENS = Usage(prompt=12, cached=8, completion=5, reasoning=4)
CALL = {"type": "function_call", "id": "fc", "call_id": "c1", "name": "look", "arguments": "{}"}
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}, {"type": "refusal", "refusal": "!"}]}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "content": None}


def body(*output: Any, **more: Any) -> bytes:
    """A whole answer with these items."""
    tree = {
        "id": "resp_1",
        "model": "m",
        "status": "completed",
        "error": None,
        "output": output,
        "usage": USAGE,
        **more,
    }
    return json.dumps(tree).encode()


def finish(*output: Any, **more: Any) -> str | None:
    """Why that answer ended."""
    return DIALECT.read_completion(body(*output, **more)).choices[0].finish


def test_a_whole_answer_tells_items_and_usage() -> None:
    """Text, refusal and thinking in their order; what only this dialect can say is passed over; exact tokens."""
    whole = body(THOUGHT, {"type": "reasoning", "summary": []}, {"type": "computer_call"}, None, MESSAGE)
    completion, relayed = DIALECT.read_whole(whole)
    assert relayed is whole
    parts = (Reasoning("Hm"), Text("Hi"), Text("!"))
    assert completion == Completion(id="resp_1", model="m", choices=(Choice(parts, "stop"),), usage=TOKENS)


def test_calls_of_the_vendors_tools_are_counted() -> None:
    """Searches by their number; reading on in what was found is none. What has no number makes the cost a guess."""
    did = [{"type": "web_search_call", "action": {"type": kind}} for kind in ("search", "open_page", "find_in_page")]
    old, files = {"type": "web_search_call"}, {"type": "file_search_call"}
    counted = replace(TOKENS, web_searches=2, file_searches=1)
    assert DIALECT.read_completion(body(*did, old, files, MESSAGE)).usage == counted
    for kind in ("code_interpreter_call", "image_generation_call"):
        assert DIALECT.read_completion(body({"type": kind}, MESSAGE)).usage == replace(TOKENS, estimated=True)
    assert DIALECT.read_completion(body({"type": "mcp_call"}, {"type": 7}, MESSAGE)).usage == TOKENS
    assert DIALECT.read_completion(body(*did, MESSAGE, usage=None)).usage is None
    done = {"type": "response.completed", "response": json.loads(body(*did, old, files, "odd", MESSAGE))}
    deltas = Reader().read(Event(b"response.completed", json.dumps(done).encode(), b"")).deltas
    assert UsageReport(counted) in deltas


def test_calls_are_told_with_what_they_call_with() -> None:
    """Functions, and tools whose input is a text."""
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** x"}
    [choice] = DIALECT.read_completion(body(CALL, custom)).choices
    assert choice == Choice((ToolCall("c1", "look", "{}"), ToolCall("c2", "patch", "*** x")), "tool_calls")


def test_every_end_has_its_reason() -> None:
    """Only what ended by the model's own will is complete."""
    assert finish(MESSAGE) == "stop"
    assert finish(CALL) == "tool_calls"
    assert finish(MESSAGE, status="incomplete", incomplete_details={"reason": "max_output_tokens"}) == "length"
    assert finish(MESSAGE, status="incomplete", incomplete_details={"reason": "content_filter"}) == "content_filter"
    assert finish(MESSAGE, status="incomplete", incomplete_details={"reason": "steered"}) == "other"
    assert finish(MESSAGE, status="queued", incomplete_details=None) == "other"


def test_odd_fields_do_not_hurt() -> None:
    """An answer whose parts are of other types than published is still an answer."""
    odd = body({"type": "message", "content": "x"}, {"type": "message", "content": [3, {"text": 4}]}, id=5, model=None)
    assert DIALECT.read_completion(odd).choices == (Choice((), "stop"),)
    assert DIALECT.read_completion(body(MESSAGE, usage=None)).usage is None


@pytest.mark.parametrize("garbage", [b"", b"[]", b"<html>", b'{"id":"x"}', b"\xff"])
def test_what_is_no_answer_is_the_providers_fault(garbage: bytes) -> None:
    """As for every dialect."""
    with pytest.raises(UpstreamInvalid):
        DIALECT.read_completion(garbage)


def test_numbers_that_json_does_not_know_become_null() -> None:
    """For callers as well as for us."""
    whole = body(MESSAGE).replace(b'"error": null', b'"error": NaN')
    completion, relayed = DIALECT.read_whole(whole)
    assert completion.text == "Hi!"
    assert relayed == body(MESSAGE)


def test_a_failed_answer_is_its_error() -> None:
    """By the code that it holds."""
    with pytest.raises(UpstreamRateLimited):
        DIALECT.read_completion(body(status="failed", error={"code": "rate_limit_exceeded", "message": "m"}))


def event(kind: str, **more: Any) -> Event:
    """An event as it comes over the wire."""
    data = json.dumps({"type": kind, "sequence_number": 0, **more}).encode()
    return Event(kind.encode(), data, b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n")


def heard(*events: Event) -> list[Delta]:
    """What these events say, one after the other; each is relayed as it came."""
    reader = Reader()
    deltas: list[Delta] = []
    for each in events:
        piece = reader.read(each)
        assert piece.raw is each.raw
        deltas += piece.deltas
    return [*deltas, *reader.close()]


CREATED = event("response.created", response={"id": "resp_1", "model": "m"})
END = event("response.completed", response={"id": "resp_1", "model": "m", "status": "completed", "usage": USAGE})


def test_a_stream_tells_text_thinking_and_usage() -> None:
    """Events that say nothing new are relayed and no more."""
    assert heard(
        CREATED,
        event("response.in_progress", response={}),
        event("response.output_item.added", output_index=0, item={"type": "reasoning"}),
        event("response.reasoning_summary_text.delta", delta="Hm"),
        event("response.output_text.delta", delta="Hi"),
        event("response.refusal.delta", delta="!"),
        event("response.output_text.done", text="Hi"),
        END,
        event("response.late"),
    ) == [
        Started("resp_1", "m"),
        ReasoningDelta("Hm"),
        TextDelta("Hi"),
        TextDelta("!"),
        UsageReport(TOKENS),
        Finished("stop"),
        Completed(),
    ]


def test_calls_grow_each_in_its_place() -> None:
    """By the place of their item; what belongs to no call of the caller's is passed over."""
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": ""}
    assert heard(
        CREATED,
        CREATED,
        event("response.output_item.added", output_index=1, item={**CALL, "arguments": ""}),
        event("response.output_item.added", output_index=3, item=custom),
        event("response.output_item.added", output_index=4, item=None),
        event("response.function_call_arguments.delta", output_index=1, delta="{"),
        event("response.custom_tool_call_input.delta", output_index=3, delta="*"),
        event("response.function_call_arguments.delta", output_index=1, delta="}"),
        event("response.function_call_arguments.delta", output_index="x", delta="lost"),
        event("response.incomplete", response={"status": "incomplete", "incomplete_details": None}),
    ) == [
        Started("resp_1", "m"),
        ToolCallDelta(0, "c1", "look", ""),
        ToolCallDelta(1, "c2", "patch", ""),
        ToolCallDelta(0, arguments="{"),
        ToolCallDelta(1, arguments="*"),
        ToolCallDelta(0, arguments="}"),
        Finished("other"),
        Completed(),
    ]


def test_an_end_without_a_beginning_begins_the_stream() -> None:
    """Some vendors leave the first event out; an event without a type has its name."""
    reader = Reader()
    nameless = json.dumps({"response": {"id": "resp_1", "status": "completed"}}).encode()
    piece = reader.read(Event(b"response.completed", nameless, b""))
    assert piece.deltas == (Started("resp_1", ""), Finished("stop"), Completed())


def test_a_stream_that_ends_early_is_broken() -> None:
    """Whatever was said before."""
    with pytest.raises(UpstreamInterrupted):
        heard(CREATED, event("response.output_text.delta", delta="Hi"))


@pytest.mark.parametrize(
    "broken",
    [
        event("error", code="server_error", message="m", param=None),
        event("error", error={"type": "server_error", "message": "m"}),
        event("response.failed", response={"status": "failed", "error": {"code": "server_error", "message": "m"}}),
        event("response.cancelled", response=None),
        event("keepalive", error={"code": "server_error"}),
        Event(b"", b"nonsense", b""),
        Event(b"", b"[1]", b""),
    ],
    ids=lambda broken: broken.data.decode()[:40],
)
def test_an_error_in_a_stream_is_raised(broken: Event) -> None:
    """In every form in which vendors tell it."""
    with pytest.raises(UpstreamError):
        Reader().read(broken)


def test_events_without_data_and_odd_numbers_pass() -> None:
    """The first says nothing, the second loses what JSON does not know."""
    reader = Reader()
    assert reader.read(Event(b"x", b"", b"raw")).raw == b"raw"
    odd = b'{"type":"response.output_text.delta","delta":"Hi","logprob":-Infinity}'
    piece = reader.read(Event(b"", odd, b"data: " + odd))
    assert piece.deltas == (TextDelta("Hi"),)
    assert piece.raw == b"data: " + odd.replace(b"-Infinity", b"null")

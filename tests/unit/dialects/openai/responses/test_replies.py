"""Answers of other vendors told in the Responses API, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects import INBOUND, UPSTREAM
from farthing.dialects.base import ReplyFacts
from farthing.dialects.sse import Framer
from farthing.domain.assembly import Assembly
from farthing.domain.chat import (
    ChatRequest,
    Choice,
    Completed,
    Completion,
    Delta,
    Finished,
    FinishReason,
    Part,
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
from farthing.domain.errors import InvalidRequest, Stopping

DIALECT = INBOUND["responses"]
FACTS = ReplyFacts(request_id="r1", created_s=7)
USAGE = Usage(prompt=10, cached=2, completion=4, reasoning=1)


def whole(*parts: Part, finish: FinishReason | None = "stop", usage: Usage | None = USAGE) -> dict[str, Any]:
    """The body of an answer with these parts."""
    completion = Completion(id="up", model="m", choices=(Choice(parts, finish),), usage=usage)
    body: dict[str, Any] = json.loads(DIALECT.write_completion(completion, FACTS))
    return body


def told(*deltas: Delta) -> list[dict[str, Any]]:
    """The events of a stream with these deltas; each bears its own name, and they are numbered without a gap."""
    writer = DIALECT.stream_writer(ChatRequest(model="m", messages=()), FACTS)
    events = Framer().feed(b"".join(map(writer.write, deltas)))
    trees = [json.loads(event.data) for event in events]
    assert [event.name.decode() for event in events] == [tree["type"] for tree in trees]
    assert [tree["sequence_number"] for tree in trees] == list(range(len(trees)))
    return trees


def test_a_whole_answer_has_items_and_usage() -> None:
    """Texts that follow one another are one message; thinking and calls are items of their own."""
    body = whole(Reasoning("Hm"), Text("a"), Text("b"), ToolCall("c1", "look", "{}"), finish="tool_calls")
    assert (body["id"], body["object"], body["created_at"], body["status"]) == ("resp_r1", "response", 7, "completed")
    assert (body["model"], body["error"], body["incomplete_details"], body["store"]) == ("m", None, None, False)
    thought, message, call = body["output"]
    assert thought == {"type": "reasoning", "id": "rs_r1_0", "summary": [{"type": "summary_text", "text": "Hm"}]}
    assert message == {
        "type": "message",
        "id": "msg_r1_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "ab", "annotations": [], "logprobs": []}],
    }
    assert call == {
        "type": "function_call",
        "id": "fc_r1_2",
        "status": "completed",
        "call_id": "c1",
        "name": "look",
        "arguments": "{}",
    }
    assert body["usage"] == {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 17,
    }


def test_an_answer_that_was_cut_is_incomplete() -> None:
    """By its length or by a filter; a call without an id gets one."""
    body = whole(Text("a"), finish="length", usage=None)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (body["output"][0]["status"], body["usage"]) == ("incomplete", None)
    assert whole(finish="content_filter")["incomplete_details"] == {"reason": "content_filter"}
    assert whole(ToolCall("", "look", "{}"))["output"][0]["call_id"] == "call_r1_0"
    nothing = json.loads(DIALECT.write_completion(Completion(id="resp_9", model="m", choices=()), FACTS))
    assert (nothing["id"], nothing["output"], nothing["status"]) == ("resp_9", [], "completed")


def test_a_streamed_text_has_its_events_in_the_published_order() -> None:
    """Created, in progress, item, part, deltas, and each of them done before the whole."""
    events = told(
        Started("up", "m"),
        TextDelta(""),
        TextDelta("Hel"),
        TextDelta("lo"),
        UsageReport(USAGE),
        Finished("stop"),
        Completed(),
    )
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert events[0]["response"]["status"] == "in_progress"
    assert events[2]["item"]["content"] == []
    assert [event["delta"] for event in events[4:6]] == ["Hel", "lo"]
    assert events[6]["text"] == events[7]["part"]["text"] == "Hello"
    assert {event["item_id"] for event in events[3:8]} == {"msg_r1_0"}
    assert events[-1]["response"]["output"] == [events[8]["item"]]
    assert events[-1]["response"]["usage"]["total_tokens"] == 17


def test_thinking_text_and_calls_are_items_one_after_another() -> None:
    """What was begun ends before the next begins; calls may grow side by side, and end at the end."""
    events = told(
        Started("up", "m"),
        ReasoningDelta("", "signed"),
        ReasoningDelta("Hm"),
        ReasoningDelta("m"),
        TextDelta("So"),
        ToolCallDelta(0, "c1", "look", ""),
        ToolCallDelta(1, None, None, "{"),
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(1, arguments="}"),
        Finished("tool_calls"),
        Completed(),
    )
    assert [(event["type"].removeprefix("response."), event.get("output_index")) for event in events[2:]] == [
        ("output_item.added", 0),
        ("reasoning_summary_part.added", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.done", 0),
        ("reasoning_summary_part.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("content_part.added", 1),
        ("output_text.delta", 1),
        ("output_text.done", 1),
        ("content_part.done", 1),
        ("output_item.done", 1),
        ("output_item.added", 2),
        ("output_item.added", 3),
        ("function_call_arguments.delta", 3),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.delta", 3),
        ("function_call_arguments.done", 2),
        ("output_item.done", 2),
        ("function_call_arguments.done", 3),
        ("output_item.done", 3),
        ("completed", None),
    ]
    calls = events[-1]["response"]["output"][2:]
    assert [(call["call_id"], call["name"], call["arguments"]) for call in calls] == [
        ("c1", "look", "{}"),
        ("call_r1_3", "", "{}"),
    ]


def test_a_stream_that_was_cut_ends_incomplete() -> None:
    """With the reason, as a whole answer."""
    last = told(Started("up", "m"), TextDelta("a"), Finished("length"), Completed())[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_a_broken_stream_says_so_where_clients_look() -> None:
    """At the top, as published, and in `error`, where the released clients raise."""
    writer = DIALECT.stream_writer(ChatRequest(model="m", messages=()), FACTS)
    [event] = Framer().feed(writer.error(Stopping()))
    tree = json.loads(event.data)
    assert event.name == b"error"
    assert tree["type"] == "error"
    assert tree["message"] == tree["error"]["message"] == Stopping().message


parts = st.lists(
    st.builds(TextDelta, st.text(max_size=5))
    | st.builds(ReasoningDelta, st.text(max_size=5))
    | st.builds(ToolCallDelta, st.integers(0, 2), st.just("c"), st.just("n"), st.text(max_size=5)),
    max_size=8,
)


@given(parts)
def test_what_is_told_is_read_back_the_same(said: list[Delta]) -> None:
    """A stream written and read again: the same text, thinking and calls, the same tokens."""
    deltas = [Started("resp_1", "m"), *said, UsageReport(USAGE), Finished("stop"), Completed()]
    writer, reader = (
        DIALECT.stream_writer(ChatRequest(model="m", messages=()), FACTS),
        UPSTREAM["responses"].stream_reader(),
    )
    before, after = Assembly(), Assembly()
    for delta in deltas:
        before.add(delta)
        for event in Framer().feed(writer.write(delta)):
            for heard in reader.read(event).deltas:
                after.add(heard)
    assert after.is_complete
    was, now = before.completion(), after.completion()
    assert now.usage == was.usage
    assert now.text == was.text
    for kind in (Reasoning, ToolCall):
        assert spoken(now, kind) == spoken(was, kind)


def spoken(completion: Completion, kind: type[Reasoning | ToolCall]) -> str:
    """All thinking, or what all calls are called with."""
    found = [part for choice in completion.choices for part in choice.parts if isinstance(part, kind)]
    return "".join(part.arguments if isinstance(part, ToolCall) else part.text for part in found)


def test_a_refusal_names_the_field_that_the_caller_sent() -> None:
    """In this dialect's words, whole and within a stream; other fields are called the same."""
    for said, own in {"messages": "input", "response_format": "text.format", "tools": "tools", None: None}.items():
        error = InvalidRequest("No.", param=said)
        assert json.loads(DIALECT.write_error(error, "r1"))["error"]["param"] == own
        writer = DIALECT.stream_writer(ChatRequest(model="m", messages=()), FACTS)
        [event] = Framer().feed(writer.error(error))
        assert json.loads(event.data)["param"] == own

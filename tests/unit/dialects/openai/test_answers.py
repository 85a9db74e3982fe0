"""Answers of the many vendors who say they speak OpenAI's dialect."""

from __future__ import annotations

import json

import pytest

from farthing.dialects import UPSTREAM
from farthing.dialects.base import Event, Piece
from farthing.dialects.openai.answers import finite
from farthing.dialects.sse import frame
from farthing.domain.chat import (
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
from farthing.domain.errors import (
    UpstreamError,
    UpstreamInterrupted,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnauthorized,
)

Tree = dict[str, object]

DIALECT = UPSTREAM["openai"]
USAGE = UsageReport(Usage(prompt=1))
FUNCTION = {"name": "f", "arguments": '{"x":1}'}


def event(data: object, name: bytes = b"") -> Event:
    """An event with this data, JSON unless it is bytes."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Event(name, text, frame(text, name))


def chunk(delta: Tree | None = None, *, finish: str | None = None, index: int | None = 0, **more: object) -> Event:
    """A chunk that says `delta` of one choice."""
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish}
    return event({"id": "c", "model": "m", "choices": [choice], **more})


def read(*events: Event) -> list[Delta]:
    """The deltas of these events, without the first word."""
    reader = DIALECT.stream_reader()
    deltas = [delta for one in events for delta in reader.read(one).deltas]
    assert deltas[:1] == [Started("c", "m")]
    return deltas[1:]


def whole(message: Tree, finish: str | None = "stop") -> Choice:
    """The choice with this message in a whole answer."""
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return DIALECT.read_completion(json.dumps(body).encode()).choices[0]


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "a"}, (Text("a"),)),
        ({"content": None}, ()),
        ({"content": ""}, ()),
        ({"content": "a", "refusal": "b"}, (Text("ab"),)),
        ({"content": None, "refusal": "b"}, (Text("b"),)),
        ({"content": "a", "reasoning_content": "hm"}, (Reasoning("hm"), Text("a"))),
        ({"content": "a", "reasoning": "hm", "reasoning_content": ""}, (Reasoning("hm"), Text("a"))),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]},
                    {"type": "thinking", "thinking": "!"},
                    {"type": "thinking"},
                    {"type": "text", "text": "a"},
                    {"type": "reference", "reference_ids": [1]},
                    {"type": "text", "text": None},
                ]
            },
            (Reasoning("hm!"), Text("a")),
        ),
        ({"tool_calls": [{"id": "t", "type": "function", "function": FUNCTION}]}, (ToolCall("t", "f", '{"x":1}'),)),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "g"}}]},
            (ToolCall("call_0", "f", '{"x":1}'), ToolCall("call_1", "g", "")),
        ),
        ({"tool_calls": [{"id": "t", "function": {"name": "f", "arguments": None}}]}, (ToolCall("t", "f", ""),)),
        ({"tool_calls": [{"id": "t"}]}, (ToolCall("t", "", ""),)),
        ({"function_call": FUNCTION}, (ToolCall("call_0", "f", '{"x":1}'),)),
    ],
)
def test_every_form_of_a_message(message: Tree, parts: tuple[Part, ...]) -> None:
    """Thinking, refusals, tool calls and lists of parts are understood, whole and as one chunk alike."""
    assert whole(message).parts == parts
    expected: list[Delta] = []
    position = 0
    for part in parts:
        if isinstance(part, Text):
            expected.append(TextDelta(part.text))
        elif isinstance(part, Reasoning):
            expected.append(ReasoningDelta(part.text))
        elif isinstance(part, ToolCall):
            expected.append(ToolCallDelta(position, part.id, part.name, part.arguments))
            position += 1
    assert read(chunk(message)) == expected


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("eos", "other"),
        (None, "other"),
    ],
)
def test_finish_reasons(word: str | None, reason: FinishReason) -> None:
    """A word nobody knows is never taken for a clean stop."""
    assert whole({"content": "a"}, word).finish == reason
    if word is not None:
        assert read(chunk(finish=word)) == [Finished(reason)]


def test_choices_are_put_in_order() -> None:
    """Choices may come in any order, without index, and with the text in `delta`."""
    body = b"""{"id": 7, "choices": [{"index": 1, "message": {"content": "b"}}, {"delta": {"content": "a"}}]}"""
    assert DIALECT.read_completion(body) == Completion(
        id="7", model="", choices=(Choice((Text("a"),), "other"), Choice((Text("b"),), "other"))
    )
    assert DIALECT.read_completion(b'{"choices": [{}]}').choices == (Choice((), "other"),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b'{"choices":[{"message":{"content":"a"',
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"message":{"content":5}}]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":' + b"[" * 100_000,
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    """Garbage under status 200 is an invalid answer, as a body and in a stream."""
    with pytest.raises(UpstreamInvalid):
        DIALECT.read_completion(body)
    if body not in {b"", b"{}", b'{"choices":[]}'}:
        with pytest.raises(UpstreamInvalid):
            DIALECT.stream_reader().read(event(body))


def test_numbers_that_json_does_not_know() -> None:
    """Log probabilities of minus infinity fail no answer, and text that speaks of them is left alone."""
    body = (
        b'{"id":"c","model":"m","choices":[{"finish_reason":"stop","message":{"content":"NaN, \\"-Infinity\\""},'
        b'"logprobs":{"content":[{"logprob":-Infinity},{"logprob":NaN},{"logprob":Infinity}]}}]}'
    )
    assert DIALECT.read_completion(body).text == 'NaN, "-Infinity"'
    clean = finite(body)
    assert json.loads(clean, parse_constant=pytest.fail)["choices"][0]["logprobs"] == {
        "content": [{"logprob": None}] * 3
    }
    assert b'"NaN, \\"-Infinity\\""' in clean
    assert DIALECT.read_whole(body) == (DIALECT.read_completion(clean), clean)
    said = chunk({"content": "a"}, usage={"prompt_tokens": float("nan"), "completion_tokens": 1})
    assert read(said) == [TextDelta("a")]


def test_a_body_without_numbers_to_mend_is_not_copied() -> None:
    """The usual answer costs two searches, and none where it is read as well."""
    body = b'{"choices":[{"finish_reason":"stop","message":{"content":"NaN"}}]}'
    plain = b'{"choices":[]}'
    assert finite(plain) is plain
    completion, relayed = DIALECT.read_whole(body)
    assert relayed is body
    assert completion == DIALECT.read_completion(body)


def test_a_usage_that_cannot_be_true_spoils_no_answer() -> None:
    """The answer is read without it."""
    body = b'{"choices":[{"finish_reason":"stop","message":{"content":"a"}}],"usage":{"prompt_tokens":-1}}'
    completion, relayed = DIALECT.read_whole(body)
    assert (completion.text, completion.usage, relayed) == ("a", None, body)


def test_a_stream() -> None:
    """Roles and empty chunks say nothing, thinking, text, parallel calls and usage do; the end mark comes once."""
    deltas = read(
        event({"id": "", "model": "", "choices": [], "prompt_filter_results": []}),
        chunk({"role": "assistant", "content": "", "reasoning_content": None}),
        chunk({"reasoning_content": "hm"}, usage=None),
        chunk({"content": "a"}, index=None),
        chunk({"content": "b"}, index=1),
        chunk({"tool_calls": [{"index": 0, "id": "t0", "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 1, "id": "t1", "function": {"name": "g"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}, {"index": 1}]}),
        Event(b"", b"", b"data:\n\n"),
        event({"id": "c", "choices": [{"index": 0, "finish_reason": "tool_calls"}]}),
        chunk(finish="length", index=1),
        event({"id": "c", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}),
        event(b"[DONE]"),
        event(b"[DONE]"),
        event(b"whatever follows the end"),
    )
    assert deltas == [
        ReasoningDelta("hm"),
        TextDelta("a"),
        TextDelta("b", 1),
        ToolCallDelta(0, "t0", "f", ""),
        ToolCallDelta(1, "t1", "g", ""),
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(1),
        Finished("tool_calls"),
        Finished("length", 1),
        UsageReport(Usage(prompt=3, completion=4)),
        Completed(),
    ]


def test_tool_calls_that_nobody_numbered() -> None:
    """A new id or a name begins the next call; without either the text belongs to the last one."""
    unnumbered = [
        {"id": "a", "function": {"name": "f", "arguments": "1"}},
        {"function": {"arguments": "2"}},
        {"id": "b", "function": {"name": "g"}},
        {"id": "a", "function": {"arguments": "3"}},
        {"function": {"arguments": "4"}},
    ]
    deltas = read(
        *(chunk({"tool_calls": [call]}) for call in unnumbered),
        chunk({"tool_calls": [{"function": {"name": "h"}}]}, index=1),
    )
    assert deltas == [
        ToolCallDelta(0, "a", "f", "1"),
        ToolCallDelta(0, arguments="2"),
        ToolCallDelta(1, "b", "g", ""),
        ToolCallDelta(0, arguments="3"),
        ToolCallDelta(1, arguments="4"),
        ToolCallDelta(0, "call_0", "h", "", choice=1),
    ]


@pytest.mark.parametrize(
    ("events", "is_whole"),
    [
        ([chunk({"content": "a"}), chunk(finish="stop")], True),
        ([chunk({"content": "a"}, finish="stop")], True),
        ([chunk({"content": "a"}, finish="stop"), event(b"[DONE]")], True),
        ([], False),
        ([chunk({"content": "a"})], False),
        ([chunk({"content": "a"}, finish="stop"), chunk({"content": "b"}, index=1)], False),
    ],
)
def test_the_end_of_the_bytes(events: list[Event], is_whole: bool) -> None:
    """Without its end mark a stream is whole only if every choice has finished, and it ends once."""
    reader = DIALECT.stream_reader()
    deltas = [delta for one in events for delta in reader.read(one).deltas]
    if not is_whole:
        with pytest.raises(UpstreamInterrupted):
            reader.close()
        return
    deltas += reader.close()
    assert deltas.count(Completed()) == 1
    assert reader.close() == ()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "x", "code": 429}, UpstreamRateLimited),
        ({"message": "x", "code": 502}, UpstreamOverloaded),
        ({"message": "x", "code": "rate_limit_exceeded"}, UpstreamRateLimited),
        ({"message": "x", "type": "server_error", "code": None}, UpstreamOverloaded),
        ({"message": "x", "type": "overloaded_error"}, UpstreamOverloaded),
        ({"message": "x", "type": "invalid_request_error"}, UpstreamRejected),
        ({"message": "x", "code": "context_length_exceeded"}, UpstreamRejected),
        ({"message": "x", "type": "authentication_error"}, UpstreamUnauthorized),
        ({"message": "x", "code": 7}, UpstreamInterrupted),
        ({"message": "x"}, UpstreamInterrupted),
        ("boom", UpstreamInterrupted),
    ],
)
def test_errors_after_status_200(error: object, kind: type[UpstreamError]) -> None:
    """An error in a stream or a body is what its code or type stands for, else an answer that broke off."""
    reader = DIALECT.stream_reader()
    reader.read(chunk({"content": "a"}))
    for raise_it in (
        lambda: reader.read(event({"error": error})),
        lambda: DIALECT.read_completion(json.dumps({"error": error}).encode()),
    ):
        with pytest.raises(UpstreamError) as caught:
            raise_it()
        assert type(caught.value) is kind


def test_an_event_by_the_name_of_error() -> None:
    """A named error event breaks the stream, whatever its data."""
    with pytest.raises(UpstreamInterrupted):
        DIALECT.stream_reader().read(event({"message": "x"}, b"error"))


def test_an_empty_error_is_none() -> None:
    """Some vendors send the field with nothing in it."""
    assert read(chunk({"content": "a"}, error=None), chunk({"content": "b"}, error={})) == [
        TextDelta("a"),
        TextDelta("b"),
    ]


@pytest.mark.parametrize(
    ("data", "deltas", "is_report"),
    [
        ({"choices": [], "usage": {"prompt_tokens": 1}}, [USAGE], True),
        ({"choices": [], "usage": {"prompt_tokens": -1}}, [], True),
        ({"id": "c", "usage": {"prompt_tokens": 1}}, [Started("c", ""), USAGE], True),
        ({"choices": [], "usage": None}, [], False),
        ({"choices": [], "usage": {}}, [], False),
        ({"choices": [{"usage": {"prompt_tokens": 1}}]}, [Started("", ""), USAGE], False),
        ({"choices": [{"usage": {"prompt_tokens": -1}}]}, [Started("", "")], False),
        ({"choices": [], "prompt_filter_results": []}, [], False),
        (
            {"choices": [{"delta": {"role": "assistant"}}], "usage": {"prompt_tokens": 1}},
            [Started("", ""), USAGE],
            False,
        ),
        (
            {"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 1}},
            [Started("", ""), Finished("stop"), USAGE],
            False,
        ),
        ({"choices": [{"delta": {"content": "a"}}]}, [Started("", ""), TextDelta("a")], False),
    ],
)
def test_a_usage_report_is_for_those_who_asked(data: Tree, deltas: list[Delta], is_report: bool) -> None:
    """Only the chunk that we asked for ourselves may be kept back; every event keeps its bytes."""
    heard = event(data)
    assert DIALECT.stream_reader().read(heard) == Piece(deltas, heard.raw, is_report)


def test_relayed_events_hold_no_number_that_json_does_not_know() -> None:
    """NaN would break the caller's parser, so it arrives as null."""
    data = b'{"choices":[{"delta":{"content":"NaN"},"logprobs":{"logprob":-Infinity}}]}'
    piece = DIALECT.stream_reader().read(event(data))
    assert piece.raw == b'data: {"choices":[{"delta":{"content":"NaN"},"logprobs":{"logprob":null}}]}\n\n'
    assert list(piece.deltas) == [Started("", ""), TextDelta("NaN")]


@pytest.mark.parametrize("data", [b"[DONE]", b""])
def test_the_end_mark_and_events_without_data_are_relayed(data: bytes) -> None:
    """They keep their bytes, before the end and after it."""
    reader, heard = DIALECT.stream_reader(), event(data)
    assert [reader.read(heard).raw, reader.read(heard).raw] == [heard.raw, heard.raw]

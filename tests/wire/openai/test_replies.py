"""What callers of chat completions receive, to the byte."""

from __future__ import annotations

import msgspec
import pytest

from farthing.dialects import INBOUND
from farthing.dialects.base import ReplyFacts, StreamWriter
from farthing.domain.chat import (
    ChatRequest,
    Choice,
    Completed,
    Completion,
    Delta,
    Finished,
    Image,
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
from farthing.domain.errors import FarthingError, InsufficientQuota, InvalidRequest, UpstreamInterrupted

DIALECT = INBOUND["openai"]
FACTS = ReplyFacts(request_id="r1", created_s=7)
HEAD = b'{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":['
USAGE = Usage(prompt=3, cached=2, completion=4, reasoning=1)
COUNTS = (
    b'{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10,'
    b'"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0}}'
)


def writer(*, include_usage: bool = False) -> StreamWriter:
    """A writer for a caller of the model `asked`."""
    return DIALECT.stream_writer(ChatRequest(model="asked", messages=(), include_usage=include_usage), FACTS)


def written(*deltas: Delta, include_usage: bool = False) -> list[bytes]:
    """The events of a stream of these deltas."""
    one = writer(include_usage=include_usage)
    return b"".join(map(one.write, deltas)).split(b"\n\n")[:-1]


def chunk(delta: bytes, *, finish: bytes = b"null", index: int = 0) -> bytes:
    """The event that says `delta` of one choice."""
    return b'data: %b{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b}]}' % (HEAD, index, delta, finish)


def test_a_whole_answer() -> None:
    """Text, thinking, tool calls, finish reasons and usage stand where callers look for them."""
    completion = Completion(
        id="c1",
        model="m",
        choices=(
            Choice((Reasoning("h"), Reasoning("m"), Text("a"), Text("é")), "stop"),
            Choice((ToolCall("t1", "f", "{}"), Image(url="https://x")), "tool_calls"),
            Choice((), "other"),
        ),
        usage=USAGE,
    )
    assert DIALECT.write_completion(completion, FACTS) == (
        b'{"id":"c1","object":"chat.completion","created":7,"model":"m","choices":['
        b'{"index":0,"message":{"role":"assistant","content":"a\xc3\xa9","reasoning_content":"hm"},'
        b'"logprobs":null,"finish_reason":"stop"},'
        b'{"index":1,"message":{"role":"assistant","content":null,"tool_calls":['
        b'{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]},'
        b'"logprobs":null,"finish_reason":"tool_calls"},'
        b'{"index":2,"message":{"role":"assistant","content":null},"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":' + COUNTS + b"}"
    )


def test_an_answer_without_id_or_usage() -> None:
    """An id is made of ours where the vendor gave none; usage is left out rather than invented."""
    body = msgspec.json.decode(DIALECT.write_completion(Completion(id="", model="m", choices=()), FACTS))
    assert body == {"id": "chatcmpl-r1", "object": "chat.completion", "created": 7, "model": "m", "choices": []}


def test_a_stream() -> None:
    """The role comes first for each choice, then what is said, then the end mark."""
    assert written(
        Started("c1", "m"),
        ReasoningDelta("hm"),
        ReasoningDelta("", "signature"),
        TextDelta("é\n"),
        ToolCallDelta(0, "t1", "f", ""),
        ToolCallDelta(0, arguments='{"x":1}'),
        TextDelta("b", 1),
        Finished("tool_calls"),
        Finished("other", 1),
        UsageReport(USAGE),
        Completed(),
    ) == [
        chunk(b'{"role":"assistant","content":""}'),
        chunk(b'{"reasoning_content":"hm"}'),
        chunk(b'{"content":"\xc3\xa9\\n"}'),
        chunk(b'{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""},"id":"t1","type":"function"}]}'),
        chunk(b'{"tool_calls":[{"index":0,"function":{"arguments":"{\\"x\\":1}"}}]}'),
        chunk(b'{"role":"assistant","content":""}', index=1),
        chunk(b'{"content":"b"}', index=1),
        chunk(b"{}", finish=b'"tool_calls"'),
        chunk(b"{}", finish=b'"stop"', index=1),
        b"data: [DONE]",
    ]


def test_usage_is_streamed_to_those_who_asked() -> None:
    """The last report closes the stream in a chunk without choices."""
    deltas = (Started("c1", "m"), UsageReport(Usage(prompt=1)), Finished("stop"), UsageReport(USAGE), Completed())
    assert written(*deltas, include_usage=True)[-2:] == [
        b"data: " + HEAD + b'],"usage":' + COUNTS + b"}",
        b"data: [DONE]",
    ]
    assert written(*deltas)[-2:] == [chunk(b"{}", finish=b'"stop"'), b"data: [DONE]"]


def test_a_relayed_stream_is_ended_by_its_end_mark_alone() -> None:
    """A writer that has said nothing yet adds nothing else."""
    assert writer(include_usage=True).write(Completed()) == b"data: [DONE]\n\n"


def test_a_stream_without_a_first_word() -> None:
    """Without a vendor's id the chunks carry ours, and the model that was asked for."""
    assert written(TextDelta("a"))[0].startswith(
        b'data: {"id":"chatcmpl-r1","object":"chat.completion.chunk","created":7,"model":"asked","choices":['
    )
    assert b'"id":"chatcmpl-r1"' in written(Started("", "m"))[0]


@pytest.mark.parametrize(
    ("error", "body"),
    [
        (
            InvalidRequest("`n`: Expected.", code="invalid_value", param="n"),
            b'{"error":{"message":"`n`: Expected.","type":"invalid_request_error","param":"n","code":"invalid_value"}}',
        ),
        (
            InsufficientQuota("Spent."),
            b'{"error":{"message":"Spent.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}',
        ),
        (
            UpstreamInterrupted('Broken "off"\n.'),
            (
                b'{"error":{"message":"Broken \\"off\\"\\n.","type":"upstream_error","param":null,'
                b'"code":"upstream_interrupted"}}'
            ),
        ),
    ],
)
def test_errors(error: FarthingError, body: bytes) -> None:
    """The envelope is the same in a body and in a broken stream, which has no end mark."""
    assert DIALECT.write_error(error, "r1") == body
    assert writer().error(error) == b"data: " + body + b"\n\n"

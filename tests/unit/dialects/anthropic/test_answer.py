"""Whole answers of the Messages API, read and written, and its errors."""

from typing import Any

import msgspec
import pytest

from farthing.dialects.anthropic import Anthropic
from farthing.dialects.base import ReplyFacts
from farthing.domain.chat import (
    Choice,
    Completion,
    FinishReason,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)
from farthing.domain.errors import (
    FarthingError,
    Forbidden,
    InsufficientQuota,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    RequestTimeout,
    RequestTooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
)

DIALECT = Anthropic()
FACTS = ReplyFacts(request_id="r-1", created_s=1)


def answer(*content: dict[str, Any], usage: object = None, stop_reason: str | None = "end_turn") -> bytes:
    """The body of an answer."""
    told = {} if usage is None else {"usage": usage}
    return msgspec.json.encode(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-4-7",
            "content": list(content),
            "stop_reason": stop_reason,
            "stop_sequence": None,
            **told,
        }
    )


def parts(*content: dict[str, Any]) -> tuple[Part, ...]:
    """The parts that these blocks are read as."""
    return DIALECT.read_completion(answer(*content)).choices[0].parts


def usage(**report: object) -> Usage | None:
    """The tokens that this report is read as."""
    return DIALECT.read_completion(answer(usage=report)).usage


def test_every_kind_of_block_is_read() -> None:
    """Text cut by citations is one text; the vendor's own tools leave no trace; a call keeps its bytes."""
    body = answer(
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        {"type": "text", "text": ""},
        {"type": "text", "text": "It is "},
        {"type": "text", "text": "sunny.", "citations": [{"type": "char_location"}]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}},
        stop_reason="tool_use",
    ).replace(b'"now","input":{}', b'"now","input":{"a": 1.0}')
    assert DIALECT.read_completion(body) == Completion(
        id="msg_1",
        model="claude-opus-4-7",
        choices=(
            Choice(
                (
                    Reasoning("Hm.", "c2ln"),
                    Reasoning("", "redacted:b3BhcXVl"),
                    Text("It is sunny."),
                    ToolCall("toolu_1", "now", '{"a": 1.0}'),
                ),
                "tool_calls",
            ),
        ),
    )


def test_a_call_without_input_has_empty_arguments() -> None:
    """Arguments are always JSON."""
    assert parts({"type": "tool_use", "id": "t", "name": "now"}) == (ToolCall("t", "now", "{}"),)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        (None, None),
    ],
)
def test_the_reason_for_the_end_is_read(reason: str | None, finish: FinishReason | None) -> None:
    """Each of the vendor's words has one of ours, new ones are `other`."""
    assert DIALECT.read_completion(answer(stop_reason=reason)).choices[0].finish == finish


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"id":"x"', b'{"id":"\xff"}', b"[" * 100_000])
def test_what_is_no_answer_is_called_so(body: bytes) -> None:
    """Garbage with a status of 200 is the provider's failure."""
    with pytest.raises(UpstreamInvalid):
        DIALECT.read_completion(body)


def test_cache_writes_are_counted_once() -> None:
    """The total and its split by lifetime speak of the same tokens."""
    assert usage(
        input_tokens=21,
        output_tokens=393,
        cache_read_input_tokens=188_086,
        cache_creation_input_tokens=456,
        cache_creation={"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 56},
        output_tokens_details={"thinking_tokens": 93},
    ) == Usage(prompt=21, cached=188_086, cache_write_5m=400, cache_write_1h=56, completion=300, reasoning=93)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"input_tokens": 5, "output_tokens": 7}, Usage(prompt=5, completion=7)),
        ({"input_tokens": 5}, Usage(prompt=5)),
        ({"output_tokens": 7, "cache_read_input_tokens": None}, Usage(completion=7)),
        ({"input_tokens": 5, "cache_creation_input_tokens": 9}, Usage(prompt=5, cache_write_5m=9)),
        (
            {"input_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 9}},
            Usage(prompt=5, cache_write_1h=9),
        ),
        (
            {
                "input_tokens": 5,
                "cache_creation_input_tokens": 4,
                "cache_creation": {"ephemeral_1h_input_tokens": 9},
            },
            Usage(prompt=5, cache_write_1h=4),
        ),
        ({"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {}}, Usage(prompt=5, completion=7)),
        (
            {"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 9}},
            Usage(prompt=5, reasoning=7),
        ),
        ({"input_tokens": -5, "output_tokens": 7}, None),
        ({"input_tokens": 10**12, "output_tokens": 7}, None),
        ({"input_tokens": "5", "output_tokens": 7}, None),
        ({"server_tool_use": {}}, None),
        ({"input_tokens": 5, "server_tool_use": {"web_search_requests": 0}}, Usage(prompt=5)),
        ({"input_tokens": 5, "server_tool_use": {"web_fetch_requests": 2}}, Usage(prompt=5)),
        ({"input_tokens": 5, "server_tool_use": {"web_search_requests": 2}}, Usage(prompt=5, web_searches=2)),
        ({"input_tokens": 5, "server_tool_use": {"web_search_requests": 1_001}}, Usage(prompt=5)),
        ({"input_tokens": 5, "server_tool_use": {"web_search_requests": "2"}}, Usage(prompt=5)),
        ({"input_tokens": 5, "server_tool_use": 2}, Usage(prompt=5)),
    ],
)
def test_reports_are_read_as_far_as_they_can_be_true(report: dict[str, object], expected: Usage | None) -> None:
    """What is missing is zero, and what cannot be true is no report."""
    assert usage(**report) == expected


def test_an_answer_is_written() -> None:
    """Parts become blocks, a picture has none, and the input leaves out what the cache did."""
    content = (
        Reasoning("Hm.", "c2ln"),
        Reasoning("", "redacted:b3Bh"),
        Text("Hi"),
        Image(url="u"),
        ToolCall("t", "f", "{}"),
    )
    used = Usage(
        prompt=10, cached=20, cache_write_5m=3, cache_write_1h=4, audio_in=1, image_in=2, completion=5, reasoning=6
    )
    completion = Completion(id="chatcmpl-1", model="m", choices=(Choice(content, "tool_calls"),), usage=used)
    assert DIALECT.write_completion(completion, FACTS) == (
        b'{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"m","content":['
        b'{"type":"thinking","thinking":"Hm.","signature":"c2ln"},'
        b'{"type":"redacted_thinking","data":"b3Bh"},'
        b'{"type":"text","text":"Hi"},'
        b'{"type":"tool_use","id":"t","name":"f","input":{}}],'
        b'"stop_reason":"tool_use","stop_sequence":null,'
        b'"usage":{"input_tokens":13,"cache_creation_input_tokens":7,"cache_read_input_tokens":20,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},'
        b'"output_tokens":11,"output_tokens_details":{"thinking_tokens":6}}}'
    )


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [('{"a": 1.0}', '{"a": 1.0}'), ("", "{}"), ("[1]", '{"arguments":[1]}'), ('{"a', '{"arguments":"{\\"a"}')],
)
def test_arguments_are_written_as_an_object(arguments: str, sent: str) -> None:
    """An object goes through byte for byte; callers' SDKs accept nothing else."""
    completion = Completion(id="msg_1", model="m", choices=(Choice((ToolCall("t", "f", arguments),), "tool_calls"),))
    assert f'"input":{sent}}}' in DIALECT.write_completion(completion, FACTS).decode()


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("other", "end_turn"),
        (None, "end_turn"),
    ],
)
def test_the_reason_for_the_end_is_written(finish: FinishReason | None, reason: str) -> None:
    """Each of our words has one of the dialect's."""
    body = DIALECT.write_completion(Completion(id="", model="m", choices=(Choice((), finish),)), FACTS)
    decoded = msgspec.json.decode(body)
    assert (decoded["id"], decoded["stop_reason"], decoded["usage"]["input_tokens"]) == ("msg_r-1", reason, 0)


def test_an_answer_without_choices_is_an_empty_message() -> None:
    """Nothing said is still a message."""
    assert (
        msgspec.json.decode(DIALECT.write_completion(Completion(id="", model="m", choices=()), FACTS))["content"] == []
    )


def test_what_is_written_is_read_again() -> None:
    """Reading a written answer gives the completion back."""
    content = (Reasoning("Hm.", "c2ln"), Text("Hi"), ToolCall("t", "f", '{"a":1}'))
    used = Usage(prompt=10, cached=20, cache_write_5m=3, cache_write_1h=4, completion=5, reasoning=6)
    completion = Completion(id="msg_1", model="m", choices=(Choice(content, "tool_calls"),), usage=used)
    assert DIALECT.read_completion(DIALECT.write_completion(completion, FACTS)) == completion


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("x"), "invalid_request_error"),
        (Unauthenticated("x"), "authentication_error"),
        (InsufficientQuota("x"), "billing_error"),
        (Forbidden("x"), "permission_error"),
        (NotFound("x"), "not_found_error"),
        (MethodNotAllowed("x"), "invalid_request_error"),
        (RequestTimeout("x"), "timeout_error"),
        (RequestTooLarge("x"), "request_too_large"),
        (UnsupportedMediaType("x"), "invalid_request_error"),
        (RateLimited("x"), "rate_limit_error"),
        (Unavailable("x"), "overloaded_error"),
        (UpstreamTimeout("x"), "timeout_error"),
        (UpstreamInvalid("x"), "api_error"),
        (FarthingError("x"), "api_error"),
    ],
)
def test_errors_are_told_in_the_vendors_words(error: FarthingError, kind: str) -> None:
    """The type follows from the status, and the request id stands in the body."""
    assert DIALECT.write_error(error, "r-1") == (
        b'{"type":"error","error":{"type":"%b","message":"x"},"request_id":"r-1"}' % kind.encode()
    )


def refused(status: int, kind: str, message: str) -> FarthingError:
    """What an error answer of the vendor's is read as."""
    body = msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
    return DIALECT.read_error(status, {"retry-after": "3"}, body)


def test_errors_are_understood() -> None:
    """The status decides; an account without credit is ours to mend, though it is told as the caller's mistake."""
    rejected = refused(400, "invalid_request_error", "max_tokens: too large")
    assert isinstance(rejected, UpstreamRejected)
    assert rejected.message == "The provider rejected the request: max_tokens: too large"
    overloaded = refused(529, "overloaded_error", "Overloaded")
    assert isinstance(overloaded, UpstreamOverloaded)
    assert overloaded.retry_after == 3
    broke = refused(400, "invalid_request_error", "Your credit balance is too low to access the API.")
    assert isinstance(broke, UpstreamUnauthorized)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":"x"}', b'{"error":{"message":"\xff"}}', b"[" * 100_000])
def test_errors_without_a_readable_body_go_by_their_status(body: bytes) -> None:
    """A proxy's page in front of the vendor changes nothing."""
    assert isinstance(DIALECT.read_error(503, {}, body), UpstreamOverloaded)

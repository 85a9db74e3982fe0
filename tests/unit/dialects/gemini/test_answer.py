"""Gemini's answers, whole and streamed, and its errors."""

from typing import Any

import msgspec
import pytest

from farthing.dialects.base import Event
from farthing.dialects.gemini import Gemini
from farthing.domain.chat import (
    Choice,
    Completed,
    Completion,
    Delta,
    Finished,
    FinishReason,
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

DIALECT = Gemini()


def candidate(*parts: dict[str, Any], reason: str | None = "STOP", index: int = 0) -> dict[str, Any]:
    """One alternative."""
    ended = {} if reason is None else {"finishReason": reason}
    return {"content": {"role": "model", "parts": list(parts)}, "index": index, **ended}


def answer(*candidates: dict[str, Any], **fields: object) -> bytes:
    """The body of an answer, or the data of an event."""
    body = {"candidates": list(candidates), "modelVersion": "gemini-3.8-flash", "responseId": "r1", **fields}
    return msgspec.json.encode(body)


def usage(**report: object) -> Usage | None:
    """The tokens that this report is read as."""
    return DIALECT.read_completion(answer(candidate({"text": "Hi"}), usageMetadata=report)).usage


def event(data: bytes) -> Event:
    """The event that holds this data."""
    return Event(b"", data, b"data: " + data + b"\n\n")


def read(*data: bytes) -> list[Delta]:
    """The deltas in these events, and those of the end."""
    reader = DIALECT.stream_reader()
    deltas = [delta for piece in data for delta in reader.read(event(piece)).deltas]
    return [*deltas, *reader.close()]


def test_every_kind_of_part_is_read() -> None:
    """Thinking, text in pieces, and calls; what the vendor's own tools did leaves no trace."""
    body = answer(
        candidate(
            {"text": "Hm.", "thought": True},
            {"text": "It is "},
            {"text": "sunny."},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"functionCall": {"name": "f", "args": {"a": 1}, "id": "x1"}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "g"}},
        )
    )
    completion = DIALECT.read_completion(body)
    call = completion.choices[0].parts[-1]
    assert isinstance(call, ToolCall)
    assert completion == Completion(
        id="r1",
        model="gemini-3.8-flash",
        choices=(
            Choice(
                (
                    Reasoning("Hm."),
                    Text("It is sunny."),
                    Reasoning("", "gemini:c2ln"),
                    ToolCall("x1", "f", '{"a":1}'),
                    ToolCall(call.id, "g", "{}"),
                ),
                "tool_calls",
            ),
        ),
    )


def test_ids_of_calls_are_made_the_same_every_time() -> None:
    """The same answer has the same ids, and another call, candidate or answer has others."""

    def ids(response: str, *names: str) -> list[str]:
        calls = [candidate(*({"functionCall": {"name": name}} for name in names), index=index) for index in (0, 1)]
        choices = DIALECT.read_completion(answer(*calls, responseId=response)).choices
        return [part.id for choice in choices for part in choice.parts if isinstance(part, ToolCall)]

    first = ids("r1", "f", "f")
    assert first == ids("r1", "f", "f")
    assert len({*first, *ids("r2", "f", "f")}) == 8
    assert all(len(made) == 29 and made.startswith("call_") for made in first)


def test_a_signature_closes_the_thinking_before_it() -> None:
    """Thinking in pieces and its signature are one part."""
    thoughts = candidate(
        {"text": "Hm", "thought": True},
        {"text": ".", "thought": True},
        {"functionCall": {"name": "f", "id": "x"}, "thoughtSignature": "c2ln"},
    )
    assert DIALECT.read_completion(answer(thoughts)).choices[0].parts == (
        Reasoning("Hm.", "gemini:c2ln"),
        ToolCall("x", "f", "{}"),
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "other"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_the_reason_for_the_end_is_read(reason: str, finish: FinishReason) -> None:
    """Each of the vendor's words has one of ours, new ones are `other`."""
    assert DIALECT.read_completion(answer(candidate({"text": "x"}, reason=reason))).choices[0].finish == finish


def test_a_call_cut_short_is_not_called_complete() -> None:
    """Only a model that stopped by itself has finished its calls."""
    body = answer(candidate({"functionCall": {"name": "f"}}, reason="MAX_TOKENS"))
    assert DIALECT.read_completion(body).choices[0].finish == "length"


def test_a_blocked_prompt_is_an_empty_answer() -> None:
    """The vendor answers 200 without a candidate."""
    body = answer(promptFeedback={"blockReason": "SAFETY"}, usageMetadata={"promptTokenCount": 9})
    completion = DIALECT.read_completion(body)
    assert completion.choices == (Choice((), "content_filter"),)
    assert completion.usage == Usage(prompt=9)


def test_alternatives_are_kept_apart() -> None:
    """Each candidate is a choice, in the order of their numbers."""
    body = answer(candidate({"text": "b"}, index=1), candidate({"text": "a"}, reason="MAX_TOKENS"), promptFeedback={})
    assert DIALECT.read_completion(body).choices == (Choice((Text("a"),), "length"), Choice((Text("b"),), "stop"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"candidates":5}',
        b'{"responseId":"\xff"}',
        b"[" * 100_000,
        answer(candidate(reason=None)),
    ],
)
def test_what_is_no_answer_is_called_so(body: bytes) -> None:
    """Garbage with a status of 200, and a candidate that never ended, are the provider's failure."""
    with pytest.raises(UpstreamInvalid):
        DIALECT.read_completion(body)


def test_cached_tokens_are_subtracted_once() -> None:
    """The prompt's count holds the cached tokens, the candidates' count leaves thinking out."""
    assert usage(
        promptTokenCount=100_000,
        cachedContentTokenCount=90_000,
        candidatesTokenCount=500,
        thoughtsTokenCount=300,
        toolUsePromptTokenCount=50,
        totalTokenCount=100_850,
        promptTokensDetails=[{"modality": "TEXT", "tokenCount": 100_000}],
        cacheTokensDetails=[{"modality": "TEXT", "tokenCount": 90_000}],
    ) == Usage(prompt=10_050, cached=90_000, completion=500, reasoning=300)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"promptTokenCount": 5}, Usage(prompt=5)),
        ({"promptTokenCount": 5, "cachedContentTokenCount": 9}, Usage(cached=5)),
        (
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 30,
                "candidatesTokenCount": 20,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 40},
                    {"modality": "AUDIO", "tokenCount": 50},
                    {"modality": "IMAGE", "tokenCount": 10},
                ],
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}, {"modality": "VIDEO"}],
                "candidatesTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 4},
                    {"modality": "IMAGE", "tokenCount": 6},
                ],
            },
            Usage(prompt=40, cached_audio=30, audio_in=20, image_in=10, completion=10, audio_out=4, image_out=6),
        ),
        (
            {
                "promptTokenCount": 10,
                "candidatesTokenCount": 5,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 11}],
                "candidatesTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 4},
                    {"modality": "IMAGE", "tokenCount": 6},
                ],
            },
            Usage(prompt=10, audio_out=4, image_out=1),
        ),
        (
            {
                "promptTokenCount": 50,
                "cachedContentTokenCount": 20,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 20},
                    {"modality": "AUDIO", "tokenCount": 30},
                ],
                "cacheTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 8},
                    {"modality": "AUDIO", "tokenCount": 12},
                ],
            },
            Usage(prompt=12, cached=8, cached_audio=12, audio_in=18),
        ),
        (
            {
                "promptTokenCount": 9,
                "cachedContentTokenCount": 4,
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
            },
            Usage(prompt=5, cached_audio=4),
        ),
        ({"candidatesTokenCount": 5}, None),
        ({"promptTokenCount": -5}, None),
        ({"promptTokenCount": 10**12}, None),
        ({"promptTokenCount": "5"}, None),
    ],
)
def test_reports_are_read_as_far_as_they_can_be_true(report: dict[str, object], expected: Usage | None) -> None:
    """Modalities are classes of their own, details never exceed their total, and the impossible is no report."""
    assert usage(**report) == expected


def test_a_stream_is_read() -> None:
    """Each event is a piece of an answer, and the end is every candidate's word for why it ended."""
    assert read(
        answer(candidate({"text": "Hm.", "thought": True}, reason=None), usageMetadata={"promptTokenCount": 3}),
        answer(candidate({"text": "Hel"}, reason=None)),
        answer(
            candidate({"text": "lo"}, {"text": ""}), usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 2}
        ),
        answer(candidate()),
    ) == [
        Started("r1", "gemini-3.8-flash"),
        ReasoningDelta("Hm."),
        UsageReport(Usage(prompt=3)),
        TextDelta("Hel"),
        TextDelta("lo"),
        Finished("stop"),
        UsageReport(Usage(prompt=3, completion=2)),
        Completed(),
    ]


def test_calls_of_a_stream_come_whole() -> None:
    """Positions go on from event to event."""
    deltas = read(
        answer(candidate({"functionCall": {"name": "f", "args": {}, "id": "a"}}, reason=None)),
        answer(candidate({"functionCall": {"name": "g", "args": {"x": 1}, "id": "b"}})),
    )
    assert deltas[1:] == [
        ToolCallDelta(0, "a", "f", "{}"),
        ToolCallDelta(1, "b", "g", '{"x":1}'),
        Finished("tool_calls"),
        Completed(),
    ]


def test_a_stream_is_whole_only_if_every_candidate_ended() -> None:
    """Bytes that end cleanly do not make an answer whole."""
    for data in (
        [],
        [answer(candidate({"text": "x"}, reason=None))],
        [answer(candidate(reason=None), candidate(index=1))],
    ):
        with pytest.raises(UpstreamInterrupted):
            read(*data)


def test_a_blocked_prompt_ends_a_stream() -> None:
    """There is nothing more to come."""
    assert read(answer(promptFeedback={"blockReason": "OTHER"}))[1:] == [Finished("content_filter"), Completed()]


@pytest.mark.parametrize("data", [b"", b"[DONE]", b'{"candidates":5}', b'{"responseId":"\xff"}'])
def test_garbage_is_called_so(data: bytes) -> None:
    """An event that cannot be read breaks the stream."""
    with pytest.raises(UpstreamInvalid):
        read(data)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 503, "message": "canary", "status": "UNAVAILABLE"}, UpstreamOverloaded),
        ({"code": 429, "message": "canary", "status": "RESOURCE_EXHAUSTED"}, UpstreamRateLimited),
        (5, UpstreamInvalid),
        ({}, UpstreamInvalid),
    ],
)
def test_an_error_event_is_raised(error: object, expected: type[UpstreamError]) -> None:
    """An error in mid-stream holds the status it would have had."""
    with pytest.raises(UpstreamError) as caught:
        read(msgspec.json.encode({"error": error}))
    assert type(caught.value) is expected
    assert "canary" not in caught.value.message


def test_events_are_relayed_as_they_came() -> None:
    """Nobody speaks this dialect to us, but the bytes would stay."""
    data = event(answer(candidate()))
    assert DIALECT.stream_reader().read(data).raw == data.raw


def body(code: int, message: str, *details: object) -> bytes:
    """The body of an error."""
    return msgspec.json.encode({"error": {"code": code, "message": message, "details": list(details)}})


def test_errors_are_understood() -> None:
    """The status decides, but a wrong key is told as a bad request, and a wait stands among the details."""
    rejected = DIALECT.read_error(400, {}, body(400, "Invalid value at 'contents'"))
    assert isinstance(rejected, UpstreamRejected)
    assert rejected.message == "The provider rejected the request: Invalid value at 'contents'"
    refused = DIALECT.read_error(400, {}, body(400, "API key not valid", {"reason": "API_KEY_INVALID"}))
    assert isinstance(refused, UpstreamUnauthorized)
    limited = DIALECT.read_error(429, {}, body(429, "Quota", {"x": 1}, {"retryDelay": "22.5s"}))
    assert isinstance(limited, UpstreamRateLimited)
    assert limited.retry_after == 22.5
    listed = DIALECT.read_error(404, {}, b"[" + body(404, "No such model") + b"]")
    assert listed.message == "The provider rejected the request: No such model"


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"[]", b'{"error":5}', b'{"error":{"message":"\xff"}}', b"[" * 100_000]
)
def test_errors_without_a_readable_body_go_by_their_status(data: bytes) -> None:
    """A proxy's page in front of the vendor changes nothing."""
    assert isinstance(DIALECT.read_error(503, {}, data), UpstreamOverloaded)

"""Gemini's answers, whole and streamed: a stream's events have the shape of a whole answer, each with a piece of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from farthing.dialects.base import Event, Piece
from farthing.dialects.gemini.errors import stream_error
from farthing.dialects.gemini.request import SIGNED_BY
from farthing.dialects.gemini.wire import Answer, AnswerPart, Candidate, FunctionCall, UsageMetadata
from farthing.domain.assembly import Assembly
from farthing.domain.chat import (
    Completed,
    Completion,
    Delta,
    Finished,
    FinishReason,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from farthing.domain.errors import UpstreamInterrupted, UpstreamInvalid

_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}

_ANSWER = msgspec.json.Decoder(Answer)
_USAGE = msgspec.json.Decoder(UsageMetadata)


def read_completion(body: bytes) -> Completion:
    """The answer in a body. Raises `UpstreamInvalid`."""
    reader, assembly = Reader(), Assembly()
    for delta in reader.answer(_decoded(body)):
        assembly.add(delta)
    if not reader.finished:
        raise UpstreamInvalid("The provider's answer holds no finished candidate.")
    return assembly.completion()


class Reader:
    """Reads one stream, or one whole answer as if it were the only event of a stream."""

    __slots__ = ("_calls", "_identifier", "_seen", "finished")

    def __init__(self) -> None:
        self._identifier: str | None = None
        self._calls: dict[int, int] = {}
        self._seen: set[int] = set()
        self.finished: set[int] = set()
        """The candidates whose end was told."""

    def read(self, event: Event) -> Piece:
        """What this event says."""
        return Piece(list(self.answer(_decoded(event.data))), event.raw)

    def skim(self, _: bytes) -> None:
        """Nothing: no event differs from another in its text alone."""

    def close(self) -> Sequence[Delta]:
        """The end: this dialect has no mark of its own but that every candidate told why it ended."""
        if not self.finished or self._seen - self.finished:
            raise UpstreamInterrupted("The provider's stream ended before the answer did.")
        return (Completed(),)

    def answer(self, answer: Answer) -> Iterator[Delta]:
        """The deltas in a piece of the answer."""
        if bytes(answer.error):
            raise stream_error(answer.error)
        if self._identifier is None:
            self._identifier = answer.response_id
            yield Started(answer.response_id, answer.model_version)
        for candidate in answer.candidates:
            yield from self._candidate(candidate)
        if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason is not None:
            self.finished.add(0)
            yield Finished("content_filter")
        if (usage := _usage(answer.usage_metadata)) is not None:
            yield UsageReport(usage)

    def _candidate(self, candidate: Candidate) -> Iterator[Delta]:
        choice = candidate.index
        self._seen.add(choice)
        for part in candidate.content.parts:
            yield from self._part(part, choice)
        if candidate.finish_reason is not None and choice not in self.finished:
            self.finished.add(choice)
            reason = _FINISH.get(candidate.finish_reason, "other")
            called = reason == "stop" and choice in self._calls
            yield Finished("tool_calls" if called else reason, choice)

    def _part(self, part: AnswerPart, choice: int) -> Iterator[Delta]:
        call = part.function_call
        if part.thought or (call is not None and part.thought_signature is not None):
            signature = None if part.thought_signature is None else SIGNED_BY + part.thought_signature
            yield ReasoningDelta(part.text if part.thought else "", signature, choice)
        elif part.text:
            yield TextDelta(part.text, choice)
        if call is not None:
            position = self._calls.get(choice, 0)
            self._calls[choice] = position + 1
            # A whole body comes indented, a stream does not: the arguments are the same.
            arguments = msgspec.json.format(bytes(call.args) or b"{}", indent=-1).decode()
            yield ToolCallDelta(position, self._call_id(call, choice, position), call.name, arguments, choice)

    def _call_id(self, call: FunctionCall, choice: int, position: int) -> str:
        """The vendor's id, or one that is the same whenever the same answer is read and differs between answers."""
        if call.id:
            return call.id
        seed = f"{self._identifier}/{choice}/{position}/{call.name}"
        return f"call_{hashlib.blake2s(seed.encode(), digest_size=12).hexdigest()}"


def _decoded(data: bytes) -> Answer:
    try:
        return _ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamInvalid("The provider's answer is none of generateContent.") from None


def read_report(body: bytes) -> Usage | None:
    """The tokens that a body tells of, whatever else is in it."""
    try:
        return _usage(_decoded(body).usage_metadata)
    except UpstreamInvalid:
        return None


def _usage(raw: Raw) -> Usage | None:
    """The tokens reported, or None where the report is absent or cannot be true."""
    try:
        return _USAGE.decode(raw).usage()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

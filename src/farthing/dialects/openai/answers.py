"""Answers of vendors who speak chat completions: whole bodies and the chunks of streams."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final, TypeVar

import msgspec

from farthing.dialects.base import Event, Piece
from farthing.dialects.openai.answered import Answer, Answered, AnsweredCall, AnsweredFunction, Reported, Said
from farthing.dialects.openai.errors import told
from farthing.dialects.openai.usage import read_usage
from farthing.dialects.stencil import Stencil, unlearned
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
    UsageReport,
)
from farthing.domain.errors import UpstreamInterrupted, UpstreamInvalid

T = TypeVar("T")

_FINISH: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_NOT_FINITE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)', re.DOTALL)
GARBAGE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading bytes raises that are no JSON, or none that anybody could mean."""
_DONE = b"[DONE]"
_COMPLETED: Final = (Completed(),)


_ANSWER = msgspec.json.Decoder(Answer)
_REPORTED = msgspec.json.Decoder(Reported)


def read_completion(body: bytes) -> Completion:
    """The answer in a whole body. Raises `UpstreamInvalid`, or what a body with an error in it stands for."""
    return _completion(_decoded(body))


def read_whole(body: bytes) -> tuple[Completion, bytes]:
    """As `read_completion`, and the body as callers get it: what the decoder takes has no NaN in it, so most are."""
    try:
        return _completion(_ANSWER.decode(body)), body
    except GARBAGE:
        clean = finite(body)
        return read_completion(clean), clean


def _completion(answer: Answer) -> Completion:
    if answer.error and not answer.choices:
        raise told(answer.error)
    if not answer.choices:
        raise UpstreamInvalid("The provider's answer has no choices.")
    choices = answer.choices
    if len(choices) > 1:
        choices = sorted(choices, key=lambda choice: choice.index or 0)
    return Completion(
        id=str(answer.id or ""),
        model=answer.model or "",
        choices=tuple(map(_choice, choices)),
        usage=read_usage(answer.usage),
    )


def finite(text: bytes) -> bytes:
    """`text` with NaN and Infinity, which JSON does not know, as null; the same object where there are none."""
    if b"NaN" not in text and b"Infinity" not in text:
        return text
    return _NOT_FINITE.sub(lambda found: found[0] if found[0].startswith(b'"') else b"null", text)


class Reader:
    """Understands one stream."""

    __slots__ = ("_calls", "_has_begun", "_is_done", "_last", "_unfinished", "skim")

    def __init__(self) -> None:
        self._has_begun = False
        self._is_done = False
        self._unfinished: dict[int, bool] = {}
        """Choices seen, and whether each is still being written."""
        self._calls: dict[tuple[int, int], str] = {}
        """Ids of the tool calls seen, by choice and position."""
        self._last: Piece | None = None
        """That said a single thing."""
        self.skim: Callable[[bytes], Piece | None] = unlearned

    def read(self, event: Event) -> Piece:
        """What this event says. Raises `UpstreamError` for an error event, `UpstreamInvalid` for garbage."""
        return self.skim(event.raw) or self._decode(event)

    def close(self) -> Sequence[Delta]:
        """The end, where every choice has finished: some vendors leave the end mark out.

        Raises `UpstreamInterrupted` where one has not.
        """
        if self._is_done:
            return ()
        if not self._unfinished or any(self._unfinished.values()):
            raise UpstreamInterrupted("The provider's stream ended before the answer did.")
        self._is_done = True
        return _COMPLETED

    def _decode(self, event: Event) -> Piece:
        data = event.data
        if data == _DONE:
            is_first, self._is_done, self.skim = not self._is_done, True, unlearned
            return Piece(_COMPLETED if is_first else (), event.raw)
        if not data or self._is_done:
            return Piece((), event.raw)
        try:
            chunk, raw = _ANSWER.decode(data), event.raw
        except GARBAGE:
            chunk, raw = _decoded(data), finite(event.raw)
        if chunk.error or event.name == b"error":
            raise told(chunk.error)
        deltas: list[Delta] = []
        # Azure's first chunk is about the prompt and has neither id nor choices.
        if not self._has_begun and (chunk.id or chunk.choices):
            self._has_begun = True
            deltas.append(Started(str(chunk.id or ""), chunk.model or ""))
        for choice in chunk.choices or ():
            self._hear(choice, deltas)
        usage = chunk.usage
        if usage is None:
            piece = Piece(deltas, raw)
            if len(deltas) == 1 and self.skim is unlearned and raw is event.raw:
                self._learn(piece)
            return piece
        if (counted := read_usage(usage)) is not None:
            deltas.append(UsageReport(counted))
        return Piece(deltas, raw, is_report=bool(usage) and not chunk.choices)

    def _learn(self, piece: Piece) -> None:
        """Remembers how an event looks that says a text and nothing else, if the last one said another alike."""
        last, self._last = self._last, piece
        if last is not None and (stencil := Stencil.of(last, piece)) is not None:
            self.skim = stencil.piece

    def _hear(self, choice: Answered, deltas: list[Delta]) -> None:
        """Appends what a chunk says of one choice."""
        index, said = choice.index or 0, choice.delta
        if said is not None:
            self._unfinished.setdefault(index, True)
            if thought := _thought(said):
                deltas.append(ReasoningDelta(thought, choice=index))
            if text := _text(said):
                deltas.append(TextDelta(text, index))
            if said.tool_calls:
                deltas += [self._call(call, index) for call in said.tool_calls]
            if said.function_call is not None:
                deltas.append(self._call(AnsweredCall(0, None, said.function_call), index))
        if choice.finish_reason:
            self._unfinished[index] = False
            deltas.append(Finished(_finish(choice.finish_reason), index))
        if choice.usage is not None and (counted := read_usage(choice.usage)) is not None:
            deltas.append(UsageReport(counted))

    def _call(self, call: AnsweredCall, choice: int) -> Delta:
        function = call.function or AnsweredFunction()
        position = self._position(call.id, function.name, choice) if call.index is None else call.index
        arguments = _arguments(function)
        if (choice, position) in self._calls:
            return ToolCallDelta(position, arguments=arguments, choice=choice)
        call_id = self._calls[choice, position] = call.id or f"call_{position}"
        return ToolCallDelta(position, call_id, function.name or "", arguments, choice)

    def _position(self, call_id: str | None, name: str | None, choice: int) -> int:
        """The place of a tool call from a vendor who numbers none: an id not seen yet, or a name, begins the next."""
        mine = [known for (owner, _), known in self._calls.items() if owner == choice]
        if call_id in mine:
            return mine.index(call_id)
        return len(mine) if call_id or name or not mine else len(mine) - 1


def _decoded(text: bytes) -> Answer:
    try:
        return _ANSWER.decode(text)
    except GARBAGE:
        pass
    try:
        return _REPORTED.decode(finite(text))
    except GARBAGE:
        raise UpstreamInvalid("The provider sent something that is no chat completion.") from None


def _choice(wired: Answered) -> Choice:
    said = wired.message or wired.delta or Said()
    parts: list[Part] = []
    if thought := _thought(said):
        parts.append(Reasoning(thought))
    if text := _text(said):
        parts.append(Text(text))
    if said.tool_calls:
        parts += map(_tool_call, said.tool_calls, count())
    elif said.function_call is not None:
        parts.append(_tool_call(AnsweredCall(function=said.function_call), 0))
    return Choice(tuple(parts), _finish(wired.finish_reason))


def _tool_call(call: AnsweredCall, position: int) -> ToolCall:
    function = call.function or AnsweredFunction()
    return ToolCall(call.id or f"call_{position}", function.name or "", _arguments(function))


def _finish(reason: str | None) -> FinishReason:
    return _FINISH.get(reason or "", "other")


def _thought(said: Said) -> str:
    if isinstance(said.content, list):
        thoughts = [part.get("thinking") for part in said.content if part.get("type") == "thinking"]
        return "".join(_joined(thought) for thought in thoughts)
    return said.reasoning_content or said.reasoning or ""


def _text(said: Said) -> str:
    if isinstance(said.content, list):
        return _joined([part for part in said.content if part.get("type") == "text"])
    return (said.content or "") + said.refusal if said.refusal else said.content or ""


def _joined(value: Any) -> str:
    """The text in a list of text parts, or the text itself."""
    if isinstance(value, list):
        return "".join(part["text"] for part in value if isinstance(part, dict) and isinstance(part.get("text"), str))
    return value if isinstance(value, str) else ""


def _arguments(function: AnsweredFunction) -> str:
    if isinstance(function.arguments, dict):
        return msgspec.json.encode(function.arguments).decode()
    return function.arguments or ""

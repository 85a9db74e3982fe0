"""Streams of the Messages API, understood event by event."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw, Struct, structs

from farthing.dialects.anthropic.answer import AnswerBlock, WireUsage, decode_usage, finish_reason, usage_of
from farthing.dialects.anthropic.errors import stream_error
from farthing.dialects.anthropic.generations import REDACTED
from farthing.dialects.base import Event, Piece
from farthing.dialects.stencil import Stencil, unlearned
from farthing.domain.chat import (
    Completed,
    Delta,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)
from farthing.domain.errors import UpstreamInterrupted, UpstreamInvalid


class _Message(Struct, frozen=True, gc=False):
    id: str
    model: str
    usage: Raw = Raw()


class _Change(Struct, frozen=True, gc=False):
    """The `delta` of any event."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None


class _Wired(Struct, frozen=True, gc=False):
    """Any event; which fields it has depends on its type."""

    type: str
    index: int = 0
    message: _Message | None = None
    content_block: AnswerBlock | None = None
    delta: _Change = _Change()
    usage: Raw = Raw()
    error: Raw = Raw()


class _OpenCall:
    """A tool call whose arguments may still come; `initial` stands if none do."""

    __slots__ = ("initial", "position")

    def __init__(self, position: int, initial: Raw) -> None:
        self.position = position
        self.initial: str | None = bytes(initial).decode() or "{}"


_EVENT = msgspec.json.Decoder(_Wired)
_NOTHING: tuple[Delta, ...] = ()
_CHANGE = "content_block_delta"


class Reader:
    """Reads one stream. Events of unknown type are skipped: the vendor may add some at any time."""

    __slots__ = ("_calls", "_handlers", "_is_complete", "_last", "_open", "_report", "skim")

    def __init__(self) -> None:
        self._is_complete = False
        self._report = WireUsage()
        self._calls = 0
        self._open: dict[int, _OpenCall] = {}
        self._last: Piece | None = None
        """That changed a block."""
        self.skim: Callable[[bytes], Piece | None] = unlearned
        self._handlers: dict[str, Callable[[_Wired], Sequence[Delta]]] = {
            _CHANGE: self._change,
            "content_block_start": self._begin_block,
            "content_block_stop": self._end_block,
            "message_start": self._begin,
            "message_delta": self._finish,
            "message_stop": self._end,
            "error": self._fail,
        }

    def read(self, event: Event) -> Piece:
        """What this event says. Raises `UpstreamError` for an error event, `UpstreamInvalid` for garbage."""
        return self.skim(event.raw) or self._decode(event)

    def _decode(self, event: Event) -> Piece:
        try:
            wired = _EVENT.decode(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UpstreamInvalid("The provider's stream holds an event that is none of the Messages API.") from None
        handler = self._handlers.get(wired.type)
        deltas = _NOTHING if handler is None or self._is_complete else handler(wired)
        piece = Piece(deltas, event.raw)
        if self.skim is unlearned and deltas and wired.type == _CHANGE:
            self._learn(piece)
        return piece

    def close(self) -> Sequence[Delta]:
        """Nothing more, if the end mark was seen."""
        if not self._is_complete:
            raise UpstreamInterrupted("The provider's stream ended before the answer did.")
        return _NOTHING

    def _learn(self, piece: Piece) -> None:
        """Remembers how an event looks that says a text, if the last one said another alike."""
        last, self._last = self._last, piece
        if last is not None and (stencil := Stencil.of(last, piece)) is not None:
            self.skim = stencil.piece

    def _begin(self, wired: _Wired) -> Sequence[Delta]:
        message = wired.message
        if message is None:
            raise UpstreamInvalid("The provider's stream starts without a message.")
        return (Started(message.id, message.model), *self._usage(message.usage))

    def _begin_block(self, wired: _Wired) -> Sequence[Delta]:
        block = wired.content_block
        if block is None:
            raise UpstreamInvalid("The provider's stream starts a block without telling which.")
        if block.type == "text":
            return (TextDelta(block.text),) if block.text else _NOTHING
        if block.type == "tool_use":
            call = self._open[wired.index] = _OpenCall(self._calls, block.input)
            self._calls += 1
            return (ToolCallDelta(call.position, block.id, block.name),)
        if block.type == "thinking":
            return (ReasoningDelta(block.thinking, block.signature or None),) if block.thinking else _NOTHING
        if block.type == "redacted_thinking":
            return (ReasoningDelta("", REDACTED + block.data),)
        return _NOTHING

    def _change(self, wired: _Wired) -> Sequence[Delta]:
        change = wired.delta
        if change.type == "text_delta":
            return (TextDelta(change.text),)
        if change.type == "input_json_delta":
            call = self._open.get(wired.index)
            if call is None or not change.partial_json:
                return _NOTHING
            call.initial = None
            return (ToolCallDelta(call.position, arguments=change.partial_json),)
        if change.type == "thinking_delta":
            return (ReasoningDelta(change.thinking),)
        if change.type == "signature_delta":
            return (ReasoningDelta("", change.signature),)
        return _NOTHING

    def _end_block(self, wired: _Wired) -> Sequence[Delta]:
        call = self._open.pop(wired.index, None)
        if call is None or call.initial is None:
            return _NOTHING
        return (ToolCallDelta(call.position, arguments=call.initial),)

    def _finish(self, wired: _Wired) -> Sequence[Delta]:
        reason = finish_reason(wired.delta.stop_reason)
        usage = self._usage(wired.usage)
        return usage if reason is None else (Finished(reason), *usage)

    def _end(self, _: _Wired) -> Sequence[Delta]:
        self._is_complete, self.skim = True, unlearned
        return (Completed(),)

    def _fail(self, wired: _Wired) -> Sequence[Delta]:
        raise stream_error(wired.error)

    def _usage(self, raw: Raw) -> Sequence[Delta]:
        """The report so far: each one repeats totals, and what it leaves out stands as it was."""
        report = decode_usage(raw)
        if report is None:
            return _NOTHING
        told = {name: value for name, value in structs.asdict(report).items() if value is not None}
        self._report = structs.replace(self._report, **told)
        usage = usage_of(self._report)
        return _NOTHING if usage is None else (UsageReport(usage),)

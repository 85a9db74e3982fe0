"""Streams of the Messages API, written to callers."""

from __future__ import annotations

from typing import Any

import msgspec

from farthing.dialects import sse
from farthing.dialects.anthropic import answer
from farthing.dialects.anthropic.errors import error_body
from farthing.dialects.anthropic.generations import REDACTED
from farthing.dialects.base import ReplyFacts
from farthing.domain.chat import (
    Completed,
    Delta,
    Finished,
    FinishReason,
    Reasoning,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from farthing.domain.errors import FarthingError


class Writer:
    """Writes one stream. Its callers know one choice only; deltas of others are left out."""

    __slots__ = ("_block", "_calls", "_count", "_facts", "_finish", "_has_begun", "_started", "_usage")

    def __init__(self, facts: ReplyFacts) -> None:
        self._facts = facts
        self._started = Started("", "")
        self._has_begun = False
        self._usage: Usage | None = None
        self._finish: FinishReason | None = None
        self._count = 0
        self._block: str | None = None
        self._calls: dict[int, int] = {}

    def write(self, delta: Delta) -> bytes:
        """The bytes for this delta.

        The first event waits for the first content, so that it can tell the input tokens if the vendor told them first.
        """
        if isinstance(delta, Started):
            self._started = delta
        elif isinstance(delta, UsageReport):
            self._usage = delta.usage
        elif isinstance(delta, Completed):
            return self._begin() + self._close() + self._end()
        elif delta.choice:
            return b""
        elif isinstance(delta, Finished):
            self._finish = delta.reason
        elif isinstance(delta, TextDelta):
            return self._text(delta)
        elif isinstance(delta, ReasoningDelta):
            return self._reasoning(delta)
        else:
            return self._call(delta)
        return b""

    def error(self, error: FarthingError) -> bytes:
        """The event that tells the caller the stream broke."""
        return sse.frame(error_body(error, self._facts.request_id), b"error")

    def _begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        message = {
            **answer.head(self._started.id or self._facts.request_id, self._started.model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": answer.write_usage(self._usage),
        }
        return _event("message_start", message=message)

    def _end(self) -> bytes:
        reason = {"stop_reason": answer.stop_reason(self._finish), "stop_sequence": None}
        usage = answer.write_usage(self._usage)
        return _event("message_delta", delta=reason, usage=usage) + _event("message_stop")

    def _text(self, delta: TextDelta) -> bytes:
        if not delta.text:
            return b""
        opened = self._open("text", {"type": "text", "text": ""})
        return opened + self._change({"type": "text_delta", "text": delta.text})

    def _reasoning(self, delta: ReasoningDelta) -> bytes:
        signature = delta.signature
        if signature is not None and signature.startswith(REDACTED):
            block = answer.write_reasoning(Reasoning("", signature))
            return self._open("redacted_thinking", block) + self._close()
        if not delta.text and signature is None:
            return b""
        said = self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if delta.text:
            said += self._change({"type": "thinking_delta", "thinking": delta.text})
        if signature is not None:
            said += self._change({"type": "signature_delta", "signature": signature}) + self._close()
        return said

    def _call(self, delta: ToolCallDelta) -> bytes:
        said = b""
        if delta.position not in self._calls:
            block = {"type": "tool_use", "id": delta.id or "", "name": delta.name or "", "input": {}}
            said = self._open(f"tool_use {delta.position}", block)
            self._calls[delta.position] = self._count - 1
        if delta.arguments:
            change = {"type": "input_json_delta", "partial_json": delta.arguments}
            said += _event("content_block_delta", index=self._calls[delta.position], delta=change)
        return said

    def _open(self, kind: str, block: dict[str, Any]) -> bytes:
        """What it takes until a block of this kind is the open one."""
        if self._block == kind:
            return b""
        said = self._begin() + self._close()
        self._block = kind
        self._count += 1
        return said + _event("content_block_start", index=self._count - 1, content_block=block)

    def _close(self) -> bytes:
        if self._block is None:
            return b""
        self._block = None
        return _event("content_block_stop", index=self._count - 1)

    def _change(self, change: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._count - 1, delta=change)


def _event(kind: str, **fields: Any) -> bytes:
    return sse.frame(msgspec.json.encode({"type": kind, **fields}), kind.encode())

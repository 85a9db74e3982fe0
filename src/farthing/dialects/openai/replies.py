"""Answers to callers who speak chat completions: whole, streamed, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from farthing.dialects import sse
from farthing.dialects.base import ReplyFacts
from farthing.domain.chat import (
    ChatRequest,
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
    Usage,
    UsageReport,
)
from farthing.domain.errors import FarthingError

DONE = b"data: [DONE]\n\n"
"""The end mark of a whole stream."""

_encode = msgspec.json.Encoder().encode


def write_completion(completion: Completion, facts: ReplyFacts) -> bytes:
    """The body of a whole answer."""
    body: dict[str, Any] = {
        "id": completion.id or _id(facts),
        "object": "chat.completion",
        "created": facts.created_s,
        "model": completion.model,
        "choices": [
            {
                "index": index,
                "message": _message(choice),
                "logprobs": None,
                "finish_reason": finish_reason(choice.finish),
            }
            for index, choice in enumerate(completion.choices)
        ],
    }
    if completion.usage is not None:
        body["usage"] = write_usage(completion.usage)
    return _encode(body)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Tokens as this dialect counts them: every class stands in the two totals, some once more in the details."""
    audio = usage.cached_audio
    read: dict[str, Any] = {"cached_tokens": usage.cached + audio, "audio_tokens": usage.audio_in + audio}
    if audio:
        read["cached_tokens_details"] = {"audio_tokens": audio}
    if written := usage.cache_write_5m + usage.cache_write_1h:
        read["cache_write_tokens"] = written
    return {
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in + usage.tokens_out,
        "prompt_tokens_details": read,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_out},
    }


def write_error(error: FarthingError, param: str | None = None) -> bytes:
    """The body of an error answer, and the data of an error event; `param` where the field has a name of its own."""
    where = param or error.param
    return _encode({"error": {"message": error.message, "type": error.type, "param": where, "code": error.code}})


def finish_reason(reason: FinishReason | None) -> str | None:
    """The dialect's word; whatever it has no word for is a stop."""
    return "stop" if reason == "other" else reason


class Writer:
    """Writes one stream."""

    __slots__ = ("_base", "_facts", "_greeted", "_include_usage", "_usage")

    def __init__(self, chat: ChatRequest, facts: ReplyFacts) -> None:
        self._facts = facts
        self._include_usage = chat.include_usage
        self._base: dict[str, Any] = self._head(_id(facts), chat.model)
        self._greeted: set[int] = set()
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        """The bytes for this delta: role first, usage only for those who asked, the end mark for `Completed` alone."""
        if isinstance(delta, Started):
            self._base = self._head(delta.id or _id(self._facts), delta.model)
            return self._greet(0)
        if isinstance(delta, UsageReport):
            self._usage = delta.usage
            return b""
        if isinstance(delta, Completed):
            return self._end()
        if isinstance(delta, Finished):
            return self._greet(delta.choice) + self._chunk(delta.choice, {}, finish_reason(delta.reason))
        if isinstance(delta, TextDelta):
            said: dict[str, Any] = {"content": delta.text}
        elif isinstance(delta, ReasoningDelta):
            if not delta.text:
                return b""
            said = {"reasoning_content": delta.text}
        else:
            function = {"name": delta.name} if delta.name is not None else {}
            call: dict[str, Any] = {"index": delta.position, "function": {**function, "arguments": delta.arguments}}
            if delta.id is not None:
                call |= {"id": delta.id, "type": "function"}
            said = {"tool_calls": [call]}
        return self._greet(delta.choice) + self._chunk(delta.choice, said)

    def error(self, error: FarthingError) -> bytes:
        """The event that tells the caller the stream broke; no end mark follows."""
        return sse.frame(write_error(error))

    def _greet(self, choice: int) -> bytes:
        if choice in self._greeted:
            return b""
        self._greeted.add(choice)
        return self._chunk(choice, {"role": "assistant", "content": ""})

    def _chunk(self, choice: int, said: Mapping[str, Any], reason: str | None = None) -> bytes:
        self._base["choices"] = [{"index": choice, "delta": said, "logprobs": None, "finish_reason": reason}]
        return sse.frame(_encode(self._base))

    def _end(self) -> bytes:
        if self._usage is None or not self._include_usage:
            return DONE
        return sse.frame(_encode({**self._base, "choices": [], "usage": write_usage(self._usage)})) + DONE

    def _head(self, stream_id: str, model: str) -> dict[str, Any]:
        created = self._facts.created_s
        return {"id": stream_id, "object": "chat.completion.chunk", "created": created, "model": model, "choices": []}


def _message(choice: Choice) -> dict[str, Any]:
    texts = [part.text for part in choice.parts if isinstance(part, Text)]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None}
    if thoughts := [part.text for part in choice.parts if isinstance(part, Reasoning)]:
        message["reasoning_content"] = "".join(thoughts)
    if calls := [part for part in choice.parts if isinstance(part, ToolCall)]:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    return message


def _id(facts: ReplyFacts) -> str:
    return f"chatcmpl-{facts.request_id}"

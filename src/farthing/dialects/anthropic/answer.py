"""Whole answers of the Messages API: read from the vendor, written to callers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from farthing.dialects.anthropic.generations import REDACTED
from farthing.dialects.base import ReplyFacts, searches
from farthing.domain.chat import Choice, Completion, FinishReason, Part, Reasoning, Text, ToolCall, Usage
from farthing.domain.errors import UpstreamInvalid

Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""Tokens. What is negative or beyond any call's size makes the whole report unbelievable."""

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOP_REASONS: dict[FinishReason | None, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class CacheCreation(Struct, frozen=True):
    """Tokens written to the prompt cache, by how long they stay."""

    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class OutputDetails(Struct, frozen=True):
    """What part of the output was thinking."""

    thinking_tokens: Count | None = None


class Iteration(Struct, frozen=True):
    """One of several runs of the model within a call."""

    type: str = ""
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None


class WireUsage(Struct, frozen=True):
    """The vendor's token report; `input_tokens` leaves out what was read from or written to the cache.

    A run that shortened the conversation is charged, but stands in `iterations` alone.
    """

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    iterations: list[Iteration] | None = None
    server_tool_use: Any = None
    """How often the vendor's own tools were used, by name."""


class AnswerBlock(Struct, frozen=True):
    """Any block of an answer; those of the vendor's own tools have other fields, which are not read."""

    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw()


class Answer(Struct, frozen=True):
    """The body of a 200."""

    id: str
    model: str
    content: list[AnswerBlock]
    stop_reason: str | None = None
    usage: Raw = Raw()


class Report(Struct, frozen=True):
    """As much of a body as is needed to charge for it."""

    usage: Raw = Raw()


_ANSWER = msgspec.json.Decoder(Answer)
_USAGE = msgspec.json.Decoder(WireUsage)
_REPORT = msgspec.json.Decoder(Report)


def read_completion(body: bytes) -> Completion:
    """The answer in a body. Raises `UpstreamInvalid`."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamInvalid("The provider's answer is not a message of the Messages API.") from None
    finish = finish_reason(answer.stop_reason)
    return Completion(
        id=answer.id,
        model=answer.model,
        choices=(Choice(tuple(_parts(answer.content)), finish),),
        usage=read_usage(answer.usage),
    )


def _parts(blocks: Iterable[AnswerBlock]) -> list[Part]:
    parts: list[Part] = []
    for block in blocks:
        last = parts[-1] if parts else None
        if block.type == "text" and isinstance(last, Text):
            # Citations cut one text into several blocks.
            parts[-1] = Text(last.text + block.text)
        elif block.type == "text" and block.text:
            parts.append(Text(block.text))
        elif block.type == "tool_use":
            parts.append(ToolCall(block.id, block.name, bytes(block.input).decode() or "{}"))
        elif block.type == "thinking":
            parts.append(Reasoning(block.thinking, block.signature or None))
        elif block.type == "redacted_thinking":
            parts.append(Reasoning("", REDACTED + block.data))
    return parts


def finish_reason(stop_reason: str | None) -> FinishReason | None:
    """Why the answer ended, in the domain's words."""
    return None if stop_reason is None else FINISH.get(stop_reason, "other")


def stop_reason(finish: FinishReason | None) -> str:
    """Why the answer ended, in this dialect's words."""
    return _STOP_REASONS.get(finish, "end_turn")


def read_usage(raw: Raw) -> Usage | None:
    """The tokens reported, or None where the report is absent or cannot be true."""
    report = decode_usage(raw)
    return None if report is None else usage_of(report)


def read_report(body: bytes) -> Usage | None:
    """The tokens that a body tells of, whatever else is in it."""
    try:
        return read_usage(_REPORT.decode(body).usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_usage(raw: Raw) -> WireUsage | None:
    """The vendor's report as it stands, or None where it is absent or cannot be true."""
    try:
        return _USAGE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def usage_of(report: WireUsage) -> Usage | None:
    """The report in disjoint classes, or None where it tells neither input nor output."""
    if report.input_tokens is None and report.output_tokens is None:
        return None
    output = report.output_tokens or 0
    details = report.output_tokens_details
    thinking = min(details.thinking_tokens or 0, output) if details is not None else 0
    five_minutes, one_hour = _written_to_cache(report)
    usage = Usage(
        prompt=report.input_tokens or 0,
        cached=report.cache_read_input_tokens or 0,
        cache_write_5m=five_minutes,
        cache_write_1h=one_hour,
        completion=output - thinking,
        reasoning=thinking,
        web_searches=searches(report.server_tool_use),
    )
    for run in report.iterations or ():
        if run.type == "compaction":
            usage = _with(usage, run)
    return usage


def _with(usage: Usage, run: Iteration) -> Usage:
    five_minutes, one_hour = _written_to_cache(run)
    return replace(
        usage,
        prompt=usage.prompt + (run.input_tokens or 0),
        cached=usage.cached + (run.cache_read_input_tokens or 0),
        cache_write_5m=usage.cache_write_5m + five_minutes,
        cache_write_1h=usage.cache_write_1h + one_hour,
        completion=usage.completion + (run.output_tokens or 0),
    )


def _written_to_cache(report: WireUsage | Iteration) -> tuple[int, int]:
    """Tokens written for five minutes and for an hour."""
    split = report.cache_creation or CacheCreation()
    one_hour, five_minutes = split.ephemeral_1h_input_tokens or 0, split.ephemeral_5m_input_tokens or 0
    written = report.cache_creation_input_tokens
    if written is not None:
        # The total stands: it holds the very tokens of the split, which a stream's last report no longer repeats.
        one_hour = min(one_hour, written)
        five_minutes = written - one_hour
    return five_minutes, one_hour


def write_completion(completion: Completion, facts: ReplyFacts) -> bytes:
    """The body of a whole answer."""
    choice = completion.choices[0] if completion.choices else Choice((), None)
    content = [block for part in choice.parts if (block := write_part(part)) is not None]
    return msgspec.json.encode(
        {
            **head(completion.id or facts.request_id, completion.model),
            "content": content,
            "stop_reason": stop_reason(choice.finish),
            "stop_sequence": None,
            "usage": write_usage(completion.usage),
        }
    )


def head(identifier: str, model: str) -> dict[str, Any]:
    """The fields a message begins with."""
    identifier = identifier if identifier.startswith("msg_") else f"msg_{identifier}"
    return {"id": identifier, "type": "message", "role": "assistant", "model": model}


def write_part(part: Part) -> dict[str, Any] | None:
    """A part of an answer as a block, None where the dialect has none for it."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part.arguments)}
    if isinstance(part, Reasoning):
        return write_reasoning(part)
    return None


def write_reasoning(part: Reasoning) -> dict[str, Any]:
    """Thinking as a block."""
    signature = part.signature or ""
    if signature.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": signature.removeprefix(REDACTED)}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def _input(arguments: str) -> Raw | dict[str, Any]:
    """The arguments untouched where they are an object; callers' SDKs accept nothing else."""
    try:
        decoded = msgspec.json.decode(arguments or "{}")
    except msgspec.DecodeError:
        decoded = arguments
    return Raw(arguments.encode() or b"{}") if isinstance(decoded, dict) else {"arguments": decoded}


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """The token report; this dialect does not tell audio and pictures apart from text."""
    usage = usage or Usage()
    return {
        "input_tokens": usage.prompt + usage.audio_in + usage.image_in,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cached + usage.cached_audio,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.tokens_out,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }

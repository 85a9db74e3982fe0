"""Token counts of vendors who speak this dialect, sorted into classes that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple

from farthing.dialects.base import searches
from farthing.dialects.openai.answered import (
    CachedDetails,
    CompletionDetails,
    PromptDetails,
    Report,
    ResponsesUsage,
    WiredUsage,
)
from farthing.domain.chat import Usage

_NOT_TOLD_IN, _NOT_TOLD_CACHED, _NOT_TOLD_OUT = PromptDetails(), CachedDetails(), CompletionDetails()
_NOTHING = (0, 0, 0, 0)


def read_usage(value: Any) -> Usage | None:
    """The tokens of a usage object, decoded or typed; None where there is none, or one that cannot be true."""
    if value is None:
        return None
    wired = value if type(value) is WiredUsage else _wired(value)
    if wired is None or not (wired.prompt_tokens or wired.completion_tokens):
        return None
    if _is_plain(wired):
        return Usage(prompt=wired.prompt_tokens, completion=wired.completion_tokens)
    read = wired.prompt_tokens_details or _NOT_TOLD_IN
    wrote = wired.completion_tokens_details or _NOT_TOLD_OUT
    kinds = read.cached_tokens_details or _NOT_TOLD_CACHED
    cached_audio = kinds.audio_tokens or 0
    prompt, cached, written, audio_in, image_in = _disjoint(
        wired.prompt_tokens,
        read.cached_tokens or wired.prompt_cache_hit_tokens or wired.cached_tokens,
        read.cache_write_tokens,
        max(0, (read.audio_tokens or 0) - cached_audio),
        max(0, (read.image_tokens or 0) - (kinds.image_tokens or 0)),
    )
    cached_audio = min(cached_audio, cached)
    thought, total = _written(wired, wrote.reasoning_tokens or 0)
    completion, reasoning, audio_out, image_out = _disjoint(total, thought, wrote.audio_tokens, wrote.image_tokens)
    return Usage(
        prompt=prompt,
        cached=cached - cached_audio,
        cached_audio=cached_audio,
        cache_write_5m=written,
        audio_in=audio_in,
        image_in=image_in,
        completion=completion,
        reasoning=reasoning,
        audio_out=audio_out,
        image_out=image_out,
        web_searches=wired.num_search_queries or searches(wired.server_tool_use),
    )


def _is_plain(wired: WiredUsage) -> bool:
    """Whether it tells of input and output in full and of nothing else, as most do."""
    if wired.prompt_cache_hit_tokens or wired.cached_tokens or wired.num_search_queries or wired.server_tool_use:
        return False
    if (wired.total_tokens or 0) > wired.prompt_tokens + wired.completion_tokens:
        return False
    read, wrote = wired.prompt_tokens_details, wired.completion_tokens_details
    return not (read and any(astuple(read))) and not (wrote and any(astuple(wrote)))


_REPORT = msgspec.json.Decoder(Report)


def read_report(body: bytes) -> Usage | None:
    """The tokens that a body tells of, whatever else is in it."""
    try:
        return read_usage(_REPORT.decode(body).usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _wired(value: Any) -> WiredUsage | None:
    try:
        return msgspec.convert(value, WiredUsage)
    except msgspec.ValidationError:
        pass
    try:
        counted = msgspec.convert(value, ResponsesUsage)
    except msgspec.ValidationError:
        return None
    return WiredUsage(
        prompt_tokens=counted.input_tokens,
        completion_tokens=counted.output_tokens,
        total_tokens=counted.total_tokens,
        prompt_tokens_details=counted.input_tokens_details,
        completion_tokens_details=counted.output_tokens_details,
    )


def _written(wired: WiredUsage, reasoning: int) -> tuple[int, int]:
    """The reasoning, and everything the model wrote.

    xAI leaves the reasoning out of the completion, and Gemini, spoken to in this dialect, does not tell of it at all:
    only the total shows it.
    """
    completion = wired.completion_tokens
    apart = 0 if wired.total_tokens is None else wired.total_tokens - wired.prompt_tokens - completion
    if apart > 0 and reasoning == 0:
        return apart, completion + apart
    if reasoning > completion or apart == reasoning:
        return reasoning, completion + reasoning
    return reasoning, completion


def _disjoint(total: int, *classes: int | None) -> Sequence[int]:
    """What is left of the total, then each class, cut so that they sum to the total."""
    if not any(classes):
        return (total, *_NOTHING[: len(classes)])
    counts = []
    for count in classes:
        counts.append(min(count or 0, total))
        total -= counts[-1]
    return [total, *counts]

"""Token counts of vendors who speak this dialect, sorted into classes that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from farthing.dialects.openai.answered import CompletionDetails, PromptDetails, WiredUsage
from farthing.domain.chat import Usage

_NOT_TOLD_IN, _NOT_TOLD_OUT = PromptDetails(), CompletionDetails()
_NOTHING = (0, 0, 0, 0)


def read_usage(value: Any) -> Usage | None:
    """The tokens of a usage object, decoded or typed; None where there is none, or one that cannot be true."""
    if value is None:
        return None
    try:
        wired = value if type(value) is WiredUsage else msgspec.convert(value, WiredUsage)
    except msgspec.ValidationError:
        return None
    if not wired.prompt_tokens and not wired.completion_tokens:
        return None
    read = wired.prompt_tokens_details or _NOT_TOLD_IN
    wrote = wired.completion_tokens_details or _NOT_TOLD_OUT
    prompt, cached, written, audio_in, image_in = _disjoint(
        wired.prompt_tokens,
        read.cached_tokens or wired.prompt_cache_hit_tokens,
        read.cache_write_tokens,
        read.audio_tokens,
        read.image_tokens,
    )
    completion, reasoning, audio_out, image_out = _disjoint(
        _written(wired, wrote.reasoning_tokens or 0), wrote.reasoning_tokens, wrote.audio_tokens, wrote.image_tokens
    )
    return Usage(
        prompt=prompt,
        cached=cached,
        cache_write_5m=written,
        audio_in=audio_in,
        image_in=image_in,
        completion=completion,
        reasoning=reasoning,
        audio_out=audio_out,
        image_out=image_out,
    )


def _written(wired: WiredUsage, reasoning: int) -> int:
    """Everything the model wrote: xAI leaves the reasoning out of the completion, and only the total shows it."""
    apart = wired.completion_tokens + reasoning
    if reasoning > wired.completion_tokens or wired.total_tokens == wired.prompt_tokens + apart:
        return apart
    return wired.completion_tokens


def _disjoint(total: int, *classes: int | None) -> Sequence[int]:
    """What is left of the total, then each class, cut so that they sum to the total."""
    if not any(classes):
        return (total, *_NOTHING[: len(classes)])
    counts = []
    for count in classes:
        counts.append(min(count or 0, total))
        total -= counts[-1]
    return [total, *counts]

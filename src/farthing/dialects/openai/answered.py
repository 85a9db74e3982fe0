"""What vendors who speak chat completions answer, as it comes over the wire."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from farthing.dialects.base import MOST_SEARCHES

Count = Annotated[int, Meta(ge=0, le=100_000_000)]
"""A number of tokens that a single call can have."""


class CachedDetails(Struct):
    """What the cached tokens were, as far as a vendor tells."""

    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class PromptDetails(Struct):
    """What the prompt's tokens were, as far as a vendor tells."""

    cached_tokens: Count | None = None
    cached_tokens_details: CachedDetails | None = None
    cache_write_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class CompletionDetails(Struct):
    """What the completion's tokens were, as far as a vendor tells."""

    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class WiredUsage(Struct):
    """The usage object; DeepSeek (`prompt_cache_hit_tokens`) and Moonshot tell of cached tokens outside the details.

    Perplexity (`num_search_queries`) and OpenRouter (`server_tool_use`) tell how often they searched the web.
    """

    prompt_tokens: Count
    completion_tokens: Count = 0
    total_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: Count | None = None
    cached_tokens: Count | None = None
    num_search_queries: Annotated[int, Meta(ge=0, le=MOST_SEARCHES)] | None = None
    server_tool_use: Any = None


class ResponsesUsage(Struct):
    """The usage object in the words of the Responses API, which some vendors use for chat completions as well."""

    input_tokens: Count
    output_tokens: Count = 0
    total_tokens: Count | None = None
    input_tokens_details: PromptDetails | None = None
    output_tokens_details: CompletionDetails | None = None


class AnsweredFunction(Struct, gc=False):
    """A function the model wants called, or a piece of that wish."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class AnsweredCall(Struct, gc=False):
    """A tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: AnsweredFunction | None = None


class Said(Struct, gc=False):
    """What the model said, whole (`message`) or in part (`delta`).

    `content` is a list at Mistral's thinking models; `reasoning` is OpenRouter's, Groq's and Cerebras' word for
    DeepSeek's `reasoning_content`.
    """

    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[AnsweredCall] | None = None
    function_call: AnsweredFunction | None = None


class Answered(Struct, gc=False):
    """One choice, whole or in part. Moonshot's streams report their `usage` in the last choice."""

    index: int | None = None
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    usage: WiredUsage | None = None


class Answer(Struct, gc=False):
    """A body or a chunk."""

    id: str | int | None = None
    model: str | None = None
    choices: list[Answered] | None = None
    usage: WiredUsage | None = None
    error: Any = None


class ReportedChoice(Answered):
    """A choice whose usage may be anything."""

    usage: Any = None


class Reported(Answer):
    """An answer whose usage may be anything: it is worth reading even so."""

    choices: list[ReportedChoice] | None = None  # type: ignore[assignment]  # read only, so a narrower list will do
    usage: Any = None


class Report(Struct):
    """As much of a body as is needed to charge for it."""

    usage: Any = None

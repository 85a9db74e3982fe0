"""Pure translation between vendors' bytes and the domain's words. A dialect is a package here and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from farthing.dialects.anthropic import Anthropic
from farthing.dialects.anthropic.count_tokens import CountTokens
from farthing.dialects.base import InboundDialect, UpstreamDialect
from farthing.dialects.gemini import Gemini
from farthing.dialects.native import Native
from farthing.dialects.openai import OpenAI
from farthing.dialects.openai.embedding import Embeddings
from farthing.dialects.openai.responses import Responses
from farthing.domain.errors import InvalidRequest

_OPENAI, _ANTHROPIC, _EMBEDDINGS = OpenAI(), Anthropic(), Embeddings()
_RESPONSES = Responses()
COUNT_TOKENS: Final = CountTokens()

INBOUND: Final[Mapping[str, InboundDialect]] = {
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    "native": Native(),
    "embeddings": _EMBEDDINGS,
    "responses": _RESPONSES,
    "count_tokens": COUNT_TOKENS,
}
"""What callers may speak."""

UPSTREAM: Final[Mapping[str, UpstreamDialect]] = {
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    "gemini": Gemini(),
    "responses": _RESPONSES,
}
"""What providers may speak, and kept answers are written in."""


def upstream_for(inbound: str, provider: str, *, has_responses: bool = False) -> UpstreamDialect:
    """What to speak to a provider of the dialect `provider` for a request that came in as `inbound`.

    `has_responses` where the provider answers OpenAI's Responses API beside its chat completions. Raises
    `InvalidRequest` where that vendor has no such thing.
    """
    if inbound != _EMBEDDINGS.name:
        if inbound == _RESPONSES.name and has_responses:
            return _RESPONSES
        return COUNT_TOKENS if inbound == COUNT_TOKENS.name and provider == _ANTHROPIC.name else UPSTREAM[provider]
    if provider != _OPENAI.name:
        raise InvalidRequest(
            "This model's vendor has no embeddings in OpenAI's form. Ask for another provider's embedding model.",
            code="unsupported_model",
            param="model",
        )
    return _EMBEDDINGS

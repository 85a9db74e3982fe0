"""What a request needs of a model, and which models can give it."""

from __future__ import annotations

from collections.abc import Sequence

from farthing.domain.catalogue import Capability, Model, Tier
from farthing.domain.chat import ChatRequest
from farthing.domain.errors import InvalidRequest
from farthing.domain.routing.plan import Needs
from farthing.domain.tokens import measure

LIKELY_TOKENS_OUT: dict[Tier, int] = {"simple": 250, "moderate": 500, "complex": 1_000}
"""Output that prompts of a tier are answered with, before anything is learned."""

SURE_OVERFLOW = 1.5
"""A request is refused for its length only where the estimate is more than this many times the context window."""

_CANNOT: dict[Capability, str] = {
    "tools": "cannot use tools",
    "images": "cannot see images",
    "json": "cannot be held to JSON",
    "reasoning": "cannot reason on request",
}
_PARAMS: dict[Capability, str] = {"tools": "tools", "images": "messages", "json": "response_format"}
_NONE: frozenset[Capability] = frozenset()
_NO_EFFORT = (None, "none", "minimal")
_REASONING: frozenset[Capability] = frozenset({"reasoning"})


def read_needs(chat: ChatRequest, tier: Tier) -> Needs:
    """What a request that asks for this tier needs of any model."""
    likely = LIKELY_TOKENS_OUT[tier]
    limit = chat.max_tokens
    size = measure(chat)
    return Needs(
        tokens_in=size.tokens,
        most_in=size.most,
        picture_chars=size.picture_chars,
        tokens_out=(likely if limit is None else min(likely, limit)) * chat.n,
        max_tokens=limit,
        answers=chat.n,
        has_unseen=chat.has_unseen,
        capabilities=_capabilities(chat, has_pictures=size.has_pictures),
    )


def _capabilities(chat: ChatRequest, *, has_pictures: bool) -> frozenset[Capability]:
    needed: list[Capability] = ["images"] if has_pictures else []
    if chat.tools:
        needed.append("tools")
    if chat.response_format is not None:
        needed.append("json")
    if chat.reasoning_tokens or chat.reasoning_effort not in _NO_EFFORT:
        needed.append("reasoning")
    return frozenset(needed) if needed else _NONE


def capable(models: Sequence[Model], needs: Needs) -> Sequence[Model]:
    """The models that can do what is needed and have room for it.

    Thinking is a wish: where no model can think on request, the others serve. Room for the likely output is one, too,
    and so is the estimate itself: where it fits nowhere, the models stay for which it may be wrong.

    Raises:
        InvalidRequest: No model has the capabilities, or none the context window.
    """
    able = _able(models, needs.capabilities) or _able(models, needs.capabilities - _REASONING)
    if not able:
        wanted = sorted(needs.capabilities - _REASONING)
        raise InvalidRequest(
            f"No model that may be routed to has what this request needs ({', '.join(wanted)}). "
            "Ask for a model by name, or leave it out.",
            code="no_capable_model",
            param=_PARAMS[wanted[0]],
        )
    room = needs.tokens_in + needs.tokens_out
    least = needs.tokens_in / SURE_OVERFLOW
    roomy = fitting(able, room) or fitting(able, least)
    if not roomy:
        raise too_long(needs, max(model.context_tokens or 0 for model in able))
    return roomy


def _able(models: Sequence[Model], capabilities: frozenset[Capability]) -> Sequence[Model]:
    return [model for model in models if capabilities <= model.capabilities] if capabilities else models


def fitting(models: Sequence[Model], tokens: float) -> Sequence[Model]:
    """The models whose context window holds this many tokens; a window nobody knows counts as one that does."""
    return [model for model in models if model.context_tokens is None or model.context_tokens >= tokens]


def obstacle(model: Model, needs: Needs) -> str:
    """Why `capable` leaves out this model."""
    for capability in sorted(needs.capabilities - model.capabilities):
        return _CANNOT[capability]
    return f"context window {model.context_tokens or 0:,} < {needs.tokens_in + needs.tokens_out:,} needed"


def too_long(needs: Needs, window: int, advice: str | None = None) -> InvalidRequest:
    """The refusal of a request that fits into no context window, the longest being `window` tokens."""
    return InvalidRequest(
        f"This request has about {needs.tokens_in:,} tokens and the context window holds {window:,}. "
        f"{advice or 'Shorten the messages.'}",
        code="context_length_exceeded",
        param="messages",
    )

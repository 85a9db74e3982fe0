"""Anthropic's counting of a request's tokens, which buys nothing: passed through, or estimated here."""

from __future__ import annotations

from typing import Any

import msgspec

from farthing.dialects.anthropic import Anthropic, inbound, request
from farthing.dialects.base import WireRequest, require_translatable
from farthing.domain.chat import ChatRequest, Completion, Usage
from farthing.domain.tokens import estimate_request

PATH = f"{request.PATH}/count_tokens"


class CountTokens(Anthropic):
    """Both sides. In the domain's words the request is an empty one: nothing is held or charged for its size."""

    name = "count_tokens"

    def read_request(self, tree: Any) -> ChatRequest:
        """The request in the decoded JSON body, checked as one for an answer. Raises `InvalidRequest`."""
        asked = _asked(tree)
        return ChatRequest(model=asked.model, messages=(), max_tokens=0, user=asked.user)

    def pass_through(self, body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:  # noqa: ARG002
        """The caller's own bytes, the model changed if it must be."""
        return msgspec.structs.replace(request.pass_through(body, tree, upstream_model), path=PATH)

    def read_completion(self, body: bytes) -> Completion:  # noqa: ARG002
        """An answer that used nothing, whatever was counted."""
        return Completion(id="", model="", choices=(), usage=Usage())

    def read_whole(self, body: bytes) -> tuple[Completion, bytes]:
        """The answer in a whole body, and the body as callers get it."""
        return self.read_completion(body), body


def estimated(tree: Any) -> bytes:
    """The body of an answer that we give ourselves. Raises `InvalidRequest` for content of this vendor alone."""
    asked = _asked(tree)
    require_translatable(asked)
    return msgspec.json.encode({"input_tokens": estimate_request(asked)})


def _asked(tree: Any) -> ChatRequest:
    """The request whose tokens are counted: one for an answer, but that no limit has to be named."""
    return inbound.read_request({"max_tokens": 1, **tree})

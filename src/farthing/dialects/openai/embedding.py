"""OpenAI's embeddings as a dialect of their own: no conversation, no stream, the vendor's answer as it is."""

from __future__ import annotations

from typing import Any

from farthing.dialects import strict
from farthing.dialects.base import WireRequest
from farthing.dialects.openai import OpenAI, embeddings
from farthing.domain.catalogue import VIRTUAL_MODELS
from farthing.domain.chat import ChatRequest, Completion, Message, Text

CHARACTERS_PER_TOKEN = 4
"""Stands for each token id, so that inputs of either kind are estimated alike."""


class Embeddings(OpenAI):
    """Both sides; always passed through. In the domain's words the inputs are one user message, there for its size."""

    name = "embeddings"

    def read_request(self, tree: Any) -> ChatRequest:
        """The request in the decoded JSON body. Raises `InvalidRequest` with the path of the offending field."""
        request = embeddings.read_request(tree)
        if request.model in VIRTUAL_MODELS:
            raise strict.invalid("model", "Name an embedding model: vectors of different models do not compare")
        inputs = [tree["input"]] if isinstance(tree["input"], str) else tree["input"]
        text = "\n".join(part for part in inputs if isinstance(part, str))
        sized = text or "x" * (CHARACTERS_PER_TOKEN * request.token_count)
        return ChatRequest(
            model=request.model, messages=(Message("user", (Text(sized),)),), max_tokens=0, user=request.user
        )

    def pass_through(self, body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:  # noqa: ARG002
        """The caller's own bytes, the model changed if it must be."""
        return embeddings.pass_through(body, embeddings.read_request(tree), upstream_model)

    def read_completion(self, body: bytes) -> Completion:
        """The usage of an answer; it has no choices. Raises `UpstreamInvalid`."""
        return Completion(id="", model="", choices=(), usage=embeddings.read_answer(body))

    def read_whole(self, body: bytes) -> tuple[Completion, bytes]:
        """The answer in a whole body, and the body as callers get it."""
        return self.read_completion(body), self.relay_whole(body)

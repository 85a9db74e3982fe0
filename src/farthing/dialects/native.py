"""Farthing's own `POST /complete`: a prompt in, an answer and everything it cost out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from farthing.dialects import strict
from farthing.dialects.base import ReplyFacts, StreamWriter
from farthing.dialects.openai import replies
from farthing.domain.chat import ChatRequest, Completion, Message, Text
from farthing.domain.errors import FarthingError

Id = Annotated[str, Meta(min_length=1, max_length=256)]


class NativeRequest(Struct, frozen=True, kw_only=True):
    """The body of `POST /complete`; `max_tokens` limits the answer."""

    prompt: Annotated[str, Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    auto_route: bool = False
    """Whether the configured strategy routes the prompt; otherwise its complexity does."""
    tokenizer_id: Id | None = None
    experiment_id: Id | int | None = None
    user_id: Id | None = None


def read_native(tree: Any) -> NativeRequest:
    """The request in the decoded JSON body. Raises `InvalidRequest` with the path of the offending field."""
    return strict.read_as(tree, NativeRequest, {})


class Native:
    """The caller's side of the dialect; errors are told as OpenAI's."""

    name = "native"

    def read_request(self, tree: Any) -> ChatRequest:
        """The prompt as a conversation of one turn, routed."""
        request = read_native(tree)
        return ChatRequest(
            model="auto" if request.auto_route else "farthing/complexity",
            messages=(Message("user", (Text(request.prompt),)),),
            max_tokens=request.max_tokens,
            user=request.user_id,
        )

    def extras(self, tree: Any) -> Mapping[str, Any]:
        """Fields beside the request: `tokenizer_id`, `experiment_id` and `user_id`, None where they are not given."""
        request = read_native(tree)
        return {
            "tokenizer_id": request.tokenizer_id,
            "experiment_id": request.experiment_id,
            "user_id": request.user_id,
        }

    def write_completion(self, completion: Completion, facts: ReplyFacts) -> bytes:
        """The body of an answer: its text beside what the gateway tells about it."""
        return msgspec.json.encode(
            {"request_id": facts.request_id, "response": completion.text, **(facts.native or {})}
        )

    def stream_writer(self, chat: ChatRequest, facts: ReplyFacts) -> StreamWriter:
        """OpenAI's writer: `/complete` never streams."""
        return replies.Writer(chat, facts)

    def write_error(self, error: FarthingError, request_id: str) -> bytes:  # noqa: ARG002
        """The body of an error answer."""
        return replies.write_error(error, "prompt" if error.param == "messages" else None)

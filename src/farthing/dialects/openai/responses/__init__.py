"""OpenAI's Responses API: passed through to vendors who speak it, translated for all others."""

from __future__ import annotations

from typing import Any

from farthing.dialects import strict
from farthing.dialects.base import ReplyFacts, StreamReader, StreamWriter, WireRequest
from farthing.dialects.openai import OpenAI
from farthing.dialects.openai.replies import write_error
from farthing.dialects.openai.responses import answers, inbound, replies
from farthing.dialects.openai.upstream import JSON
from farthing.domain.chat import ChatRequest, Completion
from farthing.domain.errors import FarthingError

PATH = "/responses"


class Responses(OpenAI):
    """Both sides; to its own vendors nothing is ever written but the caller's own bytes."""

    name = "responses"

    def read_request(self, tree: Any) -> ChatRequest:
        """The request in the decoded JSON body. Raises `InvalidRequest` with the path of the offending field."""
        return inbound.read_request(tree)

    def write_completion(self, completion: Completion, facts: ReplyFacts) -> bytes:
        """The body of a whole answer."""
        return replies.write_completion(completion, facts)

    def write_error(self, error: FarthingError, request_id: str) -> bytes:  # noqa: ARG002
        """The body of an error answer."""
        return write_error(error, replies.field_of(error))

    def stream_writer(self, chat: ChatRequest, facts: ReplyFacts) -> StreamWriter:
        """A writer for one stream."""
        return replies.Writer(chat, facts)

    def pass_through(self, body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:  # noqa: ARG002
        """The caller's own bytes, the model changed if it must be."""
        changes = {} if chat.model == upstream_model else {"model": upstream_model}
        return WireRequest(path=PATH, body=strict.splice(body, changes) if changes else body, headers=JSON)

    def read_completion(self, body: bytes) -> Completion:
        """The answer in a whole body."""
        return answers.read_completion(body)

    def read_whole(self, body: bytes) -> tuple[Completion, bytes]:
        """The answer in a whole body, and the body as callers get it."""
        return answers.read_whole(body)

    def stream_reader(self) -> StreamReader:
        """A reader for one stream."""
        return answers.Reader()

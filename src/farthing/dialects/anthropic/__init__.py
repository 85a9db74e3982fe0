"""Anthropic's Messages API, as callers speak it and as the vendor does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farthing.dialects.anthropic import answer, errors, inbound, request
from farthing.dialects.anthropic.reader import Reader
from farthing.dialects.anthropic.writer import Writer
from farthing.dialects.base import ReplyFacts, StreamReader, StreamWriter, WireRequest
from farthing.domain.chat import ChatRequest, Completion, Usage
from farthing.domain.errors import FarthingError, UpstreamError


class Anthropic:
    """Both sides of the dialect. The base URL of a provider ends before `/v1`: https://api.anthropic.com."""

    name = "anthropic"

    def read_request(self, tree: Any) -> ChatRequest:
        """The request in the decoded JSON body."""
        return inbound.read_request(tree)

    def extras(self, tree: Any) -> Mapping[str, Any]:  # noqa: ARG002
        """Nothing: every field belongs to the request."""
        return {}

    def write_completion(self, completion: Completion, facts: ReplyFacts) -> bytes:
        """The body of a whole answer."""
        return answer.write_completion(completion, facts)

    def stream_writer(self, chat: ChatRequest, facts: ReplyFacts) -> StreamWriter:  # noqa: ARG002
        """A writer for one stream."""
        return Writer(facts)

    def write_error(self, error: FarthingError, request_id: str) -> bytes:
        """The body of an error answer."""
        return errors.error_body(error, request_id)

    def auth_headers(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that carry the provider's key."""
        return ((b"x-api-key", api_key.encode()),)

    def write_request(self, chat: ChatRequest, upstream_model: str) -> WireRequest:
        """The request for this model, translated."""
        return request.write_request(chat, upstream_model)

    def pass_through(self, body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:  # noqa: ARG002
        """The caller's own bytes, the model changed if it must be."""
        return request.pass_through(body, tree, upstream_model)

    def read_completion(self, body: bytes) -> Completion:
        """The answer in a whole body."""
        return answer.read_completion(body)

    def read_whole(self, body: bytes) -> tuple[Completion, bytes]:
        """The answer in a whole body, and the body as callers get it."""
        return answer.read_completion(body), body

    def read_report(self, body: bytes) -> Usage | None:
        """What a body without an answer tells of its tokens."""
        return answer.read_report(body)

    def stream_reader(self) -> StreamReader:
        """A reader for one stream."""
        return Reader()

    def relay_whole(self, body: bytes) -> bytes:
        """The same bytes."""
        return body

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """The error behind a status of 400 or more."""
        return errors.read_error(status, headers, body)

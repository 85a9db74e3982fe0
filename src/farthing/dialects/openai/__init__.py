"""OpenAI's chat completions, as callers speak them and as most vendors do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farthing.dialects.base import ReplyFacts, StreamReader, StreamWriter, WireRequest
from farthing.dialects.openai import answers, errors, inbound, replies, upstream
from farthing.dialects.openai.usage import read_report
from farthing.domain.chat import ChatRequest, Completion, Usage
from farthing.domain.errors import FarthingError, UpstreamError


class OpenAI:
    """Both sides of the dialect. The base URL of a provider ends in its version: https://api.openai.com/v1."""

    name = "openai"

    def read_request(self, tree: Any) -> ChatRequest:
        """The request in the decoded JSON body."""
        return inbound.read_request(tree)

    def extras(self, tree: Any) -> Mapping[str, Any]:  # noqa: ARG002
        """Nothing: every field belongs to the request."""
        return {}

    def write_completion(self, completion: Completion, facts: ReplyFacts) -> bytes:
        """The body of a whole answer."""
        return replies.write_completion(completion, facts)

    def stream_writer(self, chat: ChatRequest, facts: ReplyFacts) -> StreamWriter:
        """A writer for one stream."""
        return replies.Writer(chat, facts)

    def write_error(self, error: FarthingError, request_id: str) -> bytes:  # noqa: ARG002
        """The body of an error answer."""
        return replies.write_error(error)

    def auth_headers(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that carry the provider's key."""
        return ((b"authorization", b"Bearer " + api_key.encode()),)

    def write_request(self, chat: ChatRequest, upstream_model: str) -> WireRequest:
        """The request for this model, translated."""
        return upstream.write_request(chat, upstream_model)

    def pass_through(self, body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:
        """The caller's own bytes, with the model and the wish for usage put in where they differ."""
        return upstream.pass_through(body, tree, chat, upstream_model)

    def read_completion(self, body: bytes) -> Completion:
        """The answer in a whole body."""
        return answers.read_completion(body)

    def read_whole(self, body: bytes) -> tuple[Completion, bytes]:
        """The answer in a whole body, and the body as callers get it."""
        return answers.read_whole(body)

    def read_report(self, body: bytes) -> Usage | None:
        """What a body without an answer tells of its tokens."""
        return read_report(body)

    def stream_reader(self) -> StreamReader:
        """A reader for one stream."""
        return answers.Reader()

    def relay_whole(self, body: bytes) -> bytes:
        """The same bytes; log probabilities of minus infinity, which some vendors send, become null."""
        return answers.finite(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """The error behind a status of 300 or more."""
        return errors.read_error(status, headers, body)

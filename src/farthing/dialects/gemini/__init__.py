"""Gemini's generateContent, as Google speaks it; nobody calls Farthing in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farthing.dialects.base import StreamReader, WireRequest
from farthing.dialects.gemini import answer, errors, request
from farthing.domain.chat import ChatRequest, Completion, Usage
from farthing.domain.errors import UpstreamError


class Gemini:
    """The upstream side. The base URL of a provider ends in the version: …googleapis.com/v1beta."""

    name = "gemini"

    def auth_headers(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that carry the provider's key."""
        return ((b"x-goog-api-key", api_key.encode()),)

    def write_request(self, chat: ChatRequest, upstream_model: str) -> WireRequest:
        """The request for this model, translated."""
        return request.write_request(chat, upstream_model)

    def pass_through(self, body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:  # noqa: ARG002
        """The same as `write_request`: no caller speaks this dialect, so there are no bytes to keep."""
        return request.write_request(chat, upstream_model)

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
        return answer.Reader()

    def relay_whole(self, body: bytes) -> bytes:
        """The same bytes."""
        return body

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """The error behind a status of 400 or more."""
        return errors.read_error(status, headers, body)

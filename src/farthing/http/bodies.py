"""Bodies of requests: bounded, known to be read or not, and JSON as strict as on the hot routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from farthing.dialects import strict
from farthing.http.errors import Message, Pairs
from farthing.http.headers import Headers, RawHeaders, check_length, check_media_type, too_large

CLOSE: Pairs = [(b"connection", b"close")]
"""Sent with an answer before the whole body was read, so that nobody takes the rest for the next request."""


def has_body(raw: RawHeaders) -> bool:
    """Whether these headers announce a body."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in raw)


class BoundedBody:
    """A request's `receive`. Raises `RequestTooLarge` as soon as more than `limit` bytes have come."""

    def __init__(self, receive: Callable[[], Awaitable[Message]], raw: RawHeaders, limit: int) -> None:
        self._receive = receive
        self._limit = self._left = limit
        self.is_read = not has_body(raw)
        """Whether the whole body has been received."""

    async def __call__(self) -> Message:
        """The next message of the server."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise too_large(self._limit)
            self.is_read = not message.get("more_body", False)
        return message

    def check(self, headers: Headers) -> None:
        """Raises `RequestTooLarge` for a body that says it is over the limit."""
        check_length(headers, self._limit)


class StrictRoute(APIRoute):
    """A route whose body, where it has one, must be declared as JSON and is decoded as on the hot routes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a strict request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_strictly(request: Request) -> Response:
            check_media_type(Headers(request.scope["headers"]))
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> dict[str, Any]:
        """The object in the body. Raises `InvalidRequest`."""
        return strict.decode(await self.body())

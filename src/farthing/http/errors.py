"""Errors on their way out: status, headers and an envelope in the caller's dialect."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeVar

from farthing.dialects import INBOUND
from farthing.dialects.base import InboundDialect
from farthing.domain.errors import (
    Conflict,
    FarthingError,
    InsufficientQuota,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamError,
)
from farthing.http.ratelimits import limit_headers

logger = logging.getLogger(__name__)
T = TypeVar("T")
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]


class InternalError(FarthingError):
    """Something nobody expected; the log has it under the request id."""

    default_code = "internal_error"


def lines(headers: Pairs) -> bytes:
    """Headers as they are sent, each with the end of its line."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def pairs(sent: bytes) -> Pairs:
    """What `lines` made of them."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in sent.splitlines())]


def id_headers(request_id: str) -> Pairs:
    """The two names under which SDKs look for the id."""
    value = request_id.encode()
    return [(b"x-request-id", value), (b"request-id", value)]


def error_headers(error: FarthingError) -> Pairs:
    """Headers that tell a client whether and when to try again."""
    headers: Pairs = []
    if error.retry_after is not None and not isinstance(error, InsufficientQuota):
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after))).encode()))
        if isinstance(error, RateLimited):
            headers.append((b"retry-after-ms", b"%d" % math.ceil(error.retry_after * 1000)))
    if isinstance(error, InsufficientQuota | UpstreamError) or _is_final(error):
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="farthing"'))
    return headers


def _is_final(error: FarthingError) -> bool:
    """Whether the same request will never be served, though clients repeat others of this status."""
    return isinstance(error, Conflict | RateLimited) and error.retry_after is None


def error_answer(
    error: FarthingError, dialect: InboundDialect, request_id: str, more: Pairs
) -> tuple[int, Pairs, bytes]:
    """Status, headers and body of an error's answer, in the caller's dialect."""
    body = dialect.write_error(error, request_id)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *id_headers(request_id),
        *error_headers(error),
        *(limit_headers(error.standings, dialect.name) if isinstance(error, RateLimited) else ()),
        *more,
    ]
    return error.status, headers, body


async def send_error(
    send: Send, error: FarthingError, *, dialect: InboundDialect, request_id: str, headers: Pairs | None = None
) -> None:
    """Sends a whole error answer."""
    status, pairs, body = error_answer(error, dialect, request_id, headers or [])
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def deny_socket(scope: Mapping[str, Any], send: Send, error: FarthingError) -> None:
    """Refuses a WebSocket's handshake as any other request is refused, where the server can tell it."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1013 if isinstance(error, Unavailable) else 1008})
        return
    status, headers, body = error_answer(error, INBOUND["native"], scope["state"]["request_id"], [])
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def envelope(error: FarthingError, request_id: str) -> bytes:
    """The body for routes that belong to no vendor's dialect."""
    return INBOUND["native"].write_error(error, request_id)


def known_error(error: Exception, request_id: str) -> FarthingError:
    """What is said of an error; one that nobody expected is logged and becomes a clean one."""
    if isinstance(error, FarthingError):
        # Its frames hold the body, and whoever holds the error: 32 MiB that would wait for the collector.
        return error.with_traceback(None)
    logger.error("request %s failed", request_id, exc_info=error)
    return InternalError(f"Something went wrong inside the gateway. Quote the request id {request_id} when you ask.")


def tried(work: Callable[[bytes], T], body: bytes, request_id: str) -> T | FarthingError:
    """What the work on a body returns, or else what went wrong with it."""
    try:
        return work(body)
    except Exception as error:
        return known_error(error, request_id)


async def guarded(work: Awaitable[None], request_id: str) -> FarthingError | None:
    """Runs the work of one request and returns what went wrong with it."""
    try:
        await work
    except Exception as error:
        return known_error(error, request_id)
    return None

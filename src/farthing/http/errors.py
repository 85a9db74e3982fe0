"""Errors on their way out: status, headers and an envelope in the caller's dialect."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from farthing.dialects import INBOUND
from farthing.dialects.base import InboundDialect
from farthing.domain.errors import FarthingError, InsufficientQuota, Unauthenticated, UpstreamError

logger = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]


class InternalError(FarthingError):
    """Something nobody expected; the log has it under the request id."""

    default_code = "internal_error"


def id_headers(request_id: str) -> Pairs:
    """The two names under which SDKs look for the id."""
    value = request_id.encode()
    return [(b"x-request-id", value), (b"request-id", value)]


def error_headers(error: FarthingError) -> Pairs:
    """Headers that tell a client whether and when to try again."""
    headers: Pairs = []
    if error.retry_after is not None and not isinstance(error, InsufficientQuota):
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after))).encode()))
    if isinstance(error, InsufficientQuota | UpstreamError):
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="farthing"'))
    return headers


async def send_error(
    send: Send, error: FarthingError, *, dialect: InboundDialect, request_id: str, headers: Pairs | None = None
) -> None:
    """Sends a whole error answer."""
    body = dialect.write_error(error, request_id)
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *id_headers(request_id),
                *error_headers(error),
                *(headers or ()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def envelope(error: FarthingError, request_id: str) -> bytes:
    """The body for routes that belong to no vendor's dialect."""
    return INBOUND["native"].write_error(error, request_id)


async def guarded(work: Awaitable[None], request_id: str) -> FarthingError | None:
    """Runs the work of one request; an error nobody expected is logged and comes back clean."""
    try:
        await work
    except FarthingError as error:
        return error
    except Exception:
        logger.exception("request %s failed", request_id)
        return InternalError(
            f"Something went wrong inside the gateway. Quote the request id {request_id} when you ask."
        )
    return None

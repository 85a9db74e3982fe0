"""Bodies of requests: bounded, and known to be read or not."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable

from farthing.domain.errors import InvalidRequest, RequestTimeout
from farthing.http.errors import Message, Pairs
from farthing.http.headers import Headers, RawHeaders, check_length, too_large

CLOSE: Pairs = [(b"connection", b"close")]
"""Sent with an answer before the whole body was read, so that nobody takes the rest for the next request."""


_PACKED_PIECE, _PLAIN_PIECE = 64 * 1024, 1024 * 1024
"""Bytes unpacked, and made of them, at a time: a few milliseconds, after which it is the others' turn."""
_GZIP_BITS = 31
"""To zlib: gzip's header, and the largest window."""


async def unpacked(body: bytes, limit: int) -> bytes:
    """What gzip packed into `body`. Raises `RequestTooLarge` over `limit` bytes, `InvalidRequest` if it is no gzip."""
    unpacker = zlib.decompressobj(wbits=_GZIP_BITS)
    parts: list[bytes] = []
    left = limit
    try:
        for start in range(0, len(body), _PACKED_PIECE):
            packed = body[start : start + _PACKED_PIECE]
            while packed:
                parts.append(unpacker.decompress(packed, _PLAIN_PIECE))
                left -= len(parts[-1])
                if left < 0:
                    # Whoever handles the error may keep it, and with it this frame.
                    parts.clear()
                    raise too_large(limit)
                packed = unpacker.unconsumed_tail
                if packed:
                    await asyncio.sleep(0)
    except zlib.error:
        raise _not_gzip() from None
    if not unpacker.eof or unpacker.unused_data:
        raise _not_gzip()
    return b"".join(parts)


def _not_gzip() -> InvalidRequest:
    return InvalidRequest("The body is not what gzip makes: send one whole gzip member.", code="invalid_encoding")


def late_body() -> RequestTimeout:
    """What a caller whose body does not arrive is told."""
    return RequestTimeout("The rest of the body did not arrive. Send it faster, and without long pauses.")


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

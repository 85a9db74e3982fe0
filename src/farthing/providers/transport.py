"""Carries requests to providers over pooled HTTP/1.1 connections."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from msgspec import Struct

from farthing.domain.errors import UpstreamInterrupted
from farthing.ports import Deadlines, UpstreamRequest
from farthing.providers.pool import Origin, Pool
from farthing.providers.response import Response

MAX_TARGETS = 1024
"""Addresses whose request line is remembered."""

LIMIT_PER_HOST = 10_000
"""Connections of one worker to one address: as many streams as it can carry, and well within its open files."""

_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_PATH = re.compile(r"[!-~]+")
_OURS = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"accept-encoding", b"expect", b"te"}
)


class Target(Struct, frozen=True):
    """Where a URL leads: the pool, and the first lines of a request."""

    pool: Pool
    opening: bytes


class HttpTransport:
    """A `Transport` over sockets.

    Redirects are answers like any other, nothing is followed. No compression is asked for. A request is sent a second
    time in one case only: the kept connection it went out on was found dead within a moment, before a byte came back.
    """

    def __init__(
        self, *, limit_per_host: int = LIMIT_PER_HOST, keep_s: float = 45.0, tls: ssl.SSLContext | None = None
    ) -> None:
        """Unused connections are kept for `keep_s` seconds; without `tls` the system's authorities are trusted."""
        self._limit = limit_per_host
        self._keep_s = keep_s
        self._tls = tls
        self._pools: dict[Origin, Pool] = {}
        self._targets: dict[tuple[str, str], Target] = {}

    @property
    def pools(self) -> Mapping[Origin, Pool]:
        """Every address asked so far, with the figures of its pool."""
        return self._pools

    async def send(self, request: UpstreamRequest) -> Response:
        """The response once its headers are here.

        Raises `UpstreamUnreachable`, `UpstreamTimeout`, `UpstreamInvalid`, `UpstreamInterrupted`; `ValueError` for a
        URL or header that cannot be sent.
        """
        target = self._targets.get((request.method, request.url)) or self._target(request.method, request.url)
        pool, body, deadlines = target.pool, request.body, request.deadlines
        head = b"%bcontent-length: %d\r\n%b\r\n" % (target.opening, len(body), _header_block(request.headers))
        hard = pool.now() + deadlines.total
        connection = pool.take() or await pool.lease(_within(deadlines))
        response = connection.start(head, body, deadlines, hard)
        try:
            await response.opened()
        except UpstreamInterrupted:
            if not response.unanswered:
                raise
            connection = await pool.lease(_within(deadlines), fresh=True)
            response = connection.start(head, body, deadlines, hard)
            await response.opened()
        return response

    async def aclose(self) -> None:
        """Drops every connection; from then on nothing is sent."""
        for pool in self._pools.values():
            await pool.aclose()

    def _target(self, method: str, url: str) -> Target:
        parts = urlsplit(url)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        host = parts.hostname
        if parts.scheme not in _PORTS or not host or "@" in parts.netloc or not _PATH.fullmatch(path + parts.netloc):
            raise ValueError(
                "an upstream URL is http or https with a host, without user name, spaces or control characters"
            )
        if not _TOKEN.fullmatch(method.encode("ascii")):
            raise ValueError("an upstream method is a token of ASCII letters")
        origin = Origin(parts.scheme == "https", host, parts.port or _PORTS[parts.scheme])
        opening = f"{method} {path} HTTP/1.1\r\nhost: {parts.netloc}\r\n".encode("ascii")
        if len(self._targets) >= MAX_TARGETS:
            self._targets.clear()
        target = self._targets[method, url] = Target(self._pool(origin), opening)
        return target

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            tls = self._context() if origin.secure else None
            pool = self._pools[origin] = Pool(
                loop=asyncio.get_running_loop(), origin=origin, tls=tls, limit=self._limit, keep_s=self._keep_s
            )
        return pool

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _within(deadlines: Deadlines) -> float:
    """Seconds for a connection."""
    return min(deadlines.connect, deadlines.total)


@lru_cache(maxsize=256)
def _header_block(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """The headers as lines. Raises `ValueError`, without the value, for one that would break the request apart."""
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS or not _VALUE.fullmatch(value):
            raise ValueError(
                f"header {name!r} cannot be sent: its name is the transport's own, or it holds a line break"
            )
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])

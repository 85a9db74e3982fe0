"""The connections to one address: kept for the next request, opened when none is free, never more than the limit."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque

from msgspec import Struct

from farthing.domain.errors import ConnectTimeout, UpstreamError, UpstreamUnreachable
from farthing.providers.connection import READ_BYTES, Connection


class Origin(Struct, frozen=True):
    """Scheme, host and port."""

    secure: bool
    host: str
    port: int


class Pool:
    """Leases connections to one origin.

    `limit` bounds the leases; as a kept connection is used before a new one is opened, it bounds the sockets as well.
    """

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, origin: Origin, tls: ssl.SSLContext | None, limit: int, keep_s: float
    ) -> None:
        """Unused connections are kept for `keep_s` seconds; `tls` is None for plain HTTP."""
        self._loop = loop
        self.now = loop.time
        """Seconds on the clock that its connections keep their deadlines by."""
        self._origin = origin
        self._tls = tls
        self._limit = limit
        self._keep_s = keep_s
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._kept: dict[Connection, None] = {}
        self._open: set[Connection] = set()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed: asyncio.Future[None] | None = None
        self.leased = 0
        """Connections in use or being opened."""

    @property
    def kept(self) -> int:
        """Connections waiting for the next request."""
        return len(self._kept)

    @property
    def waiting(self) -> int:
        """Requests that wait, each within its deadline to connect, for one of the connections to be given back."""
        return len(self._waiters)

    @property
    def open(self) -> int:
        """Sockets."""
        return len(self._open)

    def take(self) -> Connection | None:
        """A kept connection, the one used last, if there is one that nobody waits for."""
        if self.leased >= self._limit:
            return None
        connection = self._pick()
        if connection is not None:
            self.leased += 1
        return connection

    async def lease(self, within: float, *, fresh: bool = False) -> Connection:
        """A connection, within this many seconds; a `fresh` one was never used before.

        Raises `UpstreamUnreachable` where there is nobody to connect to, `ConnectTimeout` where it takes too long.
        """
        try:
            async with asyncio.timeout(within):
                await self._slot()
                try:
                    return (None if fresh else self._pick()) or await self._connect()
                except BaseException:
                    self._free()
                    raise
        except TimeoutError as error:
            raise ConnectTimeout(f"The provider took no connection within {within:g} s.") from error
        except (OSError, UnicodeError) as error:
            raise _unreachable(error) from error

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """See `connection.Home`."""
        if reusable:
            self._kept[connection] = None
        self._free()

    def lost(self, connection: Connection) -> None:
        """See `connection.Home`."""
        self._open.discard(connection)
        self._kept.pop(connection, None)
        if self._closed is not None and not self._open and not self._closed.done():
            self._closed.set_result(None)

    async def aclose(self) -> None:
        """Drops every connection and returns when their sockets are closed; who waits for one is told."""
        if self._closed is None:
            self._closed = self._loop.create_future()
        while self._waiters:
            self.leased += 1
            self._free()
        for connection in self._open:
            connection.drop()
        if self._open:
            await asyncio.shield(self._closed)

    def _pick(self) -> Connection | None:
        while self._kept:
            connection, _ = self._kept.popitem()
            if connection.is_open:
                return connection
        return None

    async def _slot(self) -> None:
        if self.leased < self._limit:
            self.leased += 1
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self._free()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def _free(self) -> None:
        """Passes the lease on to whoever waits longest, so that nobody overtakes."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.leased -= 1

    async def _connect(self) -> Connection:
        if self._closed is not None:
            raise _stopping()
        if len(self._open) >= self._limit and self._kept:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            oldest.drop()
        _, connection = await self._loop.create_connection(
            self._new, self._origin.host, self._origin.port, ssl=self._tls
        )
        if self._closed is not None:
            connection.drop()
            raise _stopping()
        if not connection.is_open:
            raise ConnectionResetError
        self._open.add(connection)
        return connection

    def _new(self) -> Connection:
        return Connection(loop=self._loop, home=self, buffer=self._buffer, keep_s=self._keep_s)


def _stopping() -> UpstreamError:
    return UpstreamUnreachable("The gateway is stopping.")


def _unreachable(error: Exception) -> UpstreamError:
    """Says what went wrong without the address, which callers need not know."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return UpstreamUnreachable("The provider's host name cannot be resolved.")
    if isinstance(error, ssl.SSLError):
        return UpstreamUnreachable("No trusted TLS connection to the provider.")
    if isinstance(error, ConnectionRefusedError):
        return UpstreamUnreachable("The provider refuses connections.")
    return UpstreamUnreachable("The provider cannot be reached.")

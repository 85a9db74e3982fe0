"""An upstream that does exactly what a test tells it to, byte by byte, well or badly."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

LINGER_ZERO = struct.pack("ii", 1, 0)


class Request(NamedTuple):
    """One HTTP request as it came in; header names in lower case."""

    line: bytes
    headers: dict[bytes, bytes]
    body: bytes


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[Request]) -> None:
        self._reader = reader
        self._writer = writer
        self._requests = requests

    async def request(self) -> Request:
        """The next request. Raises `IncompleteReadError` where the client has gone."""
        line, *lines = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(b":") for each in lines)}
        body = await self._reader.readexactly(int(headers.get(b"content-length", b"0")))
        self._requests.append(Request(line, headers, body))
        return self._requests[-1]

    async def send(self, data: bytes, *, size: int = 0) -> None:
        """Sends the bytes, in slices of `size` where that is given, and waits while the client reads nothing."""
        for at in range(0, len(data), size or len(data) or 1):
            self._writer.write(data[at : at + size] if size else data)
            await self._writer.drain()
            if size:
                await asyncio.sleep(0)

    def reset(self) -> None:
        """Ends the connection by RST."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._writer.transport.abort()

    def close(self) -> None:
        """Ends the connection by FIN, after everything sent has gone out."""
        self._writer.close()

    async def gone(self) -> None:
        """Says nothing more and returns when the client has gone."""
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass


Script = Callable[[Peer], Awaitable[None]]
"""What happens on each new connection; when it returns, the connection is closed."""


class FaultServer:
    """Listens on a free port of the loopback interface while its `async with` lasts."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        """May be exchanged at any time; it holds for connections that come after."""
        self.requests: list[Request] = []
        self.connections = 0
        """Accepted so far."""
        self.open = 0
        """Accepted and not ended by either side yet."""
        self.port = 0
        self._tls = tls
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        """Its address without a path."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        async with self._changed:
            await self._changed.wait_for(lambda: self.open == 0)

    async def until_open(self, count: int) -> None:
        """Returns when exactly this many connections are open."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.open == count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self._count(1)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.script(Peer(reader, writer, self.requests))
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await writer.wait_closed()
            await self._count(-1)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self.open += change
            self._changed.notify_all()


def answer(body: bytes, *, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """A whole answer with its length; `headers` are further lines, each with its line end."""
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, headers, len(body), body)


def chunked(*chunks: bytes, headers: bytes = b"") -> bytes:
    """A whole answer in chunks."""
    frames = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\n%btransfer-encoding: chunked\r\n\r\n%b0\r\n\r\n" % (headers, frames)


def events(*data: bytes) -> bytes:
    """A whole stream of server-sent events, one chunk each."""
    return chunked(*(b"data: %b\n\n" % each for each in data), headers=b"content-type: text/event-stream\r\n")


def always(reply: bytes, *, size: int = 0) -> Script:
    """Answers every request of a connection alike, in slices of `size` where that is given."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(reply, size=size)

    return script


def in_turn(*replies: bytes) -> Script:
    """Answers each request, on whichever connection, by the next reply."""
    left: Iterator[bytes] = iter(replies)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(next(left))

    return script


def cut(reply: bytes, at: int, *, reset: bool = False) -> Script:
    """Answers with the first `at` bytes and ends the connection, by FIN or by RST."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(reply[:at])
        if reset:
            peer.reset()

    return script


def silent_after(reply: bytes = b"", at: int | None = None) -> Script:
    """Takes the request, says the first `at` bytes of the reply, and then nothing until the client goes."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(reply[:at])
        await peer.gone()

    return script

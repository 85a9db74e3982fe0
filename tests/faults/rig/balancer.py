"""A load balancer as there are many: deals connections out among the instances whose `/readyz` said yes last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

PROBE_EVERY_S = 0.1
FALL = 2
"""Probes in a row that must fail before an instance gets no more connections; one that succeeds brings it back."""
PIECE = 65_536


class Balancer:
    """Knows its instances by their ports."""

    def __init__(self) -> None:
        self.port = 0
        self._failures: dict[int, int] = {}
        self._turn = count()

    def add(self, port: int) -> None:
        """From its first good probe on it gets connections."""
        self._failures[port] = FALL

    def remove(self, port: int) -> None:
        """It has gone for good."""
        del self._failures[port]

    def is_in(self, port: int) -> bool:
        """Whether it gets connections."""
        return self._failures[port] < FALL

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens and probes while the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        probing = asyncio.ensure_future(self._probe_all())
        try:
            yield
        finally:
            probing.cancel()
            server.close()

    async def _probe_all(self) -> None:
        while True:
            for port in list(self._failures):
                is_ready = await self._probe(port)
                if port in self._failures:
                    self._failures[port] = 0 if is_ready else self._failures[port] + 1
            await asyncio.sleep(PROBE_EVERY_S)

    async def _probe(self, port: int) -> bool:
        with suppress(OSError):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                line = await reader.readline()
                writer.transport.abort()
                return line.split()[1:2] == [b"200"]
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [port for port in self._failures if self.is_in(port)]
        try:
            their_reader, their_writer = await asyncio.open_connection(
                "127.0.0.1", ready[next(self._turn) % len(ready)]
            )
        except (OSError, ZeroDivisionError):
            writer.transport.abort()
            return
        await asyncio.gather(_pipe(reader, their_writer), _pipe(their_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        return
    writer.transport.abort()

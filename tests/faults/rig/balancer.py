"""A load balancer as there are many: deals connections out among the instances whose `/readyz` said yes last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

PROBE_EVERY_S = 0.1
FALL = 2
"""Probes in a row that must fail before an instance gets no more connections; one that succeeds brings it back."""
PATIENCE_S = 0.5
PIECE = 65_536


class Balancer:
    """Knows its instances by their ports."""

    def __init__(self) -> None:
        self.port = 0
        self._failures: dict[int, int] = {}
        self._turn = count()
        self._serving: set[asyncio.Task[None]] = set()

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
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        probing = asyncio.ensure_future(self._probe_all())
        try:
            yield
        finally:
            probing.cancel()
            server.close()
            for serving in self._serving:
                serving.cancel()
            await asyncio.gather(probing, *self._serving, return_exceptions=True)

    async def _probe_all(self) -> None:
        while True:
            ports = list(self._failures)
            for port, is_ready in zip(ports, await asyncio.gather(*map(self._probe, ports)), strict=True):
                if port in self._failures:
                    self._failures[port] = 0 if is_ready else self._failures[port] + 1
            await asyncio.sleep(PROBE_EVERY_S)

    async def _probe(self, port: int) -> bool:
        with suppress(OSError):
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                    return (await reader.readline()).split()[1:2] == [b"200"]
                finally:
                    writer.transport.abort()
        return False

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [port for port in self._failures if self.is_in(port)]
        try:
            with suppress(OSError, ZeroDivisionError):
                their_reader, their_writer = await asyncio.open_connection(
                    "127.0.0.1", ready[next(self._turn) % len(ready)]
                )
                await _join((reader, their_writer), (their_reader, writer))
        finally:
            writer.close()


async def _join(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """The first side to end ends both: nobody here closes one half only."""
    pipes = [asyncio.ensure_future(_pipe(*way)) for way in ways]
    try:
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        for _, writer in ways:
            writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()

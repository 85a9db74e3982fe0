"""A TCP proxy that spoils what passes through it, between any two of the processes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Self

from msgspec import Struct

from tests.faults.rig.load import until
from tests.faultserver.server import LINGER_ZERO
from tests.servers.process import free_port

PIECE = 65_536


class Faults(Struct):
    """What is done to the bytes, in both directions; may be changed at any time."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    """By up to so much more, by chance."""
    rate: int = 0
    """Bytes a second for each connection and direction; 0 is as fast as it goes."""
    slice: int = 0
    """Bytes that go out at once; 0 sends them as they came."""
    corrupt: float = 0.0
    """Likelihood with which a piece has one bit turned."""
    reset: float = 0.0
    """Likelihood with which a piece is answered by RST to both sides."""
    cut_after: int | None = None
    """Bytes of the server's after which both sides are closed."""


class FaultProxy:
    """Stands before a port of this machine while its `async with` lasts."""

    def __init__(self, target: int, *, seed: int = 0) -> None:
        self.faults = Faults()
        self.port = free_port()
        self.connections = 0
        """Accepted so far."""
        self._target = target
        self._dice = Random(seed)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flow()
        self.refuse()
        self.reset_all()
        await until(lambda: not self._writers, within_s=10)

    async def accept(self) -> None:
        """Takes connections, as it does at first."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)

    def refuse(self) -> None:
        """Takes no further connections; those that are there stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def hold(self) -> None:
        """Swallows nothing and passes nothing on: everything waits until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        """Ends `hold`."""
        self._flowing.set()

    def reset_all(self) -> None:
        """Ends every connection by RST."""
        for writer in self._writers:
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            await self._flowing.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(far_writer)
            try:
                both = self._pump(reader, far_writer), self._pump(far_reader, writer, is_answer=True)
                await asyncio.gather(*both)
            finally:
                self._writers.discard(far_writer)
                far_writer.close()
        except OSError:
            _reset(writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        passed = 0
        while data := await reader.read(PIECE):
            faults = self.faults
            await self._flowing.wait()
            if faults.latency_s or faults.jitter_s:
                await asyncio.sleep(faults.latency_s + faults.jitter_s * self._dice.random())
            if faults.reset and self._dice.random() < faults.reset:
                _reset(writer)
                raise ConnectionResetError
            if faults.corrupt and self._dice.random() < faults.corrupt:
                data = self._spoiled(data)
            if is_answer and faults.cut_after is not None:
                data = data[: max(0, faults.cut_after - passed)]
            passed += len(data)
            await self._write(writer, data, faults)
            if is_answer and faults.cut_after is not None and passed >= faults.cut_after:
                raise ConnectionAbortedError
        with suppress(OSError):
            writer.write_eof()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, faults: Faults) -> None:
        step = faults.slice or len(data) or 1
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            if faults.rate:
                await asyncio.sleep(step / faults.rate)
            elif faults.slice:
                await asyncio.sleep(0)

    def _spoiled(self, data: bytes) -> bytes:
        place = self._dice.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 1 << self._dice.randrange(8)]) + data[place + 1 :]


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    writer.transport.abort()

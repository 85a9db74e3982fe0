"""An event loop whose clock jumps to the next timer, and connections without sockets on it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from farthing.providers.connection import Connection


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for the next timer it turns the clock to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready at once; only where nothing is planned at all does it really wait."""
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`connect` decides what an attempt to connect comes to; by default it succeeds at once.

    `connected` happens between the end of the handshake and the moment in which the caller learns of it.
    """

    def __init__(self) -> None:
        self._clock = JumpingSelector()
        super().__init__(self._clock)
        self.wires: list[Wire] = []
        self.connect: Callable[[], Any] | None = None
        self.connected: Callable[[Wire], Any] | None = None

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._clock.now

    async def create_connection(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:  # asyncio's
        """A connection to nobody."""
        if self.connect is not None:
            await self.connect()
        wire = Wire(protocol_factory(), self)
        self.wires.append(wire)
        wire.connection.connection_made(wire)
        if self.connected is not None:
            await self.connected(wire)
        return wire, wire.connection


class Wire(asyncio.Transport):
    """Stands in for the socket: notes what is written, and says what the test feeds."""

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.connection = connection
        self.written: list[bytes] = []
        self.unsent = 0
        self.paused = False
        self.closed = False
        self.answer: Callable[[Wire], None] | None = None
        """Called on the loop after each write."""
        self._loop = loop

    def feed(self, data: bytes, *, size: int = 65536) -> None:
        """The provider says these bytes, heard in reads of at most `size`."""
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            buffer = self.connection.get_buffer(-1)
            buffer[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))

    def hang_up(self, error: Exception | None = None) -> None:
        """The provider ends the connection, by FIN, or by `error`."""
        if error is None:
            self.connection.eof_received()
        self.closed = True
        self.connection.connection_lost(error)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """See `asyncio.Transport`."""
        self.written.append(bytes(data))
        if self.answer is not None:
            self._loop.call_soon(self.answer, self)

    def abort(self) -> None:
        """See `asyncio.Transport`."""
        if not self.closed:
            self.closed = True
            self._loop.call_soon(self.connection.connection_lost, None)

    def is_closing(self) -> bool:
        """See `asyncio.Transport`."""
        return self.closed

    def get_write_buffer_size(self) -> int:
        """See `asyncio.Transport`."""
        return self.unsent

    def pause_reading(self) -> None:
        """See `asyncio.Transport`."""
        self.paused = True

    def resume_reading(self) -> None:
        """See `asyncio.Transport`."""
        self.paused = False

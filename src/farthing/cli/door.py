"""Takes in everybody who waits for a connection: the loop takes in one in a turn, and under load its turns are long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

MOST_AT_ONCE = 512
"""Connections taken in before those that are open have their turn."""


class Door:
    """Makes the protocol of a connection that the loop has taken in, and sees to those who wait behind it."""

    def __init__(self, listeners: Sequence[socket.socket], protocol: Callable[..., asyncio.BaseProtocol]) -> None:
        """`listeners` are those that the loop listens on, `protocol` makes what a connection is spoken with."""
        self._listeners = listeners
        self._protocol = protocol
        self._is_looking = False
        self._entering: set[asyncio.Future[Any]] = set()
        for listener in listeners:
            listener.setblocking(False)

    def __call__(self, **named: Any) -> asyncio.BaseProtocol:  # noqa: ANN401 (the server's own)
        """As the protocol's own."""
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_soon(self._look, partial(self._protocol, **named))
        return self._protocol(**named)

    def _look(self, new: Callable[[], asyncio.BaseProtocol]) -> None:
        self._is_looking = False
        waiting: list[socket.socket] = []
        for listener in self._listeners:
            # Whatever is wrong with the listener, the loop meets it as well.
            with suppress(OSError):
                while len(waiting) < MOST_AT_ONCE:
                    waiting.append(listener.accept()[0])
        if waiting:
            entering = asyncio.gather(*(_enter(new, connection) for connection in waiting))
            self._entering.add(entering)
            entering.add_done_callback(self._entering.discard)


async def _enter(new: Callable[[], asyncio.BaseProtocol], connection: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(new, connection)
    except OSError:
        connection.close()

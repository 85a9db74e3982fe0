"""Takes in everybody who waits for a connection: the loop takes in one in a turn, and under load its turns are long."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, cast

MOST_AT_ONCE = 512
"""Connections taken in before those that are open have their turn."""
KEPT_FILES = 64
"""Open files that are no connection's: database, journal, Redis, the loop's own."""
QUIET_S = 60.0
"""Between two lines about callers who are turned away."""

logger = logging.getLogger(__name__)


def most_callers() -> int:
    """How many connections may be open: each may want another one to a provider, out of the same open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (files - KEPT_FILES) // 2)


class Door:
    """Makes the protocol of a connection that the loop has taken in, and sees to those who wait behind it.

    Where no file can be opened any more, the loop would spin, and whoever is being served could not be served to the
    end. So it is never let come to that: beyond `most` a connection is closed as soon as it is made.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        protocol: Callable[..., asyncio.BaseProtocol],
        *,
        connections: Collection[object] = (),
        most: float = inf,
    ) -> None:
        """`listeners` are those that the loop listens on, `protocol` makes what a connection is spoken with.

        `connections` are those that are open, of which there may be `most`.
        """
        self._listeners = listeners
        self._protocol = protocol
        self._connections = connections
        self._most = most
        self._silent_until = -inf
        self._is_looking = False
        self._entering: set[asyncio.Future[Any]] = set()
        for listener in listeners:
            listener.setblocking(False)

    def __call__(self, **named: Any) -> asyncio.BaseProtocol:  # noqa: ANN401 (the server's own)
        """As the protocol's own."""
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_soon(self._look, partial(self._protocol, **named))
        return self._protocol(**named) if self._has_room() else Closed()

    def _look(self, new: Callable[[], asyncio.BaseProtocol]) -> None:
        self._is_looking = False
        waiting: list[socket.socket] = []
        # The one that the loop has taken in itself is not open before its next turn.
        by_loop = 1
        for listener in self._listeners:
            # Whatever is wrong with the listener, the loop meets it as well.
            with suppress(OSError):
                for _ in range(MOST_AT_ONCE - len(waiting)):
                    connection, _ = listener.accept()
                    if self._has_room(by_loop + len(waiting)):
                        waiting.append(connection)
                    else:
                        connection.close()
        if waiting:
            entering = asyncio.gather(*(_enter(new, connection) for connection in waiting))
            self._entering.add(entering)
            entering.add_done_callback(self._entering.discard)

    def _has_room(self, entering: int = 0) -> bool:
        """Whether one more may come in beside those who are about to; otherwise it is told, now and then."""
        if len(self._connections) + entering < self._most:
            return True
        if (now := asyncio.get_running_loop().time()) >= self._silent_until:
            self._silent_until = now + QUIET_S
            logger.warning(
                "%d connections are open, as many as the limit of open files allows: others are closed at once; "
                "raise it (ulimit -n, LimitNOFILE), or start more workers",
                self._most,
            )
        return False


class Closed(asyncio.Protocol):
    """Of a connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets go of it."""
        cast("asyncio.Transport", transport).abort()


async def _enter(new: Callable[[], asyncio.BaseProtocol], connection: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(new, connection)
    except OSError:
        connection.close()

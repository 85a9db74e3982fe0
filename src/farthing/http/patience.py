"""How long a client may take to say its request and to hear its answer: one timer for all of a server's connections."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

FIRST_S = 4.0
"""For a new connection to say its first byte; with a turn of the timer, and a busy loop, not over 5 s."""
HEAD_S = 10.0
"""For request line and headers to arrive, from their first byte."""
BODY_S = 29.0
"""For a body to arrive, and at any later moment for its next bytes; with a turn of the timer never over 30 s."""
SLOWEST_BODY = 512
"""Bytes a second. Each byte of a body buys its share of more time, up to `BODY_S` from then on."""
STALL_S = 60.0
"""For a client that has an answer waiting to take a byte of it."""
TURN_S = 0.5
"""Between two looks at those that are waited for; whoever is late is noticed that much later at most."""


class Awaited(Protocol):
    """A connection whose client is to do something."""

    def look(self, now: float) -> None:
        """Ends what has taken too long; `now` is the loop's time."""


class Patience:
    """Looks after the connections that wait for their clients. A request that comes at once never gets here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._awaited: set[Awaited] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, connection: Awaited) -> None:
        """Looks at it from now on."""
        self._awaited.add(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(TURN_S, self._turn)

    def forget(self, connection: Awaited) -> None:
        """Its client owes nothing."""
        self._awaited.discard(connection)

    def _turn(self) -> None:
        now = self._loop.time()
        for connection in tuple(self._awaited):
            connection.look(now)
        self._timer = self._loop.call_later(TURN_S, self._turn) if self._awaited else None


_OF_SERVER: WeakKeyDictionary[object, Patience] = WeakKeyDictionary()


def patience_of(server: object, loop: asyncio.AbstractEventLoop) -> Patience:
    """The one of this server, which runs on this loop."""
    found = _OF_SERVER.get(server)
    if found is None:
        found = _OF_SERVER[server] = Patience(loop)
    return found

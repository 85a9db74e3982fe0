"""One client's connection: its requests are taken in one after another, and no more of them than get answered.

The server's own protocol queues every request that is sent ahead, whether or not anybody reads the answers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

from farthing.http.bodies import CLOSE
from farthing.http.reception import Reception

MOST_UNREAD = 64 * 1024
"""Bytes beyond the request under way that are taken in; reading goes on below, for else nobody hears a client leave."""
PIECE = 16 * 1024
"""Bytes that the server gets at a time, and with them all requests that begin there."""


class Connection(Reception):
    """The server's protocol, but for requests that are sent ahead of the answers to those before."""

    __slots__ = ("is_reading", "is_retired", "unread")

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (the server's own)
        super().__init__(*arguments, **named)
        self.unread = b""
        """What came and has to wait."""
        self.is_reading = False
        self.is_retired = False
        """Whether the answer that comes next is the last."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As the server's own."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self)

    def data_received(self, data: bytes) -> None:
        """More bytes of the client."""
        if self.awaits == "body":
            self.credit(len(data))
        passage = self.passage
        if passage is not None and passage.missing:
            data = passage.more(data)
        self.unread = self.unread + data if self.unread else data
        if not self.is_reading:
            self.read()

    def retire(self) -> None:
        """The answer that comes next is the last, and says so: a client that is cut off may lose what it just sent."""
        self.is_retired = True

    def must_wait(self) -> bool:
        """Whether what comes next has to wait: for an answer, or for a client that reads none."""
        if self.passage is not None or self.pipeline or self.is_broken or self.transport.is_closing():
            return True
        return self.is_between and (self.flow.write_paused or self.is_answering())

    def take(self, data: bytes) -> None:
        """Has the server look at what it need not wait with; the rest stays unread."""
        data, self.unread = data[:PIECE], data[PIECE:]
        super().take(data)

    def go_on(self) -> None:
        """Takes in what had to wait, and reads on."""
        if self.unread and not self.is_reading:
            self.read()
        if self.flow.read_paused:
            self.flow.resume_reading()

    def read(self) -> None:
        """Takes in what need not wait."""
        self.is_reading = True
        while self.unread and not self.must_wait():
            data, self.unread = self.unread, b""
            self.take(data)
        self.is_reading = False
        if len(self.unread) > MOST_UNREAD and not self.transport.is_closing():
            self.flow.pause_reading()
        self.await_rest()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self.unread and not self.transport.is_closing():
            self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left, or was let go."""
        passage, self.passage = self.passage, None
        self.unread = b""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        if passage is not None:
            passage.leave()

    def on_headers_complete(self) -> None:
        """The server's parser has read a request's headers."""
        super().on_headers_complete()
        if self.is_retired and self.cycle is not None:
            self.cycle.default_headers = [*self.cycle.default_headers, *CLOSE]

    def on_response_complete(self) -> None:
        """A request has its answer."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self.go_on()


class _Flow(FlowControl):
    """Goes on reading only while little waits."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        """As the server's own, or else later."""
        if len(self._connection.unread) <= MOST_UNREAD:
            super().resume_reading()

"""One client's connection: its requests are taken in one after another, and no more of them than get answered.

The server's own protocol queues every request that is sent ahead, whether or not anybody reads the answers.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MOST_UNREAD = 64 * 1024
"""Bytes beyond the request under way that are taken in; reading goes on below, for else nobody hears a client leave."""
PIECE = 16 * 1024
"""Bytes that the server gets at a time, and with them all requests that begin there."""
LONGEST_HEAD = 2 * 1024 * 1024
"""Bytes of request line and headers; a little more may pass. Even a key of a megabyte is told that it is wrong."""


class Passage(Protocol):
    """A request that is answered otherwise than in the server's own way."""

    missing: int
    """Bytes of the body that have not come yet."""

    def more(self, data: bytes) -> bytes:
        """Takes bytes of the body, and returns what belongs to the next request."""

    def leave(self) -> None:
        """The client hung up."""


class Connection(HttpToolsProtocol):
    """The server's protocol, but for requests that are sent ahead of the answers to those before."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (the server's own)
        super().__init__(*arguments, **named)
        self.unread = b""
        """What came and has to wait."""
        self.passage: Passage | None = None
        self.is_reading = False
        self.is_between = True
        """Whether the server's parser is between two requests."""
        self._is_in_head = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As the server's own."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self)

    def data_received(self, data: bytes) -> None:
        """More bytes of the client."""
        passage = self.passage
        if passage is not None and passage.missing:
            data = passage.more(data)
        self.unread = self.unread + data if self.unread else data
        if not self.is_reading:
            self.read()

    def must_wait(self) -> bool:
        """Whether what comes next has to wait: for an answer, or for a client that reads none."""
        if self.passage is not None or self.pipeline or self.transport.is_closing():
            return True
        if not self.is_between:
            return False
        cycle: RequestResponseCycle | None = self.cycle
        return self.flow.write_paused or (cycle is not None and not cycle.response_complete)

    def take(self, data: bytes) -> None:
        """Has the server look at what it need not wait with; the rest stays unread."""
        data, self.unread = data[:PIECE], data[PIECE:]
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LONGEST_HEAD and not self.transport.is_closing():
                self.send_400_response(f"Request line and headers are over the limit of {LONGEST_HEAD} bytes.")

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

    def on_message_begin(self) -> None:
        """The server's parser has met a request."""
        self.is_between = False
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The server's parser has read a header. One that follows the body is none: it may be anybody's word."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The server's parser has read a request's headers."""
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The server's parser has read a request to its end."""
        self.is_between = True
        super().on_message_complete()

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

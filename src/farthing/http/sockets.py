"""A WebSocket whose client may be slow, loud or hostile: what it may send, and what may wait for it, is bounded."""

from __future__ import annotations

import socket
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode

from farthing.http.hub import POLICY_VIOLATION

LONGEST_MESSAGE: Final = 1024
"""Bytes that a client may send in one message."""
MOST_FRAMES: Final = 20
"""Frames a second from one client, of whatever kind; as many may come at once."""
MOST_QUEUED: Final = 64
"""Messages that may wait for a client to read."""
MOST_QUEUED_BYTES: Final = 1024 * 1024
SEND_BUFFER: Final = 64 * 1024
"""Bytes that the kernel keeps for a client, so that one which does not read is noticed."""
PING_S: Final = 20.0
"""Between two pings, and for each to be answered."""
CLOSING_S: Final = 1.0
"""For a client to hear why it is let go, and to close its side."""
PIECE: Final = 256
"""Bytes that are understood at a time: what comes after the frame that was one too many is never looked at."""
PUSH: Final = "farthing.push"
"""The name of the ASGI extension that holds the connection itself, as a `farthing.http.hub.Line`."""


def text_frame(text: bytes) -> bytes:
    """The bytes that carry this text to any client: what a server sends is not masked."""
    return Frame(Opcode.TEXT, text).serialize(mask=False)


class LiveSocket(WebSocketsSansIOProtocol):
    """The server's protocol, but for clients that send too much or read too little."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (the server's own)
        super().__init__(*arguments, **named)
        self.close_timeout = CLOSING_S
        self._is_deaf = False
        self._queued = 0
        self._frames_left = float(MOST_FRAMES)
        self._counted_at = self.loop.time()

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 (the server's own)
        """As the server's own."""
        super().connection_made(transport)
        wire = transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        """More bytes of the client, of which those behind the end of the talk are dropped."""
        for begin in range(0, len(data), PIECE):
            if self._is_deaf or self.transport.is_closing():
                return
            super().data_received(data[begin : begin + PIECE])

    def handle_connect(self, event: Any) -> None:  # noqa: ANN401 (the server's own)
        """Lets the application send without waiting."""
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[PUSH] = self

    def push(self, frame: bytes) -> None:
        """Sends a whole frame, or lets the client go that has left too many unread."""
        if self.close_sent or not self.handshake_complete or self.transport.is_closing():
            return
        self.transport.write(frame)
        unsent = self.transport.get_write_buffer_size()
        self._queued = self._queued + 1 if unsent else 0
        if self._queued >= MOST_QUEUED or unsent >= MOST_QUEUED_BYTES:
            self._is_deaf = True
            self.transport.abort()

    def end(self, code: int) -> None:
        """Closes the socket with this code; what the client still says is not heard."""
        if self.close_sent or self.transport.is_closing():
            return
        self._is_deaf = self.close_sent = True
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        try:
            self.conn.send_close(code)
        except InvalidState:
            self.transport.abort()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self._close_soon()

    def shutdown(self) -> None:
        """The gateway ends: the client hears to come again."""
        if self.handshake_complete and not self.close_sent:
            self.end(1012)
        else:
            super().shutdown()
        self.loop.call_later(CLOSING_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """The client has not answered a ping; it may not even read."""
        super().keepalive_timeout()
        self._close_soon()

    def handle_text(self, event: Frame) -> None:
        """A message, or the beginning of one."""
        if self._may_go_on():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """A message, or the beginning of one."""
        if self._may_go_on():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """More of a message."""
        if self._may_go_on():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answered at once."""
        if self._may_go_on():
            super().handle_ping()

    def handle_parser_exception(self) -> None:
        """What came is no frame, or too long: the client is told so, which needs it to be connected a moment more."""
        self._is_deaf = True
        code = self.conn.close_sent.code if self.conn.close_sent is not None else POLICY_VIOLATION
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._close_soon()

    def eof_received(self) -> None:
        """The client has closed its side."""
        self.transport.close()

    def _may_go_on(self) -> bool:
        """Whether this client has not sent too many frames; one that has is told so and not heard any more."""
        now = self.loop.time()
        self._frames_left = min(MOST_FRAMES, self._frames_left + (now - self._counted_at) * MOST_FRAMES)
        self._counted_at = now
        self._frames_left -= 1
        if self._frames_left < 0:
            self.end(POLICY_VIOLATION)
            return False
        return True

    def _close_soon(self) -> None:
        """After a moment, whether or not the client has read all that it was sent."""
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(CLOSING_S, self.transport.abort)

"""A lane without a socket: bytes in, bytes out, on whichever loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from farthing.http.connection import Connection
from farthing.http.desk import Desk
from farthing.http.lane import Lane
from tests.unit.gateway.rig import KEY, Rig

KEEP_ALIVE_S = 5
LIMIT = 1000
TURNS = 1000
"""Rounds of the loop in which everything has been said."""


class Pipe(asyncio.Transport):
    """Keeps what is written; the client's side of the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.is_closed = False
        self.is_paused = False
        self.unread = 0

    def write(self, data: Any) -> None:
        """Keeps it. Raises `AssertionError` where nobody reads any more."""
        assert not self.is_closed
        self.said += data

    def close(self) -> None:
        """Ends the connection."""
        self.is_closed = True

    def abort(self) -> None:
        """Ends the connection at once."""
        self.is_closed = True

    def get_write_buffer_size(self) -> int:
        """Bytes that nobody has read."""
        return self.unread

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.is_closed

    def pause_reading(self) -> None:
        """The server wants no more for now."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """The server wants more."""
        self.is_paused = False


class Line:
    """One connection to a rig's pipeline; `others` counts the requests that took the usual way."""

    def __init__(
        self,
        rig: Rig,
        *,
        has_desk: bool = True,
        protocol: type[Connection] = Lane,
        keep_alive_s: int = KEEP_ALIVE_S,
        **desk: Any,
    ) -> None:
        facts: dict[str, Any] = {
            "pipeline": rig.pipeline,
            "snapshots": rig.snapshots,
            "clock": rig.clock,
            "new_id": lambda: "the-id",
            "spawn": rig.supervisor.spawn,
            "max_body_bytes": LIMIT,
        }
        self.desk = Desk(**facts | desk) if has_desk else None
        self.others: list[str] = []
        self.new_id = lambda: "the-id"
        config = uvicorn.Config(self, interface="asgi3", ws="none", log_config=None, timeout_keep_alive=keep_alive_s)
        config.load()
        config.loaded_app = self
        self.state = ServerState()
        self.pipe = Pipe()
        self.lane = protocol(config, self.state, {}, asyncio.get_running_loop())
        self.lane.connection_made(self.pipe)

    async def __call__(
        self, scope: dict[str, Any], receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        """The usual way, which says where it was asked."""
        self.others.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"other"})

    def say(self, data: bytes) -> None:
        """The client's bytes."""
        self.lane.data_received(data)

    async def hear(self, end: bytes) -> bytes:
        """What was answered up to `end`."""
        for _ in range(TURNS):
            if end in self.pipe.said:
                break
            await asyncio.sleep(0)
        head, found, self.pipe.said = self.pipe.said.partition(end)
        assert found, head
        return head + found

    def leave(self) -> None:
        """The client hangs up."""
        self.pipe.close()
        self.lane.connection_lost(None)


def request(body: bytes, *headers: bytes, path: str = "/v1/chat/completions") -> bytes:
    """A plain request with the rig's key."""
    lines = (
        f"POST {path} HTTP/1.1".encode(),
        b"Host: localhost",
        b"Authorization: Bearer " + KEY.encode(),
        b"Content-Type: application/json",
        *headers,
        b"Content-Length: %d" % len(body),
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body

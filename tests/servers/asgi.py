"""The application in this process: started, asked and stopped without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any, Self

from msgspec import Struct

from farthing.app.application import Application, create_app
from farthing.http.sockets import PUSH
from farthing.settings import Settings

Message = MutableMapping[str, Any]
Asgi = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
Pairs = Sequence[tuple[str, str]]
HOST = ("host", "localhost")
SECONDS = 10.0


class Answer(Struct, frozen=True):
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)


class Client:
    """Asks an ASGI application by the name `host`; `key` is shown as a bearer where one is given."""

    def __init__(self, application: Asgi, *, key: str | None = None, host: str = HOST[1]) -> None:
        self.application = application
        named = ("host", host)
        self._headers: Pairs = (named, ("authorization", f"Bearer {key}")) if key else (named,)

    def with_key(self, key: str) -> Client:
        """The same application asked by another caller."""
        return Client(self.application, key=key)

    async def get(self, path: str, headers: Pairs = (), method: str = "GET") -> Answer:
        """A request without a body."""
        return await self.send(_scope("http", path, [*self._headers, *headers], method=method), b"")

    async def post(self, path: str, body: Any, headers: Pairs = (), method: str = "POST") -> Answer:
        """A request with this object as JSON, or with these bytes declared as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        described = [*self._headers, ("content-type", "application/json"), ("content-length", str(len(data))), *headers]
        return await self.send(_scope("http", path, described, method=method), data)

    async def send(self, scope: dict[str, Any], body: bytes) -> Answer:
        """One request in ASGI's own words."""
        received: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Message] = []
        over = asyncio.Event()

        async def receive() -> Message:
            if received:
                return received.pop()
            await over.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.application(scope, receive, send)
        over.set()
        start, *parts = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in parts))

    @contextlib.asynccontextmanager
    async def socket(self, path: str, headers: Pairs = ()) -> AsyncIterator[Socket]:
        """A WebSocket that has asked to be let in."""
        socket = Socket()
        scope = _scope("websocket", path, [*self._headers, *headers]) | {"extensions": {PUSH: socket}}
        task = asyncio.create_task(self._serve(scope, socket))
        try:
            yield socket
        finally:
            socket.leave()
            await asyncio.wait_for(task, SECONDS)

    async def _serve(self, scope: dict[str, Any], socket: Socket) -> None:
        try:
            await self.application(scope, socket.to_server.get, socket.from_server.put)
        finally:
            await socket.from_server.put({"type": "over"})


class Socket:
    """The client's end of a WebSocket."""

    def __init__(self) -> None:
        self.to_server = asyncio.Queue[Message]()
        self.from_server = asyncio.Queue[Message]()
        self.to_server.put_nowait({"type": "websocket.connect"})

    async def next(self) -> Message:
        """What the server says next, in ASGI's words."""
        return await asyncio.wait_for(self.from_server.get(), SECONDS)

    async def accepted(self) -> Self:
        """Fails unless the server lets us in."""
        assert (await self.next())["type"] == "websocket.accept"
        return self

    async def json(self) -> Any:
        """The next message, which must be JSON in text."""
        return json.loads((await self.next())["text"])

    async def closed(self) -> int:
        """The code with which the server closes next."""
        message = await self.next()
        assert message["type"] == "websocket.close", message
        code: int = message["code"]
        return code

    def say(self, text: str | None = None, data: bytes | None = None) -> None:
        """A text message, or a binary one."""
        self.to_server.put_nowait({"type": "websocket.receive", "text": text, "bytes": data})

    def push(self, frame: bytes) -> None:
        """The server sends a whole frame, as over its own protocol."""
        length = frame[1]
        text = frame[{126: 4, 127: 10}.get(length, 2) :]
        self.from_server.put_nowait({"type": "websocket.send", "text": text.decode()})

    def end(self, code: int) -> None:
        """The server closes, as over its own protocol."""
        self.from_server.put_nowait({"type": "websocket.close", "code": code})
        self.to_server.put_nowait({"type": "websocket.disconnect", "code": code})

    def leave(self) -> None:
        """Hangs up."""
        self.to_server.put_nowait({"type": "websocket.disconnect", "code": 1001})


def _scope(kind: str, path: str, headers: Pairs, *, method: str = "GET") -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "subprotocols": [],
        "state": {},
    }


@contextlib.contextmanager
def own_logging() -> Iterator[None]:
    """Takes back what an application does to this process's logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Application]:
    """The application between the start and the end of its lifespan."""
    with own_logging():
        application = create_app(settings)
        async with lifespan(application):
            yield application


@contextlib.asynccontextmanager
async def lifespan(application: Asgi) -> AsyncIterator[None]:
    """Starts the application and ends it, as a server does. Fails where it does not start."""
    to_app, from_app = asyncio.Queue[Message](), asyncio.Queue[Message]()
    task = asyncio.create_task(_live(application, to_app, from_app))
    to_app.put_nowait({"type": "lifespan.startup"})
    assert await asyncio.wait_for(from_app.get(), SECONDS) == {"type": "lifespan.startup.complete"}
    try:
        yield
    finally:
        to_app.put_nowait({"type": "lifespan.shutdown"})
        assert await asyncio.wait_for(from_app.get(), SECONDS) == {"type": "lifespan.shutdown.complete"}
        await task


async def _live(application: Asgi, to_app: asyncio.Queue[Message], from_app: asyncio.Queue[Message]) -> None:
    await application({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, to_app.get, from_app.put)

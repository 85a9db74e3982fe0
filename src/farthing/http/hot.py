"""The data plane as raw ASGI: one handler for the chat routes, whichever dialect they speak."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from farthing.domain.errors import InvalidRequest, MethodNotAllowed, Stopping
from farthing.gateway.call import Arrival, Call
from farthing.gateway.delivery import StreamReply
from farthing.gateway.order import Order
from farthing.gateway.reply import Reply
from farthing.http.bodies import CLOSE, has_body, unpacked
from farthing.http.desk import DIALECTS, LARGE_BYTES, MISWRITTEN, Desk, miswritten
from farthing.http.errors import Message, Pairs, Send, guarded, pairs, send_error
from farthing.http.head import understand
from farthing.http.headers import Headers, check_length, check_media_type, is_local, is_packed, not_local, too_large
from farthing.ports import Spawn

Receive = Callable[[], Awaitable[Message]]
Scope = dict[str, Any]

WATCH_AFTER_S = 0.02


class DataPlane:
    """Answers the hot routes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request and answers its errors in its dialect."""
        path: str = scope["path"]
        route = MISWRITTEN.get(path, path)
        dialect = DIALECTS[route]
        answering = _Answering(
            desk=self.desk,
            scope=scope,
            receive=receive,
            send=send,
            route=route,
            arrival=self.desk.arrival(),
        )
        request_id = answering.arrival.request_id
        error = await guarded(answering.serve(), request_id)
        if error is not None and not answering.has_started:
            headers = answering.extra if answering.is_read else [*answering.extra, *CLOSE]
            await send_error(send, error, dialect=dialect, request_id=request_id, headers=headers)


class _Watch:
    """Waits for the client to hang up. Most answers are there before it begins, which saves them a task."""

    def __init__(self, receive: Receive, on_leave: Callable[[], None], spawn: Spawn) -> None:
        self._receive = receive
        self._on_leave = on_leave
        self._spawn = spawn
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)

    def cancel(self) -> None:
        """The request has been answered."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = self._spawn(self._wait(), "watch a client")

    async def _wait(self) -> None:
        if (await self._receive())["type"] == "http.disconnect":
            self._on_leave()


class _Answering:
    """One request being answered: whether the answer has begun, and whether the client is still there."""

    def __init__(
        self,
        *,
        desk: Desk,
        scope: Scope,
        receive: Receive,
        send: Send,
        route: str,
        arrival: Arrival,
    ) -> None:
        self._desk = desk
        self._scope = scope
        self._receive = receive
        self._send = send
        self._route = route
        self.arrival = arrival
        self.has_started = False
        self._has_left = False
        self.is_read = not has_body(scope["headers"])
        """Whether the whole body has been received."""
        self.extra: Pairs = []
        if scope["path"] != route:
            self.extra.append(miswritten(scope["path"], route))

    async def serve(self) -> None:
        """Reads and answers. Raises `Stopping` where there is no time left for it."""
        task = asyncio.current_task()
        try:
            await self._answer(task)
        except asyncio.CancelledError:
            if task is None or not (self._has_left or self._desk.is_stopping):
                raise
            task.uncancel()
            if not self._has_left:
                raise Stopping from None
            self.has_started = True

    async def _answer(self, task: asyncio.Task[Any] | None) -> None:
        """Lets go of the upstream when the client leaves."""
        call = await self._read()
        if len(call.body) >= LARGE_BYTES:
            await self._desk.turn()
        begun = self._desk.pipeline.begin(call)
        if not isinstance(begun, Order):
            await self._reply(begun)
            return

        def leave() -> None:
            self._has_left = True
            if task is not None and not begun.draft.leave_to_others():
                task.cancel()

        watch = _Watch(self._receive, leave, self._desk.spawn)
        try:
            await self._reply(await self._desk.pipeline.finish(begun))
        finally:
            watch.cancel()

    async def _read(self) -> Call:
        """Reads one request off the wire. Raises `InvalidRequest` of the kind that applies."""
        if self._scope["method"] != "POST":
            self.extra.append((b"allow", b"POST"))
            raise MethodNotAllowed(f"Use POST for {self._route}.")
        headers, limit = Headers(self._scope["headers"]), self._desk.max_body_bytes
        if not is_local(headers) and not self._desk.takes_any_host:
            raise not_local()
        check_media_type(headers)
        check_length(headers, limit)
        body = await _body(self._receive, limit)
        self.is_read = True
        if is_packed(headers):
            body = await unpacked(body, limit)
        return self._desk.call(understand(headers, self._route), body, self.arrival)

    async def _reply(self, reply: Reply | StreamReply) -> None:
        if not isinstance(reply, StreamReply):
            if not self._has_left:
                await self._start(reply)
                await self._send({"type": "http.response.body", "body": reply.body})
            return
        try:
            if self._has_left:
                return
            await self._start(reply)
            while chunk := await reply.chunk():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if self._desk.is_stopping and not self._has_left:
                await self._send({"type": "http.response.body", "body": reply.cut_short()})
            raise
        finally:
            await reply.aclose()

    async def _start(self, reply: Reply | StreamReply) -> None:
        self.has_started = True
        headers = [*pairs(self._desk.headers(reply)), *self.extra]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})


async def _body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `RequestTooLarge` as soon as it is over the limit."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("The connection closed before the body was complete.", code="bad_request")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)

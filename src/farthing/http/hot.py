"""The data plane as raw ASGI: one handler for the three chat routes, whichever dialect they speak."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from farthing.dialects import INBOUND
from farthing.dialects.base import InboundDialect
from farthing.domain.errors import InvalidRequest, MethodNotAllowed, RequestTimeout
from farthing.domain.pricing import NANO
from farthing.gateway.call import Call
from farthing.gateway.delivery import Reply, StreamReply
from farthing.gateway.pipeline import Pipeline
from farthing.gateway.snapshot import Snapshots
from farthing.http.bodies import CLOSE, has_body
from farthing.http.errors import Message, Pairs, Send, guarded, id_headers, send_error
from farthing.http.headers import (
    Headers,
    app_name,
    check_is_local,
    check_length,
    check_media_type,
    credential,
    directives,
    too_large,
)
from farthing.ports import Clock, Spawn

Receive = Callable[[], Awaitable[Message]]
Scope = dict[str, Any]

HOT = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/v1/embeddings": "embeddings",
    "/complete": "native",
}
"""The hot routes and the dialect each speaks."""

MISWRITTEN = {
    "/chat/completions": "/v1/chat/completions",
    "/v1/v1/chat/completions": "/v1/chat/completions",
    "/embeddings": "/v1/embeddings",
    "/v1/v1/embeddings": "/v1/embeddings",
    "/messages": "/v1/messages",
    "/v1/v1/messages": "/v1/messages",
}
"""The commonest mistakes in a base URL: answered, with a warning that says how to mend it."""

BODY_TIMEOUT_S = 30.0
WATCH_AFTER_S = 0.02
LONGEST_FACT = 256
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_FACTS = (b"x-farthing-model", b"x-farthing-provider", b"x-farthing-strategy", b"x-farthing-upstream-request-id")


class DataPlane:
    """Answers the hot routes."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        snapshots: Snapshots,
        clock: Clock,
        new_id: Callable[[], str],
        spawn: Spawn,
        max_body_bytes: int,
    ) -> None:
        self._pipeline = pipeline
        self._snapshots = snapshots
        self._clock = clock
        self._new_id = new_id
        self._spawn = spawn
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request and answers its errors in its dialect."""
        path: str = scope["path"]
        route = MISWRITTEN.get(path, path)
        dialect = INBOUND[HOT[route]]
        answering = _Answering(
            plane=self,
            scope=scope,
            receive=receive,
            send=send,
            route=route,
            dialect=dialect,
            request_id=self._new_id(),
        )
        error = await guarded(answering.serve(), answering.request_id)
        if error is not None and not answering.has_started:
            headers = answering.extra if answering.is_read else [*answering.extra, *CLOSE]
            await send_error(send, error, dialect=dialect, request_id=answering.request_id, headers=headers)

    async def call(self, answering: _Answering) -> Call:
        """Reads one request off the wire. Raises `InvalidRequest` of the kind that applies."""
        started, received_us = self._clock.monotonic(), self._clock.now_us()
        if answering.scope["method"] != "POST":
            answering.extra.append((b"allow", b"POST"))
            raise MethodNotAllowed(f"Use POST for {answering.route}.")
        headers = Headers(answering.scope["headers"])
        if self._snapshots.current.is_open:
            check_is_local(headers)
        key = credential(headers)
        check_media_type(headers)
        check_length(headers, self._max_body_bytes)
        body = await _body(answering.receive, self._max_body_bytes)
        answering.is_read = True
        return Call(
            request_id=answering.request_id,
            route=answering.route,
            dialect=answering.dialect,
            body=body,
            credential=key,
            directives=directives(headers),
            app=app_name(headers),
            forward=headers.forward,
            received_us=received_us,
            started=started,
        )

    async def answer(self, call: Call) -> Reply | StreamReply:
        """Hands the call to the pipeline."""
        return await self._pipeline.run(call)

    def watch(self, receive: Receive, on_leave: Callable[[], None]) -> _Watch:
        """Calls `on_leave` when the client hangs up."""
        return _Watch(receive, on_leave, self._spawn)

    def elapsed_ms(self, call: Call) -> float:
        """Milliseconds since the request arrived."""
        return (self._clock.monotonic() - call.started) * 1000


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
        plane: DataPlane,
        scope: Scope,
        receive: Receive,
        send: Send,
        route: str,
        dialect: InboundDialect,
        request_id: str,
    ) -> None:
        self.plane = plane
        self.scope = scope
        self.receive = receive
        self.send = send
        self.route = route
        self.dialect = dialect
        self.request_id = request_id
        self.has_started = False
        self.is_read = not has_body(scope["headers"])
        """Whether the whole body has been received."""
        self.extra: Pairs = []
        if scope["path"] != route:
            self.extra.append(miswritten(scope["path"], route))

    async def serve(self) -> None:
        """Reads, answers, and lets go of the upstream when the client leaves."""
        call = await self.plane.call(self)
        task = asyncio.current_task()
        left = False

        def leave() -> None:
            nonlocal left
            left = True
            if task is not None:
                task.cancel()

        watch = self.plane.watch(self.receive, leave)
        try:
            await self._reply(call, await self.plane.answer(call))
        except asyncio.CancelledError:
            if not left or task is None:
                raise
            task.uncancel()
            self.has_started = True
        finally:
            watch.cancel()

    async def _reply(self, call: Call, reply: Reply | StreamReply) -> None:
        if isinstance(reply, Reply):
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(reply.body)).encode()),
                *self._headers(call, reply),
            ]
            await self._start(headers)
            await self.send({"type": "http.response.body", "body": reply.body})
            return
        try:
            await self._start(
                [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-cache"),
                    *self._headers(call, reply),
                ]
            )
            while chunk := await reply.chunk():
                await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self.send({"type": "http.response.body", "body": b""})
        finally:
            await reply.aclose()

    async def _start(self, headers: Pairs) -> None:
        self.has_started = True
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})

    def _headers(self, call: Call, reply: Reply | StreamReply) -> Pairs:
        draft = reply.draft
        upstream_ms = draft.upstream_us / 1000
        gateway_ms = max(0.0, self.plane.elapsed_ms(call) - upstream_ms)
        headers = [
            *id_headers(call.request_id),
            (b"x-farthing-cache", draft.cache.encode()),
            (b"server-timing", f"gateway;dur={gateway_ms:.2f}, upstream;dur={upstream_ms:.2f}".encode()),
            *self.extra,
        ]
        headers += [
            (name, _header_value(value)) for name, value in zip(_FACTS, draft.answered_by, strict=True) if value
        ]
        exchange = draft.exchange
        if exchange is not None and exchange.cost is not None:
            headers.append((b"x-farthing-cost-usd", f"{exchange.cost / NANO:.9f}".encode()))
        return headers


def miswritten(path: str, right: str) -> tuple[bytes, bytes]:
    """The header that tells whoever configured a client what is wrong with its base URL."""
    hint = f'299 farthing "The base URL is miswritten: {path} should be {right}"'
    return b"warning", _header_value(hint)


def _header_value(text: str) -> bytes:
    """Text that a provider may have chosen, as a header can hold it."""
    return _NOT_PRINTABLE.sub("?", text[:LONGEST_FACT]).encode()


async def _body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `RequestTooLarge` as soon as it is over the limit, `RequestTimeout` if it stalls."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
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
    except TimeoutError as error:
        raise RequestTimeout(f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s.") from error

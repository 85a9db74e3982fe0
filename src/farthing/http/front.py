"""The front door: the hot routes go to the data plane, everything else to FastAPI, and nothing leaves without an id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from farthing.dialects import INBOUND
from farthing.http.bodies import CLOSE, BoundedBody
from farthing.http.desk import HOT, MISWRITTEN, miswritten
from farthing.http.errors import Message, Pairs, Send, guarded, id_headers, send_error
from farthing.http.headers import Headers
from farthing.http.hot import Receive, Scope

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
_HOT_PATHS = frozenset(HOT) | frozenset(MISWRITTEN)


class FrontDoor:
    """The application that the server runs."""

    def __init__(self, *, hot: Asgi, rest: Asgi, new_id: Callable[[], str], max_body_bytes: int) -> None:
        self._hot = hot
        self._rest = rest
        self.new_id = new_id
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection's request, socket or lifespan."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                self._name(scope)
            await self._rest(scope, receive, send)
        elif scope["path"] in _HOT_PATHS:
            await self._hot(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    def _name(self, scope: Scope) -> str:
        """Tells the routes the request's id, and how large a body may be."""
        request_id = self.new_id()
        scope.setdefault("state", {}).update(request_id=request_id, max_body_bytes=self._max_body_bytes)
        return request_id

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._name(scope)
        extra = _mend(scope)
        body = BoundedBody(receive, scope["headers"], self._max_body_bytes)
        has_started = False

        def ending() -> Pairs:
            return [] if body.is_read else CLOSE

        async def send_with_id(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                message["headers"] = [*message.get("headers", ()), *id_headers(request_id), *extra, *ending()]
            await send(message)

        async def work() -> None:
            body.check(Headers(scope["headers"]))
            await self._rest(scope, body, send_with_id)

        error = await guarded(work(), request_id)
        if error is not None and not has_started:
            await send_error(send, error, dialect=INBOUND["native"], request_id=request_id, headers=ending())


def _mend(scope: Scope) -> Pairs:
    """Puts a model list's address right whose `/v1` is missing or doubled; the header that says so."""
    path: str = scope["path"]
    right = "/v1" + path.removeprefix("/v1").removeprefix("/v1")
    if path == right or not right.startswith("/v1/models"):
        return []
    scope["path"] = right
    scope["raw_path"] = right.encode()
    return [miswritten(path, right)]

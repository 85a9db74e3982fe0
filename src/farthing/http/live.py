"""The live figures over a WebSocket: at once, on change, and at least every five seconds."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import WebSocket, WebSocketDisconnect

from farthing.dialects import strict
from farthing.domain.errors import FarthingError, Forbidden, InvalidRequest
from farthing.domain.keys import Caller
from farthing.domain.secrets import digest
from farthing.http.errors import deny_socket
from farthing.http.headers import Headers, credential
from farthing.http.hub import POLICY_VIOLATION, Leave, Line, View, Watcher
from farthing.http.moments import rfc3339
from farthing.http.policy import caller_over
from farthing.http.services import Services, services_of
from farthing.http.sockets import LONGEST_MESSAGE, PUSH, text_frame

MISTAKES_FORGIVEN = 3
MOST_DIGITS = 16
"""Of a sequence number."""


async def live_metrics(socket: WebSocket) -> None:
    """Sends `GET /routing/metrics` with `timestamp` and a rising `sequence`; answers `{"action": "ping"}` at once.

    A client that comes back may show the last `sequence` that it has seen.
    """
    services = services_of(socket)
    try:
        sequence = _sequence(socket)
        caller = await _caller(socket)
        with services.live.seat(socket.client.host if socket.client else "", caller):
            await socket.accept()
            await _serve(socket, services, caller, sequence)
    except WebSocketDisconnect:
        return
    except FarthingError as error:
        await deny_socket(socket.scope, socket.send, error)


async def _serve(socket: WebSocket, services: Services, caller: Caller, sequence: int | None) -> None:
    """Goes on until the client leaves, or is let go."""
    line: Line = socket.scope["extensions"][PUSH]

    secret = credential(Headers(socket.scope["headers"]))

    async def admit() -> Leave:
        view = _view(await _caller(socket))
        key = services.snapshots.current.keys.get(digest(secret)) if secret is not None else None
        return Leave(view, None if key is None else key.expires_at_us)

    is_looked_up = secret is None and not services.snapshots.current.is_open
    watcher = Watcher(line=line, view=_view(caller), admit=admit, is_looked_up=is_looked_up)
    with services.live.joined(watcher):
        await services.live.welcome(watcher, sequence)
        mistakes = 0
        while mistakes < MISTAKES_FORGIVEN:
            if _is_ping(await _received(socket)):
                _send(line, {"type": "pong", "timestamp": rfc3339(services.clock.now_us())})
            else:
                mistakes += 1
                _send(line, {"type": "error", "error": {"message": 'Send {"action": "ping"} or nothing.'}})
        line.end(POLICY_VIOLATION)


async def _caller(socket: WebSocket) -> Caller:
    """Who is there. Raises `FarthingError` for whom the figures are not."""
    headers = Headers(socket.scope["headers"])
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers["host"]:
        raise Forbidden("A page of another origin may not read these figures.")
    return await caller_over(socket)


def _view(caller: Caller) -> View:
    return None if caller.is_admin else caller.tenant


def _sequence(socket: WebSocket) -> int | None:
    """The number in `?sequence=`. Raises `InvalidRequest` for one that is none."""
    text = socket.query_params.get("sequence")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise InvalidRequest("`sequence` is the number of the last message that you have.", param="sequence")
    return int(text)


async def _received(socket: WebSocket) -> str:
    """The next text message; one that is no text counts as empty. Raises `WebSocketDisconnect`."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    return message.get("text") or ""


def _send(line: Line, message: dict[str, Any]) -> None:
    line.push(text_frame(msgspec.json.encode(message)))


def _is_ping(text: str) -> bool:
    try:
        return len(text) <= LONGEST_MESSAGE and strict.decode(text.encode()).get("action") == "ping"
    except InvalidRequest:
        return False

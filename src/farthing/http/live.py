"""The live figures over a WebSocket: at once, then every five seconds."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Response, WebSocket, WebSocketDisconnect

from farthing.dialects import INBOUND, strict
from farthing.domain.errors import FarthingError, Forbidden, InvalidRequest, Unavailable
from farthing.http.errors import error_answer
from farthing.http.headers import Headers
from farthing.http.moments import rfc3339
from farthing.http.policy import caller_over
from farthing.http.presentation import as_object
from farthing.http.services import Services, services_of

INTERVAL_S = 5.0
LONGEST_MESSAGE = 1024
MISTAKES_FORGIVEN = 3
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013


async def live_metrics(socket: WebSocket) -> None:
    """Sends `GET /routing/metrics` with `timestamp` and a rising `sequence`; answers `{"action": "ping"}` at once."""
    services = services_of(socket)
    try:
        await _tenant(socket)
    except FarthingError as error:
        await _deny(socket, error)
        return
    try:
        await socket.accept()
        await _converse(socket, services)
    except WebSocketDisconnect:
        return
    except FarthingError as error:
        await socket.close(_close_code(error))


async def _deny(socket: WebSocket, error: FarthingError) -> None:
    """Refuses the handshake as any other request is refused, where the server can tell it."""
    if "websocket.http.response" not in socket.scope.get("extensions", {}):
        await socket.close(_close_code(error))
        return
    request_id = socket.scope["state"]["request_id"]
    status, headers, body = error_answer(error, INBOUND["native"], request_id, [])
    response = Response(body, status_code=status)
    response.raw_headers = headers
    await socket.send_denial_response(response)


def _close_code(error: FarthingError) -> int:
    return TRY_AGAIN_LATER if isinstance(error, Unavailable) else POLICY_VIOLATION


async def _converse(socket: WebSocket, services: Services) -> None:
    """Goes on until the client leaves. Raises `FarthingError` where it may not stay."""
    sequence = mistakes = 0
    while True:
        # Asked anew each time: the key may have been revoked meanwhile.
        tenant = await _tenant(socket)
        sequence += 1
        await socket.send_json(await _figures(services, tenant, sequence))
        mistakes += await _listen(socket, services, MISTAKES_FORGIVEN - mistakes)
        if mistakes == MISTAKES_FORGIVEN:
            raise InvalidRequest("Too many messages that mean nothing.")


async def _tenant(socket: WebSocket) -> str | None:
    """Whose figures the socket may show, None for everybody's. Raises `FarthingError` where it may show none."""
    headers = Headers(socket.scope["headers"])
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers["host"]:
        raise Forbidden("A page of another origin may not read these figures.")
    caller = await caller_over(socket)
    return None if caller.is_admin else caller.tenant


async def _figures(services: Services, tenant: str | None, sequence: int) -> dict[str, Any]:
    """The figures, or while the database is away and none are known an error in their place."""
    stamp = {"timestamp": rfc3339(services.clock.now_us()), "sequence": sequence}
    try:
        demo = services.snapshots.current.catalogue.demo
        return {**as_object(await services.metrics(tenant)), "demo": demo, **stamp}
    except Unavailable as error:
        return {**_error(error.message), **stamp}


async def _listen(socket: WebSocket, services: Services, mistakes_left: int) -> int:
    """Answers what the client says until the next figures are due; the number of messages it could not understand."""
    mistakes = 0
    try:
        async with asyncio.timeout(INTERVAL_S):
            while mistakes < mistakes_left:
                if _is_ping(await _received(socket)):
                    await socket.send_json({"type": "pong", "timestamp": rfc3339(services.clock.now_us())})
                else:
                    mistakes += 1
                    await socket.send_json(_error('Send {"action": "ping"} or nothing.'))
    except TimeoutError:
        pass
    return mistakes


async def _received(socket: WebSocket) -> str:
    """The next text message; one that is no text counts as empty. Raises `WebSocketDisconnect`."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    return message.get("text") or ""


def _error(text: str) -> dict[str, Any]:
    return {"type": "error", "error": {"message": text}}


def _is_ping(text: str) -> bool:
    try:
        return len(text) <= LONGEST_MESSAGE and strict.decode(text.encode()).get("action") == "ping"
    except InvalidRequest:
        return False

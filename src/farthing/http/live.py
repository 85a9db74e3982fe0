"""The live figures over a WebSocket: at once, then every five seconds."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from fastapi import WebSocket, WebSocketDisconnect

from farthing.domain.errors import FarthingError
from farthing.domain.keys import Caller
from farthing.gateway.admission import admit
from farthing.http.headers import Headers, credential
from farthing.http.moments import rfc3339
from farthing.http.presentation import as_object
from farthing.http.services import Services, services_of

INTERVAL_S = 5.0
LONGEST_MESSAGE = 1024
MISTAKES_FORGIVEN = 3
POLICY_VIOLATION = 1008


async def live_metrics(socket: WebSocket) -> None:
    """Sends `GET /routing/metrics` with `timestamp` and a rising `sequence`; answers `{"action": "ping"}` at once."""
    services = services_of(socket)
    try:
        caller = _admit(socket, services)
    except FarthingError:
        await socket.close(POLICY_VIOLATION)
        return
    tenant = None if caller.is_admin else caller.tenant
    await socket.accept()
    sequence = mistakes = 0
    try:
        while mistakes < MISTAKES_FORGIVEN:
            sequence += 1
            await socket.send_json(await _figures(services, tenant, sequence))
            mistakes += await _listen(socket, services)
        await socket.close(POLICY_VIOLATION)
    except WebSocketDisconnect:
        return


def _admit(socket: WebSocket, services: Services) -> Caller:
    headers = Headers(socket.scope["headers"])
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers["host"]:
        raise FarthingError("A page of another origin may not read these figures.")
    return admit(services.snapshots.current, credential(headers), services.clock.now_us())


async def _figures(services: Services, tenant: str | None, sequence: int) -> dict[str, Any]:
    return {
        **as_object(await services.metrics(tenant)),
        "timestamp": rfc3339(services.clock.now_us()),
        "sequence": sequence,
    }


async def _listen(socket: WebSocket, services: Services) -> int:
    """Answers what the client says until the next figures are due; the number of messages it could not understand."""
    mistakes = 0
    try:
        async with asyncio.timeout(INTERVAL_S):
            while mistakes < MISTAKES_FORGIVEN:
                if _is_ping(await socket.receive_text()):
                    await socket.send_json({"type": "pong", "timestamp": rfc3339(services.clock.now_us())})
                else:
                    mistakes += 1
                    await socket.send_json(
                        {"type": "error", "error": {"message": 'Send {"action": "ping"} or nothing.'}}
                    )
    except TimeoutError:
        pass
    return mistakes


def _is_ping(text: str) -> bool:
    if len(text) > LONGEST_MESSAGE:
        return False
    try:
        message = json.loads(text)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("action") == "ping"

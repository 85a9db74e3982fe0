"""Whether we live and whether we are ready: asked by machines, often, and before anything else is loaded."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from farthing.domain.errors import MethodNotAllowed
from farthing.http.errors import Pairs, Send, envelope

LIVE, READY = "/livez", "/readyz"
PROBES = (LIVE, READY)
"""200 while the process answers; 200 while requests may be sent here, else 503."""
_YES, _NO = b'{"status":"ok"}', b'{"status":"unavailable"}'


async def answer_probe(scope: dict[str, Any], send: Send, *, is_ready: bool) -> None:
    """Tells the state and nothing else."""
    extra: Pairs = []
    if scope["method"] != "GET":
        error = MethodNotAllowed("Use GET here.")
        status, body = error.status, envelope(error, scope["state"]["request_id"])
        extra.append((b"allow", b"GET"))
    elif is_ready or scope["path"] == LIVE:
        status, body = HTTPStatus.OK.value, _YES
    else:
        status, body = HTTPStatus.SERVICE_UNAVAILABLE.value, _NO
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""All that a gateway talks to over HTTP, on loopback: vendors that repeat keys, a webhook, an identity provider."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from msgspec import Struct

from tests.security.conftest import ANSWER

MODES = {"401": 401, "403": 403, "400": 400, "404": 404, "429": 429, "500": 500}
"""What a vendor answers to a model whose name ends so; each repeats the key in its words."""
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")


class Heard(Struct, frozen=True):
    """One request: what it said in its head, and its body."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def without_key(self) -> bytes:
        """Everything but the headers that a key for the vendor belongs into."""
        shown = [f"{name}: {value}" for name, value in self.headers if name.lower() not in KEY_HEADERS]
        return "\n".join([self.path, *shown, ""]).encode() + self.body


class World:
    """Notes whatever it hears."""

    def __init__(self) -> None:
        self.asked: list[Heard] = []
        self.told: list[Heard] = []
        """What came to the webhook."""
        self.elsewhere = ""
        """Where models whose names end in a status of 3xx send us."""
        self.application = web.Application(client_max_size=64 * 1024 * 1024)
        routes: tuple[tuple[str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
            ("/hook/{rest:.*}", self._hook),
            ("/.well-known/openid-configuration", self._discovery),
            ("/token", self._token),
            ("/{rest:.*}", self._vendor),
        )
        for path, handler in routes:
            self.application.router.add_route("*", path, handler)

    async def _vendor(self, request: web.Request) -> web.StreamResponse:
        heard = await _heard(request)
        self.asked.append(heard)
        mode = re.search(r"(?:openai|anthropic|gemini)-(\w+)", heard.path + heard.body.decode("utf-8", "replace"))
        shown = ", ".join(f"{name}: {request.headers[name]}" for name in KEY_HEADERS if name in request.headers)
        said = f"Incorrect API key provided: {shown}; you sent {shown.split()[-1:]}"
        match mode and mode[1]:
            case "cut":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "html":
                return web.Response(text=f"<html>{said}</html>", content_type="text/html")
            case "events":
                event = web.StreamResponse(headers={"content-type": "text/event-stream"})
                await event.prepare(request)
                await event.write(b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n')
                return event
            case str(name) if name.startswith("3"):
                return web.Response(status=int(name), headers={"location": self.elsewhere})
            case str(name) if name in MODES:
                error = {"message": said, "type": "invalid_request_error", "code": "invalid_api_key"}
                return web.json_response({"error": error}, status=MODES[name])
        return web.json_response(ANSWER)

    async def _hook(self, request: web.Request) -> web.Response:
        heard = await _heard(request)
        self.told.append(Heard("", heard.headers, heard.body))
        # The second time it is tried again, and the first time that is logged.
        return web.Response(status=200 if len(self.told) > 1 else 500, text=heard.path)

    async def _discovery(self, request: web.Request) -> web.Response:
        origin = f"http://{request.host}"
        paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        return web.json_response({"issuer": origin, **{name: origin + path for name, path in paths.items()}})

    async def _token(self, request: web.Request) -> web.Response:
        heard = await _heard(request)
        said = f"{request.headers.get('authorization')} {heard.body.decode()}"
        return web.json_response({"error": "invalid_client", "error_description": said}, status=401)


async def _heard(request: web.Request) -> Heard:
    return Heard(request.path_qs, tuple(request.headers.items()), await request.read())

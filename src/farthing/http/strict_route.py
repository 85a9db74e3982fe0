"""Routes of FastAPI whose JSON is as strict as on the hot routes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from farthing.dialects import strict
from farthing.http.bodies import unpacked
from farthing.http.headers import Headers, check_media_type, is_packed


class StrictRoute(APIRoute):
    """A route whose body, where it has one, must be declared as JSON and is decoded as on the hot routes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a strict request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_strictly(request: Request) -> Response:
            headers = Headers(request.scope["headers"])
            check_media_type(headers)
            kind = _PackedRequest if is_packed(headers) else _StrictRequest
            return await handle(kind(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> dict[str, Any]:
        """The object in the body. Raises `InvalidRequest`."""
        return self._noted(strict.decode(await self.body()))

    def _noted(self, found: dict[str, Any]) -> dict[str, Any]:
        """Leaves the names of the fields to whoever tells of the request."""
        self.state.fields = tuple(found)
        return found


class _PackedRequest(_StrictRequest):
    async def json(self) -> dict[str, Any]:
        """The object in the compressed body. Raises `InvalidRequest`."""
        return self._noted(strict.decode(await unpacked(await self.body(), self.state.max_body_bytes)))

"""Routes of FastAPI whose JSON is as strict as on the hot routes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from farthing.dialects import strict
from farthing.http.headers import Headers, check_media_type


class StrictRoute(APIRoute):
    """A route whose body, where it has one, must be declared as JSON and is decoded as on the hot routes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a strict request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_strictly(request: Request) -> Response:
            check_media_type(Headers(request.scope["headers"]))
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> dict[str, Any]:
        """The object in the body. Raises `InvalidRequest`."""
        return strict.decode(await self.body())

"""What can be asked here, told to programs in OpenAPI's form."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from farthing.http.hot import HOT


async def description(request: Request) -> dict[str, Any]:
    """Every route; the hot ones, which speak the dialects that vendors describe, by name alone."""
    described = request.app.openapi()
    hot = {path: {"post": _hot(dialect)} for path, dialect in HOT.items()}
    return {**described, "paths": {**hot, **described["paths"]}}


def _hot(dialect: str) -> dict[str, Any]:
    return {
        "summary": f"A request in the {dialect} dialect",
        "operationId": f"ask_{dialect}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {"200": {"description": "The answer, whole or as a stream"}},
    }

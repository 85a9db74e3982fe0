"""What can be asked here, told to programs in OpenAPI's form."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from farthing.http.desk import HOT
from farthing.http.probes import PROBES


async def description(request: Request) -> dict[str, Any]:
    """Every route; the hot ones, which speak the dialects that vendors describe, and the probes by name alone."""
    described = request.app.openapi()
    hot = {path: {"post": _hot(dialect)} for path, dialect in HOT.items()}
    probes = {path: {"get": _probe(path)} for path in PROBES}
    return {**described, "paths": {**hot, **described["paths"], **probes}}


def _hot(dialect: str) -> dict[str, Any]:
    return {
        "summary": f"A request in the {dialect} dialect",
        "operationId": f"ask_{dialect}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {"200": {"description": "The answer, whole or as a stream"}},
    }


def _probe(path: str) -> dict[str, Any]:
    name = path.removeprefix("/")
    return {"summary": name.capitalize(), "operationId": name, "responses": {"200": {"description": "Yes"}}}

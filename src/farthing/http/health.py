"""How we are, for those who may know."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from farthing.http.presentation import shown_prices
from farthing.http.services import services_of

STATES = ("closed", "half-open", "open")
"""Of a provider's breakers, the better ones first: it is as well as the worst of its models."""


async def health(request: Request) -> dict[str, Any]:
    """State of the database, Redis and every provider; never calls a provider."""
    services = services_of(request)
    parts = await services.health()
    deployments: dict[str, str] = {}
    for model in services.snapshots.current.catalogue.models.values():
        state = services.breakers.of(model.provider, model.upstream).state
        deployments[model.provider] = max(deployments.get(model.provider, STATES[0]), state, key=STATES.index)
    is_well = parts["database"] == "ok" and parts["redis"] in ("ok", "off") and "open" not in deployments.values()
    return {
        "status": "ok" if is_well else "degraded",
        **parts,
        "providers": deployments,
        "version": services.version,
        "demo": services.snapshots.current.catalogue.demo,
        "prices": shown_prices(services.snapshots.current.catalogue.prices),
    }


async def metrics(request: Request) -> Response:
    """Figures of this worker for Prometheus."""
    body = services_of(request).metrics_text()
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

"""Which models can be asked here: in OpenAI's shape, in Anthropic's, and in our own with prices and health."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from farthing.domain.catalogue import VIRTUAL_MODELS, Model
from farthing.domain.keys import Caller
from farthing.gateway.admission import model_not_found
from farthing.gateway.snapshot import Snapshot
from farthing.http.policy import caller_of
from farthing.http.services import services_of

EPOCH = "1970-01-01T00:00:00Z"
"""Anthropic's shape wants a date; when a model was made is not known here."""
PER_MTOK = 1_000_000_000


async def list_models(request: Request) -> dict[str, Any]:
    """Models this key may ask for, the virtual ones first."""
    services = services_of(request)
    names = _visible(services.snapshots.current, caller_of(request))
    if "anthropic-version" in request.headers:
        data = [_anthropic(name) for name in names]
        return {
            "data": data,
            "has_more": False,
            "first_id": next(iter(names), None),
            "last_id": next(reversed(names), None),
        }
    return {"object": "list", "data": [_openai(name, services.snapshots.current) for name in names]}


async def one_model(request: Request, model_id: str) -> dict[str, Any]:
    """One model. Raises `NotFound`."""
    snapshot = services_of(request).snapshots.current
    known = snapshot.catalogue.find(model_id)
    name = known.name if known else model_id
    if name not in _visible(snapshot, caller_of(request)):
        raise model_not_found(model_id)
    return _anthropic(name) if "anthropic-version" in request.headers else _openai(name, snapshot)


async def providers(request: Request) -> dict[str, Any]:
    """Providers that are switched on, and every model with price, tier and health."""
    services = services_of(request)
    snapshot = services.snapshots.current
    models = {
        model.name: _details(model) | {"health": services.breakers.of(model.provider, model.upstream).state}
        for model in snapshot.catalogue.models.values()
        if caller_of(request).may_use(model.name)
    }
    enabled = sorted({model.provider for model in snapshot.catalogue.models.values()} | set(snapshot.providers))
    return {"enabled_providers": enabled, "models": models, "demo": snapshot.catalogue.demo}


def _visible(snapshot: Snapshot, caller: Caller) -> list[str]:
    names = [*VIRTUAL_MODELS, *snapshot.catalogue.models]
    return [name for name in names if caller.may_use(name)]


def _openai(name: str, snapshot: Snapshot) -> dict[str, Any]:
    model = snapshot.catalogue.find(name)
    return {"id": name, "object": "model", "created": 0, "owned_by": model.provider if model else "farthing"}


def _anthropic(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": EPOCH}


def _details(model: Model) -> dict[str, Any]:
    rates = model.price.steps[0][1] if model.price else None
    return {
        "provider": model.provider,
        "upstream": model.upstream,
        "tier": model.tier,
        "routed": model.routed,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": sorted(model.capabilities),
        "priced": model.price is not None,
        "price_version": model.price.version if model.price else None,
        "input_usd_per_mtok": rates.prompt / PER_MTOK if rates else None,
        "cached_input_usd_per_mtok": rates.cached / PER_MTOK if rates else None,
        "output_usd_per_mtok": rates.completion / PER_MTOK if rates else None,
    }

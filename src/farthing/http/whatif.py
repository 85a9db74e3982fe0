"""`GET /v1/savings/what-if`: what routing would save at another traffic, baseline or floor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field

from farthing.dialects.strict import shown
from farthing.domain.catalogue import Catalogue
from farthing.domain.errors import Forbidden, InvalidRequest
from farthing.domain.permissions import may
from farthing.domain.pricing import PriceSheet
from farthing.domain.stats.heldback import Sides
from farthing.http.policy import NEEDED, Policy, caller_of, tenant_of
from farthing.http.presentation import as_object
from farthing.http.replay import DEFAULT_LIMIT, bounded
from farthing.http.reports import StretchQuery, caught_up, shown_stretch, stretch_of
from farthing.http.services import services_of
from farthing.insight.savings import supposed
from farthing.ports import Stretch
from farthing.ports.replay import Question

MOST_REQUESTS = 10**12


class WhatIfQuery(StretchQuery):
    """What is supposed. The mix of requests is that of the last 30 days, or of the time that is asked for."""

    requests_per_month: Annotated[int, Field(ge=1, le=MOST_REQUESTS)]
    baseline: Annotated[str | None, Field(max_length=256)] = None
    floor: Annotated[float | None, Field(ge=0, le=1)] = None


async def what_if(request: Request, query: Annotated[WhatIfQuery, Query()]) -> dict[str, Any]:
    """A month of so many requests like those that were made.

    Raises `InvalidRequest` for a baseline without a price, and with a floor also as a replay does.
    """
    services = await caught_up(request)
    tenant, stretch, catalogue = tenant_of(request), stretch_of(request, query), services.snapshots.current.catalogue
    total = (await services.queries.usage(tenant, "model", stretch))["total"]
    dearer = None if query.baseline is None else _dearer(catalogue, query.baseline, total)
    sides = await services.queries.sides(tenant, stretch)
    replayed = None if query.floor is None else await _replayed(request, sides, stretch, query.floor)
    # numpy takes its time to load, for which requests should not wait.
    found = await asyncio.to_thread(
        supposed, sides, total, requests=query.requests_per_month, dearer=dearer, replayed=replayed
    )
    return {**as_object(found), **shown_stretch(stretch), "demo": catalogue.demo}


async def _replayed(request: Request, sides: Sides, stretch: Stretch, floor: float) -> Mapping[str, Any]:
    """What routing would have done under another floor. Raises `Forbidden`, `InvalidRequest` and as a replay does."""
    privilege, who = NEEDED[Policy.AUDIT]
    if not may(caller_of(request).role, privilege):
        raise Forbidden(f"Another floor is replayed, which needs {who}.", param="floor")
    question = Question(
        tenant=tenant_of(request), strategy="hybrid", stretch=bounded(stretch), limit=DEFAULT_LIMIT, floor=floor
    )
    found = await services_of(request).replay(question)
    if not sum(sides.routed.requests) or not found["cost"] or not found["cost"]["actual_cost"]:
        raise InvalidRequest(
            "No routed request of this time that has cost anything can be compared with [routing] baseline and decided "
            "anew, so nothing is known of another floor: choose another time.",
            code="invalid_parameter",
            param="floor",
        )
    return found


def _dearer(catalogue: Catalogue, name: str, total: Mapping[str, Any]) -> float:
    """How many times what the present baseline costs a mean request would cost there."""
    present, other = catalogue.compared, catalogue.find(name)
    if present is None or present.price is None or other is None or other.price is None:
        raise InvalidRequest(
            f"There is no price to compare {shown(name)} with the present baseline by: `GET /v1/models` lists models.",
            code="invalid_parameter",
            param="baseline",
        )
    now = _mean(present.price, total)
    return _mean(other.price, total) / now if now else 1.0


def _mean(price: PriceSheet, total: Mapping[str, Any]) -> int:
    """Nano-dollars for a thousand requests of the mean length, so that rounding is nothing beside it."""
    requests = max(1, total["requests"])
    return price.estimate(1_000 * total["tokens_in"] // requests, 1_000 * total["tokens_out"] // requests)

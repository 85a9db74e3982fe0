"""What was spent, saved, asked and kept: the ledger's questions over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Query, Request

from farthing.domain.errors import NotFound
from farthing.http.moments import parse_moment, rfc3339
from farthing.http.policy import tenant_of
from farthing.http.presentation import presented
from farthing.http.services import services_of

DAY_US = 86_400_000_000
DEFAULT_SPAN_US = 30 * DAY_US

Group = Literal["model", "provider", "key", "team", "user", "day", "hour", "tag"]
Ending = Literal["ok", "cached", "error", "cancelled", "interrupted", "rejected"]


async def stats(request: Request) -> dict[str, Any]:
    """Everything so far, and the last requests."""
    services = services_of(request)
    figures = presented(await services.queries.stats(tenant_of(request)))
    return {**figures, "demo": services.snapshots.current.catalogue.demo}


async def routing_metrics(request: Request) -> Mapping[str, Any]:
    """How each strategy, provider and the cache did; at most a few seconds old."""
    return await services_of(request).metrics(tenant_of(request))


async def usage(
    request: Request,
    group_by: Group = "model",
    since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40)] = None,
) -> dict[str, Any]:
    """Requests, tokens and money by group; the last 30 days unless said otherwise."""
    since_us, until_us = _span(request, since, until)
    figures = presented(await services_of(request).queries.usage(tenant_of(request), group_by, since_us, until_us))
    return {**figures, "from": rfc3339(since_us), "to": rfc3339(until_us), "group_by": group_by}


async def savings(
    request: Request,
    since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40)] = None,
) -> dict[str, Any]:
    """What was saved against the baseline, and by what; the last 30 days unless said otherwise.

    The interval has no width: both sides are counted from the same tokens at their prices.
    """
    since_us, until_us = _span(request, since, until)
    figures = presented(await services_of(request).queries.savings(tenant_of(request), since_us, until_us))
    would = figures["baseline_cost"]
    return {
        **figures,
        "percent": 100 * figures["saved"] / would if would else 0.0,
        "interval": [figures["saved"], figures["saved"]],
        "method": "counted",
        "from": rfc3339(since_us),
        "to": rfc3339(until_us),
    }


async def requests(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    status: Ending | None = None,
) -> dict[str, Any]:
    """The ledger, newest first. Filters: status, model, provider, key, team, user, session, tag, from, to."""
    filters = _filters(request) | ({"status": status} if status else {})
    rows = await services_of(request).queries.page(tenant_of(request), filters, limit, cursor)
    return {"data": presented(rows.data), "next_cursor": rows.next_cursor}


async def one_request(request: Request, request_id: str) -> dict[str, Any]:
    """One request and its decision: every candidate and why it lost. Raises `NotFound`."""
    services = services_of(request)
    found = await services.queries.request(tenant_of(request), request_id)
    if found is None:
        await services.flush()
        found = await services.queries.request(tenant_of(request), request_id)
    if found is None:
        raise NotFound(f"There is no request `{request_id[:64]}` in the ledger.", code="request_not_found")
    shown: dict[str, Any] = presented(found)
    return shown


async def cache_stats(request: Request) -> dict[str, Any]:
    """What the answer cache holds and what it saved."""
    figures: dict[str, Any] = presented(await services_of(request).queries.cache_stats(tenant_of(request)))
    return figures


async def quality_stats(request: Request) -> dict[str, Any]:
    """What people thought of the answers."""
    figures: dict[str, Any] = presented(await services_of(request).queries.quality_stats(tenant_of(request)))
    return figures


def _span(request: Request, since: str | None, until: str | None) -> tuple[int, int]:
    now = services_of(request).clock.now_us()
    until_us = parse_moment(until, "to") if until else now + 1
    since_us = parse_moment(since, "from") if since else until_us - DEFAULT_SPAN_US
    return since_us, until_us


def _filters(request: Request) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for name in ("model", "provider", "key", "team", "user", "session", "tag"):
        if value := request.query_params.get(name):
            filters[name] = value[:256]
    for name in ("from", "to"):
        if value := request.query_params.get(name):
            filters[name] = parse_moment(value, name)
    return filters

"""What was spent, saved, asked and kept: the ledger's questions over HTTP."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, get_args

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from farthing.domain.budget import DAY_US
from farthing.domain.errors import InvalidRequest
from farthing.domain.exchange import Status
from farthing.http.moments import parse_moment, rfc3339
from farthing.http.policy import tenant_of
from farthing.http.presentation import as_object, presented, shown_prices
from farthing.http.services import Services, services_of
from farthing.insight.savings import measured_savings
from farthing.ports import Dimension, Filter, GroupBy, Period, Stretch

DEFAULT_SPAN_US = 30 * DAY_US
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
PERIODS: tuple[Period, ...] = get_args(Period)

Moment = Annotated[str | None, Field(max_length=40)]
Name = Annotated[str | None, Field(pattern=r"^[^\x00]+$", max_length=256)]


async def stats(request: Request) -> dict[str, Any]:
    """Everything so far, and the last requests."""
    services = await caught_up(request)
    figures = as_object(await services.queries.stats(tenant_of(request)))
    return {**figures, **_basis(services)}


async def routing_metrics(request: Request) -> dict[str, Any]:
    """How each strategy, provider and the cache did; at most a few seconds old."""
    services = services_of(request)
    return {**as_object(await services.metrics(tenant_of(request))), "demo": _is_demo(services)}


class StretchQuery(BaseModel):
    """Which time is asked for; whatever else is sent is refused, for it would be taken to have been heeded."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    since: Annotated[Moment, Field(alias="from")] = None
    until: Annotated[Moment, Field(alias="to")] = None


class NarrowedQuery(StretchQuery):
    """Of which requests it is asked."""

    model: Name = None
    provider: Name = None
    key: Name = None
    team: Name = None
    user: Name = None
    tag: Annotated[str | None, Field(pattern=r"^[^=\x00]+=[^\x00]+$", max_length=256)] = None


class UsageQuery(NarrowedQuery):
    """What is asked of the usage."""

    group_by: GroupBy = "model"

    def of_one(self) -> tuple[Period, tuple[Dimension, str]] | None:
        """The dimension and its one value that is asked for, and by what. Raises `InvalidRequest` for sums not kept."""
        given = [(name, value) for name in DIMENSIONS if (value := getattr(self, name)) is not None]
        if len(given) > 1:
            names = " and ".join(f"`{name}`" for name, _ in given)
            raise InvalidRequest(
                f"Sums are kept by one of {', '.join(DIMENSIONS)} at a time, so not by {names}: send one of them, or "
                "page through `GET /v1/requests`, which takes all.",
                code="invalid_parameter",
                param=given[1][0],
            )
        if not given:
            return None
        if self.group_by not in PERIODS:
            raise InvalidRequest(
                f"Of one {given[0][0]} sums are kept by hour and by day: send `group_by=hour` or `group_by=day`.",
                code="invalid_parameter",
                param="group_by",
            )
        return self.group_by, given[0]


async def usage(request: Request, query: Annotated[UsageQuery, Query()]) -> dict[str, Any]:
    """Requests, tokens and money by group; the last 30 days unless said otherwise."""
    stretch, of_one = stretch_of(request, query), query.of_one()
    services = await caught_up(request)
    tenant, queries = tenant_of(request), services.queries
    if of_one is None:
        found = await queries.usage(tenant, query.group_by, stretch)
    else:
        period, only = of_one
        found = await queries.usage_of(tenant, period, stretch, only)
    figures = as_object(found)
    if query.group_by in PERIODS:
        figures["rows"] = [{**row, "group": rfc3339(row["group"])} for row in figures["rows"]]
    return {**figures, **shown_stretch(stretch), "group_by": query.group_by, **_basis(services)}


async def savings(request: Request, query: Annotated[StretchQuery, Query()]) -> dict[str, Any]:
    """What was saved against the baseline, and by what; the last 30 days unless said otherwise.

    The interval of what is counted has no width: the baseline is the same tokens at another price. `measured` tells
    what the comparison with requests that were held back says.
    """
    stretch = stretch_of(request, query)
    services = await caught_up(request)
    figures = as_object(await services.queries.savings(tenant_of(request), stretch))
    # numpy takes its time to load, for which requests should not wait.
    found = await asyncio.to_thread(measured_savings, await services.queries.sides(tenant_of(request), stretch))
    more = {"method": "counted", "measured": as_object(found), **_basis(services)}
    return {**figures, **more, **shown_stretch(stretch)}


class LedgerQuery(NarrowedQuery):
    """Which page of the ledger is wanted."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    cursor: Annotated[str | None, Field(max_length=512)] = None
    status: Status | None = None
    session: Name = None

    def filter(self) -> Filter:
        """The rows wanted. Raises `InvalidRequest` for a moment that is none."""
        return Filter(
            from_us=parse_moment(self.since, "from") if self.since else None,
            to_us=parse_moment(self.until, "to") if self.until else None,
            **self.model_dump(exclude={"limit", "cursor", "since", "until"}),
        )


async def requests(request: Request, query: Annotated[LedgerQuery, Query()]) -> dict[str, Any]:
    """The ledger, newest first."""
    services = await caught_up(request)
    rows = await services.queries.requests(tenant_of(request), query.filter(), limit=query.limit, cursor=query.cursor)
    return {"data": presented(rows.data), "next_cursor": rows.next_cursor}


async def one_request(request: Request, request_id: str) -> dict[str, Any]:
    """One request and its decision: every candidate and why it lost. Raises `NotFound`."""
    services = await caught_up(request)
    return as_object(await services.queries.request(tenant_of(request), request_id))


async def cache_stats(request: Request) -> dict[str, Any]:
    """What the answer cache holds and what it saved."""
    services = await caught_up(request)
    return as_object(await services.queries.cache_stats(tenant_of(request), services.clock.now_us()))


async def quality_stats(request: Request) -> dict[str, Any]:
    """What people thought of the answers."""
    return as_object(await services_of(request).queries.quality_stats(tenant_of(request)))


def _is_demo(services: Services) -> bool:
    """Whether every amount is simulated."""
    return services.snapshots.current.catalogue.demo


def _basis(services: Services) -> dict[str, Any]:
    """What amounts rest on."""
    return {"demo": _is_demo(services), "prices": shown_prices(services.snapshots.current.catalogue.prices)}


async def caught_up(request: Request) -> Services:
    """The services, once the database holds everything this worker has settled: people look right after they ask."""
    services = services_of(request)
    await services.flush()
    return services


def stretch_of(request: Request, query: StretchQuery) -> Stretch:
    """The time that is asked for, else the last 30 days. Raises `InvalidRequest`."""
    until_us = parse_moment(query.until, "to") if query.until else services_of(request).clock.now_us() + 1
    since_us = parse_moment(query.since, "from") if query.since else until_us - DEFAULT_SPAN_US
    if since_us > until_us:
        raise InvalidRequest("`from` must not be later than `to`.", code="invalid_parameter", param="from")
    return Stretch(since_us, until_us)


def shown_stretch(stretch: Stretch) -> dict[str, str]:
    """The time that an answer is about."""
    return {"from": rfc3339(stretch.from_us or 0), "to": rfc3339(stretch.to_us or 0)}

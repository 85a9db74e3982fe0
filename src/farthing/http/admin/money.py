"""What tenants owe, and prices for requests that had none."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request

from farthing.domain.errors import NotFound
from farthing.domain.permissions import Reach
from farthing.domain.plans import PriceList
from farthing.http.admin.fields import Body, Moment
from farthing.http.moments import parse_moment
from farthing.http.policy import reach_behind
from farthing.http.presentation import shown_invoice
from farthing.http.services import services_of
from farthing.insight.invoicing import invoice_of, terms_of
from farthing.ports import Stretch

Month = Annotated[str, Path(pattern=r"^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])$")]


class Pricing(Body):
    """Which requests are to be priced; only what would be done is told unless `dry_run` is false."""

    since: Moment | None = None
    until: Moment | None = None
    dry_run: bool = True


async def invoice(request: Request, tenant: str, month: Month) -> dict[str, Any]:
    """What a tenant owes for a month in UTC, under the terms then. Raises `NotFound`, `Conflict`."""
    services = services_of(request)
    if not reach_behind(request).holds(tenant, None):
        raise _unknown()
    known = await services.tenancy.tenants(Reach(tenant), limit=1)
    prices = PriceList(plans=services.snapshots.current.plans, at_us=services.clock.now_us())
    terms = await terms_of(services.terms, known[0] if known else None, prices)
    await services.flush()
    found = await invoice_of(services.queries, tenant, month, terms)
    if not known and not found.lines:
        raise _unknown()
    return shown_invoice(found, services.snapshots.current.catalogue.prices)


async def reprice(request: Request, body: Pricing) -> dict[str, Any]:
    """Gives requests whose price was not known their cost on their day; what has one keeps it."""
    since = None if body.since is None else parse_moment(body.since, "since")
    until = None if body.until is None else parse_moment(body.until, "until")
    return await services_of(request).reprice(Stretch(since, until), body.dry_run)


def _unknown() -> NotFound:
    return NotFound("There is no such tenant here.", param="tenant")

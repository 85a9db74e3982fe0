"""What tenants owe, and prices for requests that had none."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request

from farthing.domain.errors import Conflict, NotFound
from farthing.domain.months import month_span
from farthing.domain.permissions import Reach
from farthing.domain.plans import TenantPlan
from farthing.domain.tenancy import Tenant
from farthing.http.admin.fields import Body, Moment
from farthing.http.moments import parse_moment
from farthing.http.policy import reach_behind
from farthing.http.presentation import shown_invoice
from farthing.http.services import Services, services_of
from farthing.insight.invoicing import invoice_of
from farthing.ports import Stretch

Month = Annotated[str, Path(pattern=r"^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])$")]


class Pricing(Body):
    """Which requests are to be priced; only what would be done is told unless `dry_run` is false."""

    since: Moment | None = None
    until: Moment | None = None
    dry_run: bool = True


async def invoice(request: Request, tenant: str, month: Month) -> dict[str, Any]:
    """What a tenant owes for a month in UTC, under the plan that it is on. Raises `NotFound`, `Conflict`."""
    services = services_of(request)
    if not reach_behind(request).holds(tenant, None):
        raise _unknown()
    known = await services.tenancy.tenants(Reach(tenant), limit=1)
    plan = _plan(services, known[0]) if known else None
    await services.flush()
    window = month_span(month)
    found = await invoice_of(services.queries, tenant, (month, Stretch(window.start_us, window.end_us)), plan)
    if not known and not found.lines:
        raise _unknown()
    return shown_invoice(found)


async def reprice(request: Request, body: Pricing) -> dict[str, Any]:
    """Gives requests whose price was not known their cost on their day; what has one keeps it."""
    since = None if body.since is None else parse_moment(body.since, "since")
    until = None if body.until is None else parse_moment(body.until, "until")
    return await services_of(request).reprice(Stretch(since, until), body.dry_run)


def _plan(services: Services, tenant: Tenant) -> TenantPlan | None:
    """The tenant's plan. Raises `Conflict` for one that is gone: without it the invoice would be too low."""
    if tenant.plan is None:
        return None
    plan = services.snapshots.current.plans.get(tenant.plan)
    if plan is None:
        raise Conflict("The plan that this tenant is on is not in the settings any more. Put it on another one.")
    return plan


def _unknown() -> NotFound:
    return NotFound("There is no such tenant here.", param="tenant")

"""Tenants and their teams."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.permissions import Reach
from farthing.domain.plans import PriceList
from farthing.domain.tenancy import Team, Tenant
from farthing.http.admin.fields import Body, Figures, Name, Page, Slug
from farthing.http.admin.paging import Listing
from farthing.http.moments import rfc3339
from farthing.http.policy import caller_of, reach_behind
from farthing.http.services import Services, services_of


class NewTenant(Body):
    """A tenant to be made."""

    protected = frozenset({"is_blocked", "created_at"})

    tenant: Slug
    name: Name | None = None
    plan: Name | None = None


class ChangedTenant(Body):
    """What may change of a tenant; what is not said stays."""

    protected = frozenset({"tenant", "created_at"})

    name: Name | None = None
    plan: Name | None = None
    is_blocked: bool | None = None


class NewTeam(Figures):
    """A team to be made, in the caller's tenant unless said."""

    protected = frozenset({"created_at"})

    team: Slug
    tenant: Name | None = None
    name: Name | None = None


class ChangedTeam(Figures):
    """What may change of a team; what is not said stays."""

    protected = frozenset({"team", "tenant", "created_at"})

    name: Name | None = None


async def list_tenants(request: Request, query: Annotated[Page, Query()]) -> dict[str, Any]:
    """The tenants of the caller's reach: its own, or with an admin key all."""
    reach = Reach(reach_behind(request).tenant)
    listing = Listing("tenants", reach)
    place = listing.place(query.cursor)
    found = await services_of(request).tenancy.tenants(reach, limit=query.limit + 1, after=place[0] if place else None)
    return listing.page(found, query.limit, key=lambda tenant: [tenant.tenant], shown=_shown_tenant)


async def create_tenant(request: Request, body: NewTenant) -> dict[str, Any]:
    """Makes a tenant. Raises `Conflict`."""
    services = services_of(request)
    _check_plan(services, body.plan)
    tenant = Tenant(
        tenant=body.tenant, name=body.name or body.tenant, plan=body.plan, created_at_us=services.clock.now_us()
    )
    await services.tenancy.add_tenant(tenant, _prices(services))
    await services.refresh()
    return _shown_tenant(tenant)


async def change_tenant(request: Request, tenant: str, body: ChangedTenant) -> dict[str, Any]:
    """Names a tenant, puts it on a plan, or refuses all its keys; within a second everywhere. Raises `NotFound`."""
    services = services_of(request)
    changes = body.given()
    _check_plan(services, body.plan)
    _check_whole(changes, "name", "is_blocked")
    changed = await services.tenancy.change_tenant(tenant, reach_behind(request), changes, _prices(services))
    await services.refresh()
    return _shown_tenant(changed)


async def list_teams(request: Request, query: Annotated[Page, Query()]) -> dict[str, Any]:
    """The teams of the caller's reach."""
    reach = reach_behind(request)
    listing = Listing("teams", reach)
    place = listing.place(query.cursor)
    after = None if place is None else (place[0], place[1])
    found = await services_of(request).tenancy.teams(reach, limit=query.limit + 1, after=after)
    return listing.page(found, query.limit, key=lambda team: [team.tenant, team.team], shown=_shown_team)


async def create_team(request: Request, body: NewTeam) -> dict[str, Any]:
    """Makes a team. Raises `Conflict`, and `NotFound` for another tenant's."""
    services, caller = services_of(request), caller_of(request)
    tenant = body.tenant or caller.tenant
    if not reach_behind(request).holds(tenant, body.team):
        raise _no_tenant()
    team = Team(
        tenant=tenant,
        team=body.team,
        name=body.name or body.team,
        limits=body.limits(),
        created_at_us=services.clock.now_us(),
    )
    await services.tenancy.add_team(team)
    await services.refresh()
    return _shown_team(team)


async def change_team(request: Request, tenant: str, team: str, body: ChangedTeam) -> dict[str, Any]:
    """Names a team, or sets limits that all its keys share. Raises `NotFound`."""
    services = services_of(request)
    changes = body.given()
    _check_whole(changes, "name")
    changed = await services.tenancy.change_team(tenant, team, reach_behind(request), changes)
    await services.refresh()
    return _shown_team(changed)


def _check_plan(services: Services, plan: str | None) -> None:
    """Raises `InvalidRequest` for a plan that is not in the settings."""
    if plan is not None and plan not in services.snapshots.current.plans:
        raise InvalidRequest(
            "There is no plan of this name: the settings name them as [plans.NAME].", code="invalid_value", param="plan"
        )


def _prices(services: Services) -> PriceList:
    """What plans charge from now on."""
    return PriceList(plans=services.snapshots.current.plans, at_us=services.clock.now_us())


def _check_whole(changes: dict[str, Any], *names: str) -> None:
    """Raises `InvalidRequest` for null where there must be something."""
    for name in names:
        if name in changes and changes[name] is None:
            raise InvalidRequest(f"`{name}` cannot be null.", code="invalid_value", param=name)


def _no_tenant() -> NotFound:
    return NotFound("There is no such tenant here.", param="tenant")


def _shown_tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant": tenant.tenant,
        "name": tenant.name,
        "plan": tenant.plan,
        "is_blocked": tenant.is_blocked,
        "created_at": rfc3339(tenant.created_at_us),
    }


def _shown_team(team: Team) -> dict[str, Any]:
    names = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
    return {
        "tenant": team.tenant,
        "team": team.team,
        "name": team.name,
        **{name: getattr(team.limits, name, None) for name in names},
        "created_at": rfc3339(team.created_at_us),
    }

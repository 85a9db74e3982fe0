"""Budgets: listed with what is spent of them, made, changed and ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Query, Request
from msgspec.structs import replace
from pydantic import Field

from farthing.domain.budget import Action, Budget, Scope, Step, Window, span
from farthing.domain.errors import Forbidden, InvalidRequest, NotFound
from farthing.domain.permissions import Privilege, Reach, may
from farthing.domain.pricing import NANO
from farthing.http.admin.fields import Body, Dollars, Name, Page
from farthing.http.admin.paging import Listing
from farthing.http.moments import rfc3339
from farthing.http.policy import caller_of, reach_behind
from farthing.http.presentation import shown_budget
from farthing.http.services import Services, services_of

MOST_STEPS = 2
MOST_KEYS = 100_000
"""Keys of a team among which a budget's is looked for."""


LOOSENED_BY: Mapping[Scope, Privilege] = {"tenant": "manage_all", "team": "manage_tenant"}
"""Who may loosen or end a budget: not those whom it bounds as a whole."""


class WantedStep(Body):
    """From `at_percent` of the limit on, `auto` plans cheaper, or only kept answers are given."""

    at_percent: Annotated[int, Field(ge=1, le=99)]
    action: Action


Steps = Annotated[list[WantedStep], Field(max_length=MOST_STEPS)]


class NewBudget(Body):
    """A budget to be made, in the caller's tenant unless said."""

    protected = frozenset({"budget_id", "created_at", "limit_nano", "period"})

    scope: Scope
    subject: Name | None = None
    tenant: Name | None = None
    window: Window
    limit: Dollars
    is_hard: bool = True
    name: Name | None = None
    degrade: Steps = Field(default_factory=list)


class ChangedBudget(Body):
    """What may change of a budget; what is not said stays."""

    protected = NewBudget.protected | {"scope", "subject", "tenant", "window"}

    limit: Dollars | None = None
    is_hard: bool | None = None
    name: Name | None = None
    degrade: Steps | None = None


async def list_budgets(request: Request, query: Annotated[Page, Query()]) -> dict[str, Any]:
    """The budgets of the caller's reach, with what is spent in the window that is open now."""
    services, reach = services_of(request), reach_behind(request)
    listing = Listing("budgets", reach)
    place = listing.place(query.cursor)
    mine = await in_reach(request)
    found = [budget for budget in mine if place is None or budget.id > place[0]][: query.limit + 1]
    now_us = services.clock.now_us()
    spent = await services.spent(found, now_us)
    return listing.page(
        found,
        query.limit,
        key=lambda budget: [budget.id],
        shown=lambda budget: _shown(budget, spent.get(budget.id, 0), now_us),
    )


async def one_budget(request: Request, budget_id: str) -> dict[str, Any]:
    """One of them. Raises `NotFound`."""
    return await _told(services_of(request), await _one(request, budget_id))


async def create_budget(request: Request, body: NewBudget) -> dict[str, Any]:
    """Makes a budget. Raises `Forbidden` beyond the caller's reach, `NotFound` and `Conflict`."""
    services = services_of(request)
    budget = _wanted(request, body)
    if not await _within(services, reach_behind(request), [budget]):
        raise Forbidden("This budget would reach further than you do.", param="scope")
    if budget.scope == "team":
        await services.tenancy.check_team(budget.tenant, budget.subject)
    elif budget.scope == "key":
        await services.keys.get(budget.subject, Reach(budget.tenant))
    elif budget.scope != "gateway" and budget.tenant != caller_of(request).tenant:
        await services.tenancy.check_team(budget.tenant, None)
    await services.budgets.create(budget, created_at_us=services.clock.now_us())
    return await _told(services, budget)


async def change_budget(request: Request, budget_id: str, body: ChangedBudget) -> dict[str, Any]:
    """Changes a budget; in force on every worker within a second. Raises `NotFound`, `Forbidden`, `Conflict`."""
    services = services_of(request)
    before = await _one(request, budget_id)
    given = body.given()
    for name in ("limit", "is_hard"):
        if name in given and given[name] is None:
            raise InvalidRequest(f"`{name}` cannot be null.", code="invalid_value", param=name)
    if "degrade" in given:
        given["degrade"] = _steps(body.degrade or [])
    budget = replace(before, **given)
    if not budget.is_within(before):
        _check_rank(request, before)
    await services.budgets.change(budget, tenant=budget.tenant, before=before)
    return await _told(services, budget)


async def delete_budget(request: Request, budget_id: str) -> dict[str, Any]:
    """Ends a budget: nothing is held to it from then on. Raises `NotFound`, `Forbidden`."""
    services = services_of(request)
    budget = await _one(request, budget_id)
    _check_rank(request, budget)
    await services.budgets.delete(budget_id, tenant=budget.tenant)
    return {"budget_id": budget_id, "deleted": True}


def _wanted(request: Request, body: NewBudget) -> Budget:
    """The budget that is meant. Raises `InvalidRequest` without a subject where one is needed."""
    tenant = "" if body.scope == "gateway" else body.tenant or caller_of(request).tenant
    implied = {"gateway": "", "tenant": tenant}.get(body.scope)
    subject = body.subject if implied is None else implied
    if subject is None:
        raise InvalidRequest(
            "`subject` must say for whom: a key's id, a team, a user, a model or `tag=value`.",
            code="missing_required_parameter",
            param="subject",
        )
    if (body.scope == "tag" and "=" not in subject) or (implied is not None and body.subject not in (None, implied)):
        raise InvalidRequest("`subject` does not fit the scope.", code="invalid_value", param="subject")
    return Budget(
        id=services_of(request).new_id(),
        tenant=tenant,
        scope=body.scope,
        subject=subject,
        window=body.window,
        limit=body.limit,
        is_hard=body.is_hard,
        name=body.name,
        degrade=_steps(body.degrade),
    )


def _steps(wanted: Sequence[WantedStep]) -> tuple[Step, ...]:
    return tuple(sorted((Step(step.at_percent, step.action) for step in wanted), key=lambda step: step.at_percent))


async def _one(request: Request, budget_id: str) -> Budget:
    services, reach = services_of(request), reach_behind(request)
    budget = await services.budgets.get(budget_id, tenant=reach.tenant)
    if not await _within(services, reach, [budget]):
        raise NotFound("There is no budget with this id.", param="budget_id")
    return budget


def _check_rank(request: Request, budget: Budget) -> None:
    """Raises `Forbidden` where the caller is among those whom the budget bounds as a whole."""
    needed = LOOSENED_BY.get(budget.scope)
    if needed is not None and not may(caller_of(request).role, needed):
        raise Forbidden("This budget bounds you as well: you may tighten it, and ask those above you for more.")


async def in_reach(request: Request) -> list[Budget]:
    """The budgets that the caller may see, in the order of their ids."""
    services, reach = services_of(request), reach_behind(request)
    found = await _within(services, reach, await services.budgets.list(reach.tenant))
    return sorted(found, key=lambda one: one.id)


async def _within(services: Services, reach: Reach, budgets: Sequence[Budget]) -> list[Budget]:
    """Those within reach: for a team admin its team's and those of the team's keys."""
    mine = [budget for budget in budgets if reach.tenant in (None, budget.tenant)]
    if reach.team is None:
        return mine
    keys = {key.caller.key_id for key in await services.keys.page(reach, limit=MOST_KEYS)}
    return [
        budget
        for budget in mine
        if (budget.scope == "team" and budget.subject == reach.team)
        or (budget.scope == "key" and budget.subject in keys)
    ]


async def _told(services: Services, budget: Budget) -> dict[str, Any]:
    now_us = services.clock.now_us()
    spent = await services.spent([budget], now_us)
    return _shown(budget, spent.get(budget.id, 0), now_us)


def _shown(budget: Budget, spent: int, now_us: int) -> dict[str, Any]:
    ends_us = span(budget.window, now_us).end_us
    return {
        **shown_budget(budget),
        "spent": spent / NANO,
        "resets_at": None if ends_us is None else rfc3339(ends_us),
    }

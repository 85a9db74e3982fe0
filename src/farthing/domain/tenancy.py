"""Whom keys belong to: tenants, their teams, and people who sign on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.budget import Budget
from farthing.domain.keys import Caller, Key, Role
from farthing.domain.limits import Limits, Quota
from farthing.domain.plans import TenantPlan


class Tenant(Struct, frozen=True, kw_only=True):
    """An organisation: the wall that answers, rows and keys never cross."""

    tenant: str
    name: str
    plan: str | None = None
    """The name of a plan in the settings; None has neither limits nor a markup."""
    is_blocked: bool = False
    """Whether all its keys are refused."""
    created_at_us: int = 0


class Team(Struct, frozen=True, kw_only=True):
    """Some of a tenant's people and keys."""

    tenant: str
    team: str
    name: str
    limits: Limits | None = None
    """Shared by all its keys."""
    created_at_us: int = 0


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who signed on; `issuer` vouches for who `subject` is."""

    person_id: str
    tenant: str
    issuer: str
    subject: str
    role: Role
    team: str | None = None
    email: str | None = None
    name: str | None = None
    is_blocked: bool = False
    created_at_us: int = 0


class KeyChanges(Struct, frozen=True, kw_only=True):
    """What has changed of keys, tenants and teams since somebody last asked."""

    number: int
    """Of the last change in it."""
    keys: Mapping[bytes, Key]
    """Those that changed, or all, by digest."""
    has_all: bool
    """Whether keys that are not in it are gone."""
    tenants: Sequence[Tenant]
    """All of them, as `teams`."""
    teams: Sequence[Team]


class House(Struct, frozen=True, kw_only=True):
    """All tenants by name, teams by tenant and name, and the plans of the settings."""

    tenants: Mapping[str, Tenant]
    teams: Mapping[tuple[str, str], Team]
    plans: Mapping[str, TenantPlan]

    def plan_of(self, tenant: str) -> TenantPlan | None:
        """What the tenant has subscribed to; a plan that the settings no longer name is none."""
        known = self.tenants.get(tenant)
        return self.plans.get(known.plan) if known is not None and known.plan is not None else None


PLAN_BUDGET = "plan:"
"""How the ids of budgets begin that come with a tenant's plan."""


def plan_budgets(house: House) -> Iterator[Budget]:
    """The budget that each tenant's plan brings along."""
    for tenant in house.tenants:
        plan = house.plan_of(tenant)
        if plan is not None and plan.monthly_budget is not None:
            yield Budget(
                id=f"{PLAN_BUDGET}{tenant}",
                tenant=tenant,
                scope="tenant",
                subject=tenant,
                window="month",
                limit=plan.monthly_budget,
                name=f"the plan {plan.name} of {tenant}",
            )


def in_force(key: Key, house: House) -> Key:
    """The key as requests meet it: refused with its tenant, and within what team and plan allow."""
    caller = key.caller
    tenant = house.tenants.get(caller.tenant)
    plan = house.plan_of(caller.tenant)
    quotas = tuple(_quotas(caller, house, plan))
    models = _common(caller, plan.allowed_models) if plan is not None else caller.allowed_models
    is_blocked = key.is_blocked or (tenant is not None and tenant.is_blocked)
    if is_blocked == key.is_blocked and models == caller.allowed_models and not quotas:
        return key
    return replace(key, is_blocked=is_blocked, caller=replace(caller, allowed_models=models, quotas=quotas))


def _quotas(caller: Caller, house: House, plan: TenantPlan | None) -> Iterator[Quota]:
    if caller.limits is not None and caller.key_id is not None:
        yield Quota(scope="key", subject=caller.key_id, limits=caller.limits)
    team = house.teams.get((caller.tenant, caller.team)) if caller.team is not None else None
    if team is not None and team.limits is not None:
        yield Quota(scope="team", subject=f"{team.tenant}/{team.team}", limits=team.limits)
    if plan is not None and (
        limits := limits_or_none(plan.requests_per_minute, plan.tokens_per_minute, plan.concurrent_requests)
    ):
        yield Quota(scope="tenant", subject=caller.tenant, limits=limits)


def limits_or_none(requests: int | None, tokens: int | None, concurrent: int | None) -> Limits | None:
    """Limits of these figures; None where there is none."""
    if requests is None and tokens is None and concurrent is None:
        return None
    return Limits(requests_per_minute=requests, tokens_per_minute=tokens, concurrent_requests=concurrent)


def _common(caller: Caller, models: frozenset[str] | None) -> frozenset[str] | None:
    """The models that both the key and these allow."""
    if models is None or caller.allowed_models is None:
        return caller.allowed_models if models is None else models
    others = replace(caller, allowed_models=models)
    return frozenset(filter(others.may_use, caller.allowed_models)) | frozenset(filter(caller.may_use, models))

"""Whom keys belong to: tenants, their teams, and people who sign on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from farthing.domain.budget import Budget
from farthing.domain.keys import Caller, Ceiling, Key, Role
from farthing.domain.limits import Limits, Quota
from farthing.domain.plans import PriceList, TenantPlan, Terms


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
        """What the tenant has subscribed to, as far as it is known."""
        name = self._plan_name(tenant)
        return None if name is None else self.plans.get(name)

    def unknown_plan(self, tenant: str) -> str | None:
        """What the tenant has subscribed to where the settings do not name it: what it may use is not known."""
        name = self._plan_name(tenant)
        return None if name in self.plans else name

    def on_unknown_plans(self) -> Mapping[str, Sequence[str]]:
        """By each plan that the settings do not name who is on it."""
        found: dict[str, list[str]] = {}
        for tenant in sorted(self.tenants):
            if (name := self.unknown_plan(tenant)) is not None:
                found.setdefault(name, []).append(tenant)
        return found

    def _plan_name(self, tenant: str) -> str | None:
        known = self.tenants.get(tenant)
        return None if known is None else known.plan


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


def unrecorded(house: House, latest: Mapping[str, Terms], at_us: int) -> Mapping[str, Terms]:
    """What tenants pay now, where it is not what stands on record last, from a moment (µs since 1970) on.

    From ever on where nothing is on record. What a plan charges that the settings do not name is not known.
    """
    prices, found = PriceList(plans=house.plans, at_us=at_us), {}
    for name, tenant in house.tenants.items():
        last = latest.get(name)
        terms = prices.terms(tenant.plan, since_us=0 if last is None else None)
        is_known = terms.price is not None and (last is not None or tenant.plan is not None)
        if is_known and (last is None or last.charge != terms.charge):
            found[name] = terms
    return found


def in_force(key: Key, house: House) -> Key:
    """The key as requests meet it: refused with its tenant, and within what team and plan allow.

    On a plan that is not known it asks no models: nothing else would bound it.
    """
    caller = key.caller
    tenant = house.tenants.get(caller.tenant)
    plan = house.plan_of(caller.tenant)
    quotas = tuple(_quotas(caller, house, plan))
    models = _common(caller, plan.allowed_models) if plan is not None else caller.allowed_models
    is_blocked = key.is_blocked or (tenant is not None and tenant.is_blocked)
    ceiling, unknown = _ceiling(caller, plan), house.unknown_plan(caller.tenant)
    is_same = is_blocked == key.is_blocked and models == caller.allowed_models
    if is_same and not quotas and ceiling is None and unknown is None:
        return key
    bounds = {"allowed_models": models, "quotas": quotas, "ceiling": ceiling, "unknown_plan": unknown}
    return replace(key, is_blocked=is_blocked, caller=replace(caller, **bounds))


def _ceiling(caller: Caller, plan: TenantPlan | None) -> Ceiling | None:
    """The least that key and plan let a request cost; of two alike the key's."""
    found = [] if caller.max_cost is None else [Ceiling(caller.max_cost, "this key")]
    if plan is not None and plan.max_cost is not None:
        found.append(Ceiling(plan.max_cost, f"the plan {plan.name}"))
    return min(found, key=lambda ceiling: ceiling.limit, default=None)


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

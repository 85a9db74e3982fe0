"""What roles may do, how far they reach, and that nobody grants what they do not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

from msgspec import Struct

from farthing.domain.keys import Caller, Role
from farthing.domain.limits import Limits

Privilege = Literal["ask", "audit_team", "audit_tenant", "manage_team", "manage_tenant", "manage_all"]
"""To ask models; to see how a team or tenant is set up; to change that, for one of them or for all."""

ROLES: tuple[Role, ...] = get_args(Role)
PRIVILEGES: Mapping[Role, frozenset[Privilege]] = {
    "member": frozenset({"ask"}),
    "auditor": frozenset({"audit_team", "audit_tenant"}),
    "team_admin": frozenset({"ask", "audit_team", "manage_team"}),
    "org_admin": frozenset({"ask", "audit_team", "audit_tenant", "manage_team", "manage_tenant"}),
    "admin": frozenset(get_args(Privilege)),
}
"""A lattice: an auditor spends nothing, and neither of auditor and team admin may do all that the other may."""

ASKING: frozenset[str] = frozenset(role for role in ROLES if "ask" in PRIVILEGES[role])
"""Roles that may ask models."""

_FIGURES = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")


class Reach(Struct, frozen=True):
    """Whose keys, people and budgets somebody may see: of all tenants (None), of one, or of one of its teams."""

    tenant: str | None
    team: str | None = None

    def holds(self, tenant: str, team: str | None) -> bool:
        """Whether what belongs to this tenant and team lies within it."""
        return self.tenant in (None, tenant) and self.team in (None, team)


EVERYTHING = Reach(None)


class Grant(Struct, frozen=True, kw_only=True):
    """Everything that a key or a session allows. None is without a bound, for team and user: of nobody's."""

    tenant: str
    role: Role = "member"
    team: str | None = None
    user: str | None = None
    models: frozenset[str] | None = None
    expires_at_us: int | None = None
    limits: Limits | None = None
    max_cost: int | None = None
    """Nano-dollars that one request may cost."""


def grant_of(caller: Caller, expires_at_us: int | None) -> Grant:
    """What this caller has."""
    return Grant(
        tenant=caller.tenant,
        role=caller.role,
        team=caller.team,
        user=caller.user,
        models=caller.allowed_models,
        expires_at_us=expires_at_us,
        limits=caller.limits,
        max_cost=caller.max_cost,
    )


def may(role: Role, privilege: Privilege) -> bool:
    """Whether the role has it; one that a newer release has put into the database has none."""
    return privilege in PRIVILEGES.get(role, ())


def covers(role: Role, other: Role) -> bool:
    """Whether whoever has this role may do all that the other one may: of a role that is not known, an admin alone."""
    return PRIVILEGES.get(other, PRIVILEGES["admin"]) <= PRIVILEGES.get(role, frozenset())


def reach_of(role: Role, tenant: str, team: str | None) -> Reach:
    """How far the role sees and manages. A team admin without a team, which should not be, reaches nothing."""
    if may(role, "manage_all"):
        return EVERYTHING
    if may(role, "audit_tenant"):
        return Reach(tenant)
    return Reach(tenant, team or "")


def excess(child: Grant, creator: Grant) -> Iterator[str]:
    """The fields, by name, in which `child` allows more than `creator` has; none where it may be granted."""
    if not covers(creator.role, child.role):
        yield "role"
    yield from _strays(child, creator)
    if not _has_models(child, creator):
        yield "models"
    if not _is_within(child.expires_at_us, creator.expires_at_us):
        yield "expires_at"
    for name in _FIGURES:
        if not _is_within(getattr(child.limits, name, None), getattr(creator.limits, name, None)):
            yield name
    if not _is_within(child.max_cost, creator.max_cost):
        yield "max_cost_usd"


def _strays(child: Grant, creator: Grant) -> Iterator[str]:
    """Fields by which the child belongs to somebody whom the creator does not manage."""
    if may(creator.role, "manage_all"):
        return
    if child.tenant != creator.tenant:
        yield "tenant"
    if may(creator.role, "audit_tenant"):
        return
    if child.team != creator.team or (may(creator.role, "manage_team") and creator.team is None):
        yield "team"
    if not may(creator.role, "manage_team") and child.user != creator.user:
        yield "user"


def _has_models(child: Grant, creator: Grant) -> bool:
    if creator.models is None:
        return True
    owner = Caller(tenant=creator.tenant, allowed_models=creator.models)
    return child.models is not None and all(map(owner.may_use, child.models))


def _is_within(figure: int | None, bound: int | None) -> bool:
    return bound is None or (figure is not None and figure <= bound)

"""What a tenant has subscribed to: limits, a price, and a markup on what is used."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class TenantPlan(Struct, frozen=True, kw_only=True):
    """A plan that tenants are put on by its name; None in a limit means without one."""

    name: str
    price: int = 0
    """Nano-dollars a month, whatever is used."""
    markup_basis_points: int = 0
    """Hundredths of a percent that an invoice adds to the cost of what was used."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    monthly_budget: int | None = None
    """Nano-dollars that the tenant's requests may cost in a calendar month (UTC)."""
    max_cost: int | None = None
    """Nano-dollars that one request may cost."""
    allowed_models: frozenset[str] | None = None
    """None allows every model."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a tenant pays from a moment on, as it is put on record. `price` and `markup_basis_points` as in the plan."""

    since_us: int
    """Microseconds since 1970 UTC; 0 where it was so before anything was put on record."""
    plan: str | None = None
    price: int | None = 0
    """None, as the markup, where nobody knew what a plan of this name charged."""
    markup_basis_points: int | None = 0

    @property
    def charge(self) -> tuple[str | None, int | None, int | None]:
        """What differs where the tenant pays something else."""
        return self.plan, self.price, self.markup_basis_points


class PriceList(Struct, frozen=True, kw_only=True):
    """The plans of the settings at a moment."""

    plans: Mapping[str, TenantPlan]
    at_us: int
    """Microseconds since 1970 UTC."""

    def terms(self, plan: str | None, *, since_us: int | None = None) -> Terms:
        """What a tenant on this plan pays, from this moment on unless said."""
        since_us = self.at_us if since_us is None else since_us
        known = None if plan is None else self.plans.get(plan)
        if known is not None:
            points = known.markup_basis_points
            return Terms(since_us=since_us, plan=plan, price=known.price, markup_basis_points=points)
        nobody_knows = None if plan is not None else 0
        return Terms(since_us=since_us, plan=plan, price=nobody_knows, markup_basis_points=nobody_knows)

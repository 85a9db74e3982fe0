"""What a tenant has subscribed to: limits, a price, and a markup on what is used."""

from __future__ import annotations

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
    allowed_models: frozenset[str] | None = None
    """None allows every model."""

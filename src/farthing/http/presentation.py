"""The ledger's integers as JSON shows them: nano-dollars as USD, microseconds as RFC 3339."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import asdict

from farthing.domain.budget import Budget
from farthing.domain.invoice import Invoice, Line, Share
from farthing.domain.plans import Terms
from farthing.domain.pricing import NANO, PriceData
from farthing.http.moments import rfc3339

MONEY = frozenset(
    {
        "actual_cost",
        "answer_cache",
        "avg_cost",
        "baseline_cost",
        "batch",
        "cost",
        "estimated_cost",
        "overhead",
        "prompt_cache",
        "routing",
        "saved",
        "savings",
        "total_cost",
        "total_savings",
    }
)
"""Names of fields that hold nano-dollars."""
MOMENTS = frozenset({"created_at", "generated_at"})
"""Names of fields that hold microseconds since 1970."""


def as_object(tree: Mapping[str, Any]) -> dict[str, Any]:
    """`presented` for a whole answer."""
    return dict(_field(name, value) for name, value in tree.items())


def presented(value: Any) -> Any:  # noqa: ANN401 (a tree of JSON in, a tree of JSON out)
    """The same tree with units that people read; names lose the unit that they no longer have."""
    if isinstance(value, Mapping):
        return dict(_field(name, item) for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [presented(item) for item in value]
    return value


def _field(name: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401 (as `presented`)
    if name in MONEY and (value is None or isinstance(value, int | float)):
        return name, None if value is None else value / NANO
    if name in MOMENTS and isinstance(value, int):
        return name, rfc3339(value)
    if name == "interval":
        return name, None if value is None else [bound / NANO for bound in value]
    return name, presented(value)


def shown_budget(budget: Budget) -> dict[str, Any]:
    """A budget as JSON shows it, without what is spent of it."""
    return {
        "budget_id": budget.id,
        "name": budget.name,
        "tenant": budget.tenant or None,
        "scope": budget.scope,
        "subject": budget.subject or None,
        "window": budget.window,
        "limit": budget.limit / NANO,
        "is_hard": budget.is_hard,
        "degrade": [{"at_percent": step.at_percent, "action": step.action} for step in budget.degrade],
    }


def shown_prices(prices: PriceData) -> dict[str, Any]:
    """What prices are known from, and how old they are, as it stands wherever money is."""
    return asdict(prices)


def shown_invoice(found: Invoice, prices: PriceData) -> dict[str, Any]:
    """An invoice as JSON shows it."""
    return {
        "tenant": found.tenant,
        "month": found.month,
        "plan": found.terms.plan,
        "plan_since": _since(found.terms),
        "markup_percent": _percent(found.terms),
        "terms": [_share(share) for share in found.shares],
        "lines": [{"model": line.model, **_figures(line)} for line in found.lines],
        "usage": _figures(found.used),
        "plan_price": found.price / NANO,
        "total": found.total / NANO,
        "prices": shown_prices(prices),
    }


def _share(share: Share) -> dict[str, Any]:
    terms = share.terms
    return {
        "plan": terms.plan,
        "since": _since(terms),
        "from": rfc3339(share.start_us),
        "to": rfc3339(share.end_us),
        "days": share.days,
        "monthly_price": (terms.price or 0) / NANO,
        "plan_price": share.price / NANO,
        "markup_percent": _percent(terms),
    }


def _since(terms: Terms) -> str | None:
    return rfc3339(terms.since_us) if terms.since_us else None


def _percent(terms: Terms) -> float:
    return (terms.markup_basis_points or 0) / 100


def _figures(line: Line) -> dict[str, Any]:
    return {
        "requests": line.requests,
        "tokens_in": line.tokens_in,
        "tokens_out": line.tokens_out,
        "unpriced_requests": line.unpriced,
        "cost": line.cost / NANO,
        "markup": line.markup / NANO,
        "amount": line.amount / NANO,
    }

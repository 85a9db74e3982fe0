"""`GET /stats`: everything so far at a glance."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.ports import Filter
from farthing.store.queries.requests import page
from farthing.store.queries.sums import Sums, by_value

RECENT = 10


async def stats(connection: AsyncConnection, tenant: str | None) -> dict[str, Any]:
    """Sums over all time and the newest requests. Money in nano-dollars, moments in µs."""
    found = await by_value(connection, ["total", "provider", "tier"], tenant)
    total = found["total"].get("", Sums())
    recent = await page(connection, tenant, Filter(), limit=RECENT)
    return {
        "overall": {
            "total_requests": total.requests,
            "total_cost": total.cost,
            "total_tokens_in": total.tokens_in,
            "total_tokens_out": total.tokens_out,
            "cache_hits": total.cache_hits,
            "total_savings": total.savings,
            "unpriced_requests": total.unpriced,
        },
        "by_provider": [{"provider": name, **sums.shown()} for name, sums in found["provider"].items()],
        "by_complexity": [{"complexity": name, **sums.shown()} for name, sums in found["tier"].items()],
        "recent_requests": list(recent.data),
    }

"""`GET /v1/savings`: what was not spent, and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.ports import Stretch
from farthing.store.aggregates import SOURCES
from farthing.store.queries.sums import Sums, by_value


async def savings(connection: AsyncConnection, tenant: str | None, stretch: Stretch) -> dict[str, Any]:
    """Money in nano-dollars. `saved` is the sum of `by_source`.

    The interval is a point: the baseline is the same tokens at another price, which is arithmetic, not an estimate.
    """
    found = await by_value(connection, ["total", "source"], tenant, stretch)
    total = found["total"].get("", Sums())
    return {
        **money(total),
        "interval": [total.savings, total.savings],
        "by_source": {source: found["source"].get(source, Sums()).savings for source in SOURCES},
        "unpriced_requests": total.unpriced,
    }


def money(total: Sums) -> dict[str, Any]:
    """What was spent, what it would have cost, and the difference where both are known."""
    return {
        "actual_cost": total.cost,
        "baseline_cost": total.baseline_cost,
        "saved": total.savings,
        "percent": 100 * total.savings / total.baseline_cost if total.baseline_cost else 0.0,
    }

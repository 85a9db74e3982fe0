"""`GET /v1/savings`: what was not spent, and why."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.budget import DAY_US
from farthing.domain.routing.holdback import GROUPS, HELD_BACK, group_of, unit_of
from farthing.domain.stats.heldback import Side, Sides
from farthing.ports import Stretch
from farthing.store.aggregates import SIDES, SOURCES
from farthing.store.learning.schema import response_feedback
from farthing.store.queries.quality import of_tenant
from farthing.store.queries.sums import Sums, by_value
from farthing.store.schema import requests


async def savings(connection: AsyncConnection, tenant: str | None, stretch: Stretch) -> dict[str, Any]:
    """Money in nano-dollars. `saved` is the sum of `by_source`.

    The interval is a point: the baseline is the same tokens at another price, which is arithmetic, not an estimate.
    """
    found = await by_value(connection, ["total", "source"], tenant, stretch)
    total = found["total"].get("", Sums())
    sources = {source: found["source"].get(source, Sums()) for source in SOURCES}
    return {
        **money(total),
        "interval": [total.savings, total.savings],
        "by_source": {source: sums.savings for source, sums in sources.items()},
        "sources": {
            source: {"saved": sums.savings, "method": "counted", "requests": sums.requests}
            for source, sums in sources.items()
        },
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


async def sides(connection: AsyncConnection, tenant: str | None, stretch: Stretch) -> Sides:
    """What was held back and what was routed beside it, over the whole days (UTC) that the stretch touches."""
    found = await by_value(connection, [SIDES], tenant, _whole_days(stretch))
    held, routed = Side.empty(GROUPS), Side.empty(GROUPS)
    for value, sums in found[SIDES].items():
        arm, _, group = value.partition(" ")
        (held if arm == HELD_BACK else routed).add(
            int(group), requests=sums.requests - sums.unpriced, cost=sums.cost, baseline_cost=sums.baseline_cost
        )
    for side, place, quality in await _ratings(connection, tenant, stretch):
        (held if side == HELD_BACK else routed).ratings.add(place, quality)
    return Sides(held=held, routed=routed)


def _whole_days(stretch: Stretch) -> Stretch:
    start, end = stretch.from_us or 0, stretch.to_us
    return Stretch(start - start % DAY_US, None if end is None else end + -end % DAY_US)


async def _ratings(connection: AsyncConnection, tenant: str | None, stretch: Stretch) -> list[tuple[str, int, float]]:
    """What people said in the stretch of requests of either side: the side, the group and the quality, 0..1."""
    said, row = response_feedback.c, requests.c
    where = [said.source == "explicit", row.arm.is_not(None), row.experiment_id.is_(None), row.status != "cached"]
    where += [said.created_at >= (stretch.from_us or 0), *of_tenant(row.tenant, tenant)]
    if stretch.to_us is not None:
        where.append(said.created_at < stretch.to_us)
    statement = (
        sa.select(row.arm, row.tenant, row.user_id, row.request_id, row.created_at, said.quality)
        .join_from(response_feedback, requests, said.request_id == row.request_id)
        .where(*where)
    )
    found = await connection.execute(statement)
    return [
        (arm, group_of(unit_of(owner, user, request_id, at_us)), float(quality))
        for arm, owner, user, request_id, at_us, quality in found
    ]

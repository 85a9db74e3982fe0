"""`GET /routing/metrics`: how the strategies do."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.keys import ERRANDS
from farthing.store.learning.schema import response_feedback
from farthing.store.queries.quality import of_tenant
from farthing.store.queries.savings import money
from farthing.store.queries.sums import Sums, by_value
from farthing.store.schema import value_metrics

CONFIDENCES = ("high", "medium", "low")
LEARNED = ("learning", "hybrid")
"""Strategies that go by what is learned."""


async def routing_metrics(connection: AsyncConnection, tenant: str | None) -> dict[str, Any]:
    """Over all time, in the shape of CONTRACT but for `generated_at`. Money in nano-dollars."""
    found = await by_value(connection, ["total", "strategy", "confidence", "provider", "cache"], tenant)
    deciding = {name: sums for name, sums in found["strategy"].items() if name not in ERRANDS}
    quality = await _quality_by_strategy(connection, tenant)
    return {
        "total_decisions": sum(sums.requests for sums in deciding.values()),
        "strategy_performance": {
            name: {
                "decisions": sums.requests,
                "total_cost": sums.cost,
                "avg_cost": sums.cost / sums.requests,
                "avg_latency_ms": sums.avg_latency_ms,
                "avg_quality": quality.get(name),
            }
            for name, sums in deciding.items()
        },
        "confidence_distribution": {name: found["confidence"].get(name, Sums()).requests for name in CONFIDENCES},
        "provider_usage": {
            name: {"requests": sums.requests, "cost": sums.cost} for name, sums in found["provider"].items()
        },
        "cache": hits_and_misses(found["cache"]),
        "savings": money(found["total"].get("", Sums())),
    }


async def routed_minutes(connection: AsyncConnection, from_us: int, to_us: int) -> list[tuple[int, int]]:
    """Requests of each minute that what is learned has routed, and what they cost in nano-dollars, the oldest first."""
    table = value_metrics.c
    statement = (
        sa.select(sa.func.sum(table.requests), sa.func.sum(table.cost))
        .where(table.dimension == "strategy", table.grain == 1, table.bucket >= from_us, table.bucket < to_us)
        .where(table.value.in_(LEARNED))
        .group_by(table.bucket)
        .order_by(table.bucket)
    )
    return [(int(requests), int(cost)) for requests, cost in await connection.execute(statement)]


def hits_and_misses(levels: dict[str, Sums]) -> dict[str, Any]:
    """What the answer cache was asked and knew. `hit_rate` is 0..1 of the requests that were looked up."""
    misses = levels.get("miss", Sums()).requests
    hits = sum(sums.requests for level, sums in levels.items() if level not in {"miss", "off"})
    return {"hits": hits, "misses": misses, "hit_rate": hits / (hits + misses) if hits + misses else 0.0}


async def _quality_by_strategy(connection: AsyncConnection, tenant: str | None) -> dict[str, float]:
    votes = response_feedback.c
    statement = (
        sa.select(votes.strategy, sa.func.avg(votes.quality))
        .where(votes.strategy.is_not(None), votes.source == "explicit", *of_tenant(votes.tenant, tenant))
        .group_by(votes.strategy)
    )
    return {name: float(mean) for name, mean in await connection.execute(statement)}

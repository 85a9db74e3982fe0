"""`GET /cache/stats`: what the answer cache is worth."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.store.queries.quality import of_tenant
from farthing.store.queries.routing import hits_and_misses
from farthing.store.queries.sums import Sums, by_value
from farthing.store.schema import response_cache

SHOWN = 10
"""Popular queries in the list."""


async def cache_stats(connection: AsyncConnection, tenant: str | None, now_us: int) -> dict[str, Any]:
    """Hits over all time, entries as of now. Money in nano-dollars."""
    found = await by_value(connection, ["cache", "source"], tenant)
    answers = response_cache.c
    alive = (answers.expires_at > now_us, answers.invalidated.is_(False), *of_tenant(answers.tenant, tenant))
    entries = await connection.scalar(sa.select(sa.func.count()).select_from(response_cache).where(*alive))
    popular = (
        sa.select(answers.key, answers.prompt, answers.model, answers.hits, answers.saved)
        .where(*alive, answers.hits > 0)
        .order_by(answers.hits.desc(), answers.key)
        .limit(SHOWN)
    )
    total = hits_and_misses(found["cache"])
    return {
        "total_entries": entries or 0,
        "total_hits": total["hits"],
        "total_savings": found["source"].get("answer_cache", Sums()).savings,
        "hit_rate_percent": 100 * total["hit_rate"],
        "by_level": {level: sums.requests for level, sums in found["cache"].items() if level not in {"miss", "off"}},
        "popular_queries": [
            {"cache_key": row.key, "query": row.prompt, "model": row.model, "hits": row.hits, "savings": row.saved}
            for row in await connection.execute(popular)
        ],
    }

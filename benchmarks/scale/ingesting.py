"""Measures what a ledger row costs PostgreSQL, and how long a batch keeps the others off the sums that all share."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from benchmarks.scale.servers import DATABASE, Servers
from farthing.background.clock import SystemClock
from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Exchange
from farthing.domain.ids import uuid7
from farthing.store import open_store

BATCH, BATCHES, WARM_BATCHES = 500, 40, 2
STATISTICS_SECONDS = 1.0
"""The server's statistics come a moment after the commit."""
SIZES = """
SELECT pg_current_wal_lsn() - '0/0', (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('requests'))
"""
UPSERTS = "SELECT mean_exec_time FROM pg_stat_statements WHERE query LIKE 'INSERT INTO value_metrics%'"
Figures = tuple[float, float, float]
"""Processor seconds, bytes of log, bytes of table and indices: so far."""


class Ingested(Struct, frozen=True):
    """Figures of full batches written by one writer, straight to the server."""

    rows: int
    batch: int
    row_cpu_us: float
    """The server's own time for a row."""
    row_wal_bytes: float
    row_disk_bytes: float
    """In table and indices."""
    sums_ms: float
    """How long a batch takes to add to the sums, which it then holds until its commit."""


def ingest(servers: Servers) -> Ingested:
    """Writes rows of one tenant, as one worker under load does."""
    before, after = asyncio.run(_measured(servers))
    cpu_s, wal, disk = (end - start for start, end in zip(before, after, strict=True))
    rows = BATCH * BATCHES
    return Ingested(
        rows=rows,
        batch=BATCH,
        row_cpu_us=cpu_s * 1e6 / rows,
        row_wal_bytes=wal / rows,
        row_disk_bytes=disk / rows,
        sums_ms=float(servers.postgres.execute(UPSERTS, DATABASE)),
    )


async def _measured(servers: Servers) -> tuple[Figures, Figures]:
    """Figures before and after all batches but the first ones, which find the server cold."""
    clock = SystemClock()
    store = open_store(servers.postgres.url(DATABASE), clock=clock)

    async def write(first: int, batches: int) -> Figures:
        for batch in range(first, first + batches):
            rows = [_exchange(clock.now_us(), batch * BATCH + place) for place in range(BATCH)]
            assert await store.ingest.write(rows) == BATCH
        await asyncio.sleep(STATISTICS_SECONDS)
        return _figures(servers)

    try:
        before = await write(0, WARM_BATCHES)
        servers.postgres.execute("SELECT pg_stat_statements_reset()", DATABASE)
        # A backend's account ends with it: it is read before the connections close.
        return before, await write(WARM_BATCHES, BATCHES)
    finally:
        await store.aclose()


def _figures(servers: Servers) -> Figures:
    postgres = servers.postgres
    wal, disk = map(float, postgres.execute(SIZES, DATABASE).split("|"))
    return postgres.cpu_seconds, wal, disk


def _exchange(at_us: int, number: int) -> Exchange:
    return Exchange(
        request_id=uuid7(at_us, number),
        created_at_us=at_us,
        status="ok",
        route="/v1/chat/completions",
        dialect="openai",
        tenant="tenant",
        key_id="key-1",
        team="support",
        user=f"user-{number % 50}",
        requested_model="mock",
        provider="mock",
        model="mock",
        upstream_id=f"chatcmpl-{number}",
        strategy="passthrough",
        tier="simple",
        usage=Usage(prompt=1434, completion=154),
        cost=551_000,
        baseline_cost=551_000,
        price_version="2026-11-01",
        cache="miss",
        cache_key=f"{number:064x}",
        finish="stop",
        duration_us=3_540_000,
        upstream_us=3_539_000,
        attempts=(Attempt(model="mock", provider="mock", duration_us=3_539_000),),
    )

"""Many people at dashboards while the database is away: each hears of it in time, not one after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from farthing.background.clock import SystemClock
from farthing.domain.errors import Unavailable
from farthing.store import Store, migrate, open_store
from tests.servers.pgbouncer import PgBouncer

PEOPLE = 50
TOLD_SECONDS = 5.0
"""Soon, on a machine that does other things, too; the second and a half of F09 is a gate of the whole fault matrix."""


@pytest.fixture
async def bounced(pgbouncer_database: str, postgres_database: str) -> AsyncIterator[Store]:
    """A store behind PgBouncer that nobody has asked for anything yet."""
    await migrate(postgres_database)
    store = open_store(pgbouncer_database, clock=SystemClock())
    yield store
    await store.aclose()


async def is_served(store: Store) -> tuple[bool, float]:
    """Whether one person is, and after how many seconds that is clear."""
    began = time.monotonic()
    try:
        await store.queries.stats(None)
    except Unavailable:
        return False, time.monotonic() - began
    return True, time.monotonic() - began


@pytest.mark.parametrize("is_known", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("trouble", ["killed", "paused"])
async def test_everybody_hears_in_time_that_the_bouncer_is_away(
    bounced: Store, pgbouncer: PgBouncer, postgres_database: str, trouble: str, *, is_known: bool
) -> None:
    """Whether connections were open before or not; and soon after it is back everybody is served."""
    name = postgres_database.rsplit("/", 1)[1]
    if is_known:
        await asyncio.gather(*(bounced.queries.stats(None) for _ in range(10)))
    else:
        await bounced.ping()
    try:
        if trouble == "killed":
            await asyncio.to_thread(pgbouncer.kill)
        else:
            await asyncio.to_thread(pgbouncer.command, f"PAUSE {name}")
        heard = await asyncio.gather(*(is_served(bounced) for _ in range(PEOPLE)))
        again = await asyncio.gather(*(is_served(bounced) for _ in range(PEOPLE)))
    finally:
        if trouble == "killed":
            await asyncio.to_thread(pgbouncer.mend)
        else:
            await asyncio.to_thread(pgbouncer.command, f"RESUME {name}")
    assert not any(served for served, _ in [*heard, *again])
    assert max(seconds for _, seconds in [*heard, *again]) < TOLD_SECONDS
    end = time.monotonic() + 20
    while not (await is_served(bounced))[0]:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    assert {pool["in_use"] for pool in bounced.pools().values()} == {0}

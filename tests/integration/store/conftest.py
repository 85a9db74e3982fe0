"""A migrated PostgreSQL that a test may stop, freeze, kill and lock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from farthing.background.clock import SystemClock
from farthing.store import Store, migrate, open_store
from tests.servers.pgbouncer import PgBouncer


@pytest.fixture
async def store(postgres_database: str) -> AsyncIterator[Store]:
    """A store straight on PostgreSQL."""
    await migrate(postgres_database)
    store = open_store(postgres_database, clock=SystemClock(), pool_max=2)
    yield store
    await store.aclose()


@pytest.fixture
async def bounced(store: Store, pgbouncer: PgBouncer, postgres_database: str) -> AsyncIterator[Store]:
    """The same database through PgBouncer in transaction mode."""
    pgbouncer.mend()
    bounced = open_store(pgbouncer.url(postgres_database.rsplit("/", 1)[1]), clock=SystemClock(), pool_max=2)
    yield bounced
    await bounced.aclose()

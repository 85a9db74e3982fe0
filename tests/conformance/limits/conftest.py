"""Two workers that count their callers' limits together, in each place where that can be."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from farthing.background.clock import SystemClock
from farthing.background.supervisor import Supervisor
from farthing.cache import RedisLimits, RedisLink
from farthing.domain.keys import Caller
from farthing.domain.limits import Limits, Quota
from farthing.money.limiter import Limiter
from farthing.ports.limits import SharedLimits
from farthing.store import open_store
from tests.servers.postgres import Postgres
from tests.servers.sqlite import migrated

CLOCK = SystemClock()


def caller(key: str = "k1", *, tenant: str = "acme", team: Limits | None = None, **limits: int) -> Caller:
    """A key with limits of its own, and with its team's."""
    quotas = [Quota(scope="key", subject=key, limits=Limits(**limits))]
    if team is not None:
        quotas.append(Quota(scope="team", subject=f"{tenant}/support", limits=team))
    return Caller(tenant=tenant, key_id=key, team="support" if team else None, quotas=tuple(quotas))


@pytest.fixture(scope="session")
def limits_database(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with that schema."""
    postgres.execute("CREATE DATABASE farthing_limits")
    migrated(postgres.url("farthing_limits"))
    return "farthing_limits"


@asynccontextmanager
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[SharedLimits]:
    """In a real Redis, with all the time that a busy machine may need."""
    link = RedisLink(request.getfixturevalue("redis_database"), clock=CLOCK, prefix="test:", timeout_s=10.0)
    yield RedisLimits(link)
    await link.aclose()


@asynccontextmanager
async def sql(url: str) -> AsyncIterator[SharedLimits]:
    """In a database."""
    store = open_store(url, clock=CLOCK)
    yield store.limits
    await store.aclose()


def sqlite(request: pytest.FixtureRequest) -> Any:
    """In a file."""
    file = shutil.copy(request.getfixturevalue("migrated_file"), request.getfixturevalue("tmp_path"))
    return sql(f"sqlite:///{file}")


def postgres(request: pytest.FixtureRequest) -> Any:
    """In a real PostgreSQL."""
    server, database = request.getfixturevalue("postgres"), request.getfixturevalue("limits_database")
    server.mend()
    server.execute("TRUNCATE rates, slots", database)
    return sql(server.url(database))


@pytest.fixture(params=[redis, sqlite, postgres], ids=lambda make: make.__name__)
async def shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SharedLimits]:
    """What the workers share, one kind after the other."""
    async with request.param(request) as shared:
        monkeypatch.setattr(shared, "patience_s", 25.0)
        yield shared


MakeLimiter = Callable[[str], Limiter]


@pytest.fixture
async def worker(shared: SharedLimits) -> AsyncIterator[MakeLimiter]:
    """Makes a worker of this name."""
    async with Supervisor(grace_s=5) as supervisor:
        yield lambda name: Limiter(clock=CLOCK, spawn=supervisor.spawn, worker=name, workers=2, shared=shared)

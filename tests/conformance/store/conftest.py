"""The same store over every database."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.background.clock import ManualClock
from farthing.store import Store, open_store
from farthing.store.schema import metadata
from tests.conformance.store.samples import NOON_US
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.sqlite import migrated

DATABASE = "farthing_store"


@pytest.fixture(scope="session")
def migrated_database(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with that schema."""
    postgres.execute(f"CREATE DATABASE {DATABASE}")
    migrated(postgres.url(DATABASE))
    return DATABASE


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A database of its own for one test."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'farthing.db')}"


@pytest.fixture
def postgres_url(postgres: Postgres, migrated_database: str) -> str:
    """The emptied database: making one for each test would take most of the run."""
    postgres.mend()
    postgres.execute(f"TRUNCATE {', '.join(metadata.tables)}", migrated_database)
    return postgres.url(migrated_database)


@pytest.fixture
def pgbouncer_url(pgbouncer: PgBouncer, postgres_url: str) -> str:
    """As `postgres_url`, through the bouncer."""
    pgbouncer.mend()
    return pgbouncer.url(postgres_url.rsplit("/", 1)[1])


@pytest.fixture(params=["sqlite", "postgres", "pgbouncer"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty, migrated database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def clock() -> ManualClock:
    """Stands at noon of 1 December 2025 UTC."""
    return ManualClock(NOON_US)


@pytest.fixture
async def store(database_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    """An open store."""
    store = open_store(database_url, clock=clock)
    yield store
    await store.aclose()

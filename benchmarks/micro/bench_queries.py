"""The figures that people look at, over a small ledger; over ever larger ones by `benchmarks.queries`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.micro.databases import DATABASES
from benchmarks.micro.meter import Meter
from benchmarks.queries.__main__ import MIDNIGHT_US, NOW_US
from benchmarks.queries.days import fill
from benchmarks.queries.questions import found, questions
from benchmarks.queries.trials import begin
from farthing.background.clock import ManualClock
from farthing.domain.secrecy import Secret
from farthing.store import Store, migrate, open_store
from farthing.store.engine import Engines
from tests.servers.postgres import Postgres

COUNT, DAYS = 250, 40
DATABASE = "farthing_queries"
ASKED = (
    "usage by user, 30 days",
    "savings, 30 days",
    "stats",
    "routing metrics",
    "newest 50 requests",
    "one request",
    "an experiment of a tenth of the rows",
)


async def filled(url: str) -> None:
    """Ten thousand requests."""
    await migrate(url)
    engines = Engines(url)
    store = Store(engines, ManualClock(NOW_US), Secret(b"known to all workers"))
    await fill(store, engines, midnight_us=MIDNIGHT_US, count=COUNT, days=DAYS)
    await begin(store, engines, rows=COUNT * DAYS, now_us=NOW_US)
    await store.aclose()


@pytest.fixture(scope="session")
def sqlite_ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int | None]:
    """The URL of one in SQLite."""
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / Path('farthing.db')}"
    asyncio.run(filled(url))
    return url, None


@pytest.fixture(scope="session")
def postgresql_ledger(postgres: Postgres) -> tuple[str, int | None]:
    """The URL of one in PostgreSQL, and the server's process."""
    postgres.execute(f"CREATE DATABASE {DATABASE}")
    asyncio.run(filled(postgres.url(DATABASE)))
    postgres.execute("ANALYZE", DATABASE)
    return postgres.url(DATABASE), postgres.pid


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("kind", DATABASES)
def bench_query(meter: Meter, kind: str, name: str, request: pytest.FixtureRequest) -> None:
    """One question, asked ten times a round."""
    url, server = request.getfixturevalue(f"{kind}_ledger")
    store = open_store(url, clock=ManualClock(NOW_US))
    assert found(meter.run(store.queries.stats(None))) == COUNT * DAYS
    asked = {question.name: question for question in meter.run(questions(store, NOW_US))}
    goal_ms = asked[name].goal_ms
    goal_us = None if goal_ms is None else goal_ms * 1000
    meter.each_awaited(lambda ask: ask(), [asked[name].ask] * 10, goal_us=goal_us, server=server)
    meter.run(store.aclose())

"""Copied days are what the ledger itself would have written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from benchmarks.queries.__main__ import MIDNIGHT_US, NOW_US
from benchmarks.queries.days import HOUR_US, fill, of_a_day
from benchmarks.queries.questions import ask, found, questions
from benchmarks.queries.trials import analysed, begin
from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US
from farthing.domain.pricing import NANO
from farthing.domain.secrecy import Secret
from farthing.store import Store, migrate
from farthing.store.engine import Engines
from farthing.store.schema import requests

COUNT, DAYS = 40, 40
"""More than a month, so that PostgreSQL needs several partitions."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def engines(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engines]:
    """A filled database of each kind."""
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'farthing.db'}" if is_file else request.getfixturevalue("postgres_database")
    await migrate(url)
    engines = Engines(url)
    store = Store(engines, ManualClock(NOW_US), Secret(b"known to all workers"))
    await fill(store, engines, midnight_us=MIDNIGHT_US, count=COUNT, days=DAYS)
    await begin(store, engines, rows=COUNT * DAYS, now_us=NOW_US)
    yield engines
    await engines.aclose()


async def rows(engines: Engines) -> list[Any]:
    """Moment, id, cost of every row, oldest first."""
    columns = (requests.c.created_at, requests.c.request_id, requests.c.cost)
    async with engines.reading() as connection:
        return list(await connection.execute(sa.select(*columns).order_by(requests.c.created_at)))


async def test_every_day_has_the_first_ones_rows(engines: Engines) -> None:
    """At the same times of day, with ids that are unlike and tell the moment they bear."""
    ledger = await rows(engines)
    assert len({row.request_id for row in ledger}) == len(ledger) == COUNT * DAYS
    first = [(row.created_at - MIDNIGHT_US, row.cost) for row in ledger[-COUNT:]]
    for day in range(DAYS):
        copied = ledger[day * COUNT : (day + 1) * COUNT]
        back = DAYS - 1 - day
        assert [(row.created_at + back * DAY_US - MIDNIGHT_US, row.cost) for row in copied] == first
    assert all(UUID(row.request_id).int >> 80 == row.created_at // 1000 for row in ledger)


async def test_sums_and_rows_agree(engines: Engines) -> None:
    """By day, by model and in all, as an independent count over the rows has them."""
    store = Store(engines, ManualClock(NOW_US), Secret(b"known to all workers"))
    ledger = await rows(engines)
    stats = await store.queries.stats(None)
    assert found(stats) == COUNT * DAYS
    assert stats["overall"]["total_cost"] == sum(row.cost for row in ledger)
    asked = {question.name: question for question in await questions(store, NOW_US)}
    by_day = await asked["usage by day, 30 days"].ask()
    assert [row["requests"] for row in by_day["rows"]] == [COUNT] * 30
    since = NOW_US - 30 * DAY_US
    assert by_day["total"]["cost"] == sum(row.cost for row in ledger if row.created_at >= since)


async def test_an_experiment_has_a_tenth_of_the_rows(engines: Engines) -> None:
    """The newest ones, by users of five requests in two arms, with the rows' own costs."""
    results = await analysed(Store(engines, ManualClock(NOW_US), Secret(b"known to all workers")))
    size = COUNT * DAYS // 10
    assert [(arm.results, arm.users) for arm in results.arms.values()] == [(size // 2, size // 10)] * 2
    newest = (await rows(engines))[-size:]
    summed = sum(arm.results * (arm.avg_cost or 0) for arm in results.arms.values())
    assert summed * NANO == pytest.approx(sum(row.cost for row in newest))


async def test_every_question_is_answered_and_timed(engines: Engines) -> None:
    """With a wall's and a processor's time."""
    for question in await questions(Store(engines, ManualClock(NOW_US), Secret(b"known to all workers")), NOW_US):
        took = await ask(question, None, seconds=0.0)
        assert took is not None, question.name
        assert took.wall_ms > 0
        assert took.cpu_ms > 0


def test_a_day_is_spread_over_working_hours() -> None:
    """In batches, from eight on, all different."""
    day = [exchange for batch in of_a_day(MIDNIGHT_US, 12_000) for exchange in batch]
    assert len({exchange.request_id for exchange in day}) == 12_000
    assert day[0].created_at_us == MIDNIGHT_US + 8 * HOUR_US
    assert day[-1].created_at_us == MIDNIGHT_US + 16 * HOUR_US - 2_400_000

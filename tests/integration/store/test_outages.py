"""A database that stops, freezes, restarts or is locked: told soon, mended by itself, nothing lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
import sqlalchemy as sa

from farthing.domain.budget import DAY_US
from farthing.domain.errors import Unavailable
from farthing.ports import Filter, Stretch
from farthing.ports.answers import CacheEntry
from farthing.store import Store
from farthing.store.cache_level import REST_SECONDS
from tests.conformance.store.samples import answer, exchange
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres

TOLD_SECONDS = 1.5
"""How long a person waits at most to hear that the database is away."""


async def is_told(ask: Callable[[], Awaitable[object]]) -> float:
    """Seconds until the question was refused for want of a database."""
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await ask()
    return time.monotonic() - started


async def rows(store: Store) -> int:
    """How many requests the ledger has, by its rows and by its sums, which must agree."""
    found = len((await store.queries.requests(None, Filter(), limit=1000)).data)
    assert (await store.queries.stats(None))["overall"]["total_requests"] == found
    return found


def recent() -> CacheEntry:
    """An answer that is good for a day from now."""
    now = time.time_ns() // 1000
    return answer(created_at_us=now, expires_at_us=now + 10**10)


async def test_a_stopped_database_is_told_at_once_and_found_again(store: Store, postgres: Postgres) -> None:
    """Connections that were open mend themselves; the batch that failed is written once."""
    first, second = exchange(), exchange()
    await store.ingest.write([first])
    await rows(store)
    postgres.kill()
    for ask in (lambda: store.ingest.write([second]), lambda: store.queries.stats(None), store.keys.load, store.ping):
        assert await is_told(ask) < TOLD_SECONDS
    postgres.mend()
    assert await store.ingest.write([first, second]) == 1
    assert await rows(store) == 2
    assert {pool["in_use"] for pool in store.pools().values()} == {0}


async def test_a_restart_between_two_questions_is_not_noticed(store: Store, postgres: Postgres) -> None:
    """The dead connection in the pool is replaced within the same question."""
    await store.ping()
    for _ in range(3):
        postgres.stop()
        postgres.start()
        await store.ping()
        assert await store.ingest.write([exchange()]) == 1
    assert await rows(store) == 3


async def test_a_frozen_database_holds_nobody_up(store: Store, postgres: Postgres) -> None:
    """It accepts and never answers: people hear of it in time, and nothing hangs once it thaws."""
    await store.ping()
    await store.ingest.write([exchange()])
    postgres.freeze()
    assert await is_told(store.ping) < TOLD_SECONDS
    assert await is_told(lambda: store.queries.stats(None)) < TOLD_SECONDS
    assert await is_told(store.keys.load) < 2 * TOLD_SECONDS
    assert await is_told(lambda: store.ingest.write([exchange()])) < 5
    postgres.thaw()
    assert await store.ingest.write([exchange()]) == 1
    assert await rows(store) == 2
    assert {pool["in_use"] for pool in store.pools().values()} == {0}


async def test_a_request_waits_once_and_briefly_for_kept_answers(store: Store, postgres: Postgres) -> None:
    """After one short wait the level is left alone, and it is asked again when the database is back."""
    level = store.cache_level
    await level.put("aa", recent())
    postgres.freeze()
    started = time.monotonic()
    assert await level.get("aa") is None
    assert time.monotonic() - started < 0.5
    started = time.monotonic()
    for _ in range(100):
        assert await level.get("aa") is None
        await level.put("bb", recent())
        await level.delete("cc")
    assert time.monotonic() - started < REST_SECONDS
    postgres.thaw()
    await asyncio.sleep(REST_SECONDS)
    assert await level.get("aa") is not None


async def test_changes_of_state_are_logged_once(
    store: Store, postgres: Postgres, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line when the answers go out of reach, one when they are back."""
    monkeypatch.setattr("farthing.store.cache_level.REST_SECONDS", 0.0)
    await store.cache_level.get("aa")
    postgres.kill()
    for _ in range(5):
        await store.cache_level.get("aa")
    postgres.mend()
    for _ in range(5):
        await store.cache_level.get("aa")
    assert [record.getMessage() for record in caplog.records if record.name == "farthing.store.cache_level"] == [
        "The answers in the database are out of reach.",
        "The answers in the database are back.",
    ]


async def test_a_locked_table_delays_the_writer_and_nobody_else(store: Store, postgres_database: str) -> None:
    """While somebody holds the ledger's table, people are refused in time and the writer goes on afterwards."""
    await store.ingest.write([exchange()])
    other = await asyncpg.connect(postgres_database)
    async with other.transaction():
        await other.execute("LOCK TABLE requests IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.ensure_future(store.ingest.write([exchange()]))
        assert await is_told(lambda: store.queries.requests(None, Filter())) < 3
        assert (await store.queries.usage(None, "model", Stretch()))["total"]["requests"] == 1
        assert not waiting.done()
    assert await asyncio.wait_for(waiting, 1) == 1
    await other.close()
    assert await rows(store) == 2


async def test_a_slow_question_is_ended_by_the_server(bounced: Store) -> None:
    """The limit travels with each transaction, so that it holds behind PgBouncer too, and is not left on the server."""

    async def sleep() -> None:
        async with bounced._engines.reading() as connection:
            await connection.execute(sa.text("SELECT pg_sleep(30)"))

    assert 1.5 < await is_told(sleep) < 2.9
    async with bounced._engines.writing("writer") as connection:
        assert await connection.scalar(sa.text("SHOW statement_timeout")) == "10s"
    assert await bounced.ingest.write([exchange()]) == 1


async def test_a_reader_is_refused_to_write(bounced: Store) -> None:
    """PostgreSQL itself keeps reading transactions from changing anything."""
    with pytest.raises(Unavailable):
        async with bounced._engines.reading() as connection:
            await connection.execute(sa.text("DELETE FROM keys"))


async def test_nothing_is_left_prepared_on_a_shared_server(bounced: Store, postgres: Postgres) -> None:
    """Hundreds of statements through few server connections: none fails, and none stays behind."""

    async def work(number: int) -> None:
        await bounced.ingest.write([exchange()])
        await bounced.cache_level.put(f"key-{number}", recent())
        await bounced.queries.routing_metrics(None)

    for start in range(0, 40, 2):
        await asyncio.gather(work(start), work(start + 1))
    async with bounced._engines.reading() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements")) <= 1
    assert await rows(bounced) == 40


async def test_a_bouncer_that_is_killed_or_paused_is_told_in_time(
    bounced: Store, pgbouncer: PgBouncer, postgres_database: str
) -> None:
    """As a database that is away; it is found again without help."""
    await bounced.ping()
    pgbouncer.kill()
    assert await is_told(bounced.ping) < TOLD_SECONDS
    pgbouncer.mend()
    await bounced.ping()
    pgbouncer.freeze()
    assert await is_told(bounced.ping) < TOLD_SECONDS
    pgbouncer.mend()
    assert await bounced.ingest.write([exchange()]) == 1


async def test_a_crowd_of_readers_does_not_starve_the_writer(bounced: Store) -> None:
    """Fifty dashboards on two connections: those without a place are refused in time, the ledger is written."""

    async def look() -> float:
        started = time.monotonic()
        try:
            async with bounced._engines.reading() as connection:
                await connection.execute(sa.text("SELECT pg_sleep(0.4)"))
        except Unavailable:
            return time.monotonic() - started
        return 0.0

    crowd = [asyncio.ensure_future(look()) for _ in range(50)]
    await asyncio.sleep(0.05)
    started = time.monotonic()
    assert await bounced.ingest.write([exchange()]) == 1
    assert time.monotonic() - started < 1.0
    waits = await asyncio.gather(*crowd)
    assert sum(wait > 0 for wait in waits) > 40
    assert max(waits) < TOLD_SECONDS


async def test_cancelled_questions_give_their_connections_back(store: Store) -> None:
    """Two hundred at random moments; afterwards the pools are empty and answer the right question."""
    for number in range(200):
        task = asyncio.ensure_future(store.queries.stats(None))
        await asyncio.sleep(number % 25 * 0.0003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert {pool["in_use"] for pool in store.pools().values()} == {0}
    assert (await store.queries.stats(None))["overall"]["total_requests"] == 0


async def test_partitions_are_made_by_whoever_comes_first(store: Store, bounced: Store, postgres: Postgres) -> None:
    """Two writers that need the same new months do not stand in each other's way; a dropped month is made again."""
    month = 31 * DAY_US
    batches = [[exchange(created_at_us=1_764_590_400_000_000 + place * month) for place in range(6)] for _ in range(4)]
    writers = [store, bounced, store, bounced]
    written = await asyncio.gather(*(one.ingest.write(batch) for one, batch in zip(writers, batches, strict=True)))
    assert written == [6, 6, 6, 6]
    assert await rows(store) == 24
    async with store._engines.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE requests_y2025m12")
    with pytest.raises(Unavailable):
        await store.ingest.write([exchange()])
    assert await store.ingest.write([exchange()]) == 1

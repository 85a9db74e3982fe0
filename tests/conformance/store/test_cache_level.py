"""Answers kept in the database; the contract of every level stands in tests/conformance/cache."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from farthing.background.clock import ManualClock
from farthing.store import Store, open_store
from farthing.store.cache_level import MOST_PENDING
from farthing.store.schema import response_cache
from tests.conformance.store.samples import DAY_US, NOON_US, answer, exchange


async def count(store: Store) -> int:
    """How many rows the table has."""
    async with store._engines.reading() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(response_cache)) or 0


async def test_an_answer_outlives_the_process(store: Store, database_url: str, clock: ManualClock) -> None:
    """Another process finds what this one kept, byte for byte."""
    await store.cache_level.put("aa", answer(body=b"\x00\xff", prompt="a\x00b"))
    other = open_store(database_url, clock=clock)
    assert await other.cache_level.get("aa") == answer(body=b"\x00\xff", prompt="a\x00b")
    assert await other.cache_level.get("bb") is None
    await other.aclose()


async def test_a_newer_answer_replaces_the_older(store: Store) -> None:
    """The last one put is the one found, with a clean record."""
    await store.cache_level.put("aa", answer())
    await store.feedback.vote("aa", 1, tenant="acme", principal=None)
    await store.cache_level.put("aa", answer(body=b"new"))
    found = await store.cache_level.get("aa")
    assert found is not None
    assert found.body == b"new"
    assert (await store.queries.quality_stats("acme"))["best"] == []


async def test_new_and_known_answers_are_kept_in_one_batch(store: Store) -> None:
    """New ones are added, older ones replaced, and what was voted down stays so, however many there are."""
    await store.cache_level.put("k07", answer())
    await store.cache_level.delete("k33")
    await store.cache_level.put_all([(f"k{place:02}", answer(prompt="new")) for place in range(40)])
    async with store._engines.reading() as connection:
        rows = await connection.execute(sa.select(response_cache.c.key, response_cache.c.prompt))
        prompts = {row.key: row.prompt for row in rows}
    assert prompts == {f"k{place:02}": "" if place == 33 else "new" for place in range(40)}


async def test_an_expired_answer_is_gone(store: Store, clock: ManualClock) -> None:
    """Up to its last microsecond it is found, then it is not."""
    await store.cache_level.put("aa", answer(expires_at_us=NOON_US + 1))
    assert await store.cache_level.get("aa") is not None
    clock.set(NOON_US + 1)
    assert await store.cache_level.get("aa") is None


async def test_what_was_deleted_cannot_come_back(store: Store) -> None:
    """A key that was given up refuses answers, whether there was one or not."""
    await store.cache_level.put("aa", answer())
    for key in ("aa", "bb"):
        await store.cache_level.delete(key)
        await store.cache_level.put(key, answer())
        assert await store.cache_level.get(key) is None
    assert await store.feedback.tombstones() == {"aa", "bb"}


async def test_a_damaged_entry_is_a_miss(store: Store) -> None:
    """Bytes that are no entry are not served and do no harm."""
    await store.cache_level.put("aa", answer())
    async with store._engines.writing() as connection:
        await connection.execute(sa.update(response_cache).values(entry=b"\x81"))
    assert await store.cache_level.get("aa") is None


async def test_sweeping_removes_what_expired(store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """In several small bites; the living and the tombstones stay."""
    monkeypatch.setattr("farthing.store.deleting.CHUNK", 2)
    for number in range(5):
        await store.cache_level.put(f"old-{number}", answer(expires_at_us=NOON_US + 1))
    await store.cache_level.put("alive", answer())
    await store.cache_level.delete("dead")
    clock.advance(1)
    assert await store.cache_level.sweep() == 5
    assert await store.cache_level.sweep() == 0
    assert await count(store) == 2


async def test_answers_that_arrive_together_are_written_together(store: Store, clock: ManualClock) -> None:
    """Whoever comes while a write is under way leaves its answer to it; when that one returns, all are written."""
    await asyncio.gather(*(store.cache_level.put(f"key-{number}", answer()) for number in range(20)))
    assert await count(store) == 20


async def test_answers_go_with_the_rows_of_the_ledger(sqlite_url: str, clock: ManualClock) -> None:
    """Where one writes at a time, what waits is there with the next rows, and the hits among them count."""
    store = open_store(sqlite_url, clock=clock)
    await store.cache_level.put("aa", answer())
    waiting = asyncio.create_task(store.cache_level.put("bb", answer()))
    await asyncio.sleep(0)
    assert await count(store) == 1
    assert await store.ingest.write([exchange(status="cached", cache="hit", cache_key="bb")]) == 1
    assert await count(store) == 2
    stats = await store.queries.cache_stats("acme", NOON_US)
    assert [(kept["cache_key"], kept["hits"]) for kept in stats["popular_queries"]] == [("bb", 1)]
    await waiting
    await store.aclose()


async def test_whoever_wants_answers_written_waits_for_those_that_go_with_rows(
    sqlite_url: str, clock: ManualClock
) -> None:
    """A flush returns when they are in the database, although nothing is pending any more."""
    store = open_store(sqlite_url, clock=clock)
    await store.cache_level.put("aa", answer())
    waiting = asyncio.create_task(store.cache_level.put("bb", answer()))
    await asyncio.sleep(0)
    async with store.cache_level.carried() as rows:
        assert [row[0] for row in rows] == ["bb"]
        flush = asyncio.create_task(store.cache_level.flush())
        await asyncio.sleep(0.01)
        assert not flush.done()
    await flush
    await waiting
    await store.aclose()


async def test_a_put_that_is_cancelled_leaves_the_rest_to_the_next(store: Store) -> None:
    """Whoever was writing for others may go; what waits is written with the next answer."""
    level = store.cache_level
    async with level._writing:
        first = asyncio.ensure_future(level.put("aa", answer()))
        await asyncio.sleep(0)
        await level.put("bb", answer())
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert await count(store) == 0
    await level.put("cc", answer())
    assert await count(store) == 3


async def test_answers_in_waiting_are_bounded(store: Store) -> None:
    """More than may wait are not kept: they can be bought again."""
    level = store.cache_level
    async with level._writing:
        puts = [asyncio.ensure_future(level.put(f"key-{number}", answer())) for number in range(MOST_PENDING + 5)]
        await asyncio.sleep(0)
    await asyncio.gather(*puts)
    assert await count(store) == MOST_PENDING


async def test_closing_writes_what_waits(database_url: str, clock: ManualClock) -> None:
    """Nothing that was put is lost by an orderly end."""
    first, second = open_store(database_url, clock=clock), open_store(database_url, clock=clock)
    async with first.cache_level._writing:
        put = asyncio.ensure_future(first.cache_level.put("aa", answer(expires_at_us=NOON_US + DAY_US)))
        await asyncio.sleep(0)
        put.cancel()
    await first.aclose()
    assert await second.cache_level.get("aa") is not None
    await second.aclose()

"""New questions do not reach the database, and the answers of other processes are found all the same."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.background.clock import ManualClock
from farthing.store import Store, cache_level, open_store
from tests.conformance.store.samples import NOON_US, answer


async def asked(store: Store, key: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether looking the key up asks the database."""
    queries = []
    reading = store._engines.reading

    def counted(purpose: Any) -> object:
        queries.append(purpose)
        return reading(purpose)

    with monkeypatch.context() as patch:
        patch.setattr(store._engines, "reading", counted)
        await store.cache_level.get(key)
    return bool(queries)


async def test_until_all_is_known_every_question_is_asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards only those that may have an answer."""
    assert await asked(store, "new", monkeypatch)
    assert await store.cache_level.learn()
    assert not await asked(store, "new", monkeypatch)
    await store.cache_level.put("own", answer())
    assert await asked(store, "own", monkeypatch)


async def test_answers_of_other_processes_are_heard_of(store: Store, database_url: str, clock: ManualClock) -> None:
    """At the next lesson, also those that come late: their moment is before the newest."""
    assert await store.cache_level.learn()
    other = open_store(database_url, clock=clock)
    await other.cache_level.put("first", answer(created_at_us=NOON_US))
    assert await store.cache_level.get("first") is None
    assert await store.cache_level.learn()
    assert await store.cache_level.get("first") == answer(created_at_us=NOON_US)
    await other.cache_level.put("late", answer(created_at_us=NOON_US - 1_000_000))
    assert await store.cache_level.learn()
    assert await store.cache_level.get("late") is not None
    await other.aclose()


async def test_a_flood_is_learnt_in_lessons(
    store: Store, database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call takes a bounded number, and answers of one moment are not forgotten between two of them."""
    monkeypatch.setattr(cache_level, "LESSON", 2)
    other = open_store(database_url, clock=clock)
    for number in range(5):
        await other.cache_level.put(f"answer {number}", answer(created_at_us=NOON_US))
    assert [await store.cache_level.learn() for _ in range(3)] == [False, False, True]
    for number in range(5):
        assert await store.cache_level.get(f"answer {number}") is not None
    await other.aclose()

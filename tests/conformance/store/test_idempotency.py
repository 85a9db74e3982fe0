"""Answers that bear an idempotency key, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US
from farthing.ports.idempotency import KnownAnswer
from farthing.store import Store, open_store
from tests.conformance.store.samples import NOON_US

LEASE_US = 30_000_000
NAME, OTHER, PRINT = b"n" * 32, b"o" * 32, b"p" * 32


@pytest.fixture
def clock() -> ManualClock:
    """Turned by hand."""
    return ManualClock(NOON_US)


@pytest.fixture
async def store(database_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    """A store over each kind of database."""
    store = open_store(database_url, clock=clock)
    yield store
    await store.aclose()


async def claim(store: Store, owner: str = "w1", name: bytes = NAME) -> KnownAnswer | None:
    """What is found, or None where the name is the owner's now."""
    return await store.idempotent.claim(name, PRINT, owner=owner, lease_us=LEASE_US)


async def test_of_many_one_claims(store: Store) -> None:
    """The others learn that somebody is at work; another name is free."""
    found = await asyncio.gather(*(claim(store, f"w{number}") for number in range(4)))
    assert sorted(found, key=bool) == [None, *[KnownAnswer(PRINT, None)] * 3]
    assert await claim(store, name=OTHER) is None


async def test_an_answer_is_kept_for_its_time(store: Store, clock: ManualClock) -> None:
    """Then the name is free, and the sweep forgets it."""
    await claim(store)
    await store.idempotent.keep(NAME, PRINT, b"answer", owner="w1", lives_us=DAY_US)
    clock.advance(86_399)
    assert await claim(store, "w2") == KnownAnswer(PRINT, b"answer")
    assert await store.idempotent.sweep() == 0
    clock.advance(1)
    assert await store.idempotent.sweep() == 1
    assert await claim(store, "w2") is None


async def test_a_name_without_an_answer_belongs_to_whoever_renews_it(store: Store, clock: ManualClock) -> None:
    """A worker that died loses it with its lease, and what it says later changes nothing."""
    await claim(store)
    clock.advance(20)
    await store.idempotent.renew(owner="w1", lease_us=LEASE_US)
    await store.idempotent.renew(owner="w2", lease_us=LEASE_US)
    clock.advance(29)
    assert await claim(store, "w2") is not None
    clock.advance(1)
    assert await claim(store, "w2") is None
    await store.idempotent.keep(NAME, PRINT, b"late", owner="w1", lives_us=DAY_US)
    await store.idempotent.release(NAME, owner="w1")
    assert await claim(store, "w3") == KnownAnswer(PRINT, None)


async def test_a_name_that_is_released_is_free_at_once(store: Store) -> None:
    """Unless there is an answer."""
    await claim(store)
    await store.idempotent.release(NAME, owner="w1")
    assert await claim(store, "w2") is None
    await store.idempotent.keep(NAME, PRINT, b"answer", owner="w2", lives_us=DAY_US)
    await store.idempotent.release(NAME, owner="w2")
    assert await claim(store) == KnownAnswer(PRINT, b"answer")


async def test_an_answer_may_come_without_a_claim(store: Store) -> None:
    """The database was away when the name should have been claimed."""
    await store.idempotent.keep(NAME, PRINT, b"answer", owner="w1", lives_us=DAY_US)
    assert await claim(store, "w2") == KnownAnswer(PRINT, b"answer")


async def test_the_sweep_goes_on_until_nothing_is_left(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few rows in each transaction."""
    monkeypatch.setattr("farthing.store.deleting.CHUNK", 2)
    for number in range(5):
        await claim(store, name=bytes([number]) * 32)
    clock.advance(31)
    assert await store.idempotent.sweep() == 5
    assert await store.idempotent.sweep() == 0


async def test_limits_that_nobody_uses_are_swept(store: Store) -> None:
    """Those of the last hour stay."""
    await store.limits.attend("w1", {"places": 1})
    await store.limits.sweep()
    assert await store.limits.attend("w2", {}) == 2

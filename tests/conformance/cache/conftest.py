"""Every level of the answer cache, each empty and with a clock turned by hand."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from farthing.background.clock import ManualClock
from farthing.cache import MemoryLevel, RedisLevel, RedisLink, Tiered
from farthing.domain.secrecy import Secret
from farthing.ports.answers import CacheEntry, CacheLevel
from farthing.store import open_store

SECRET = b"known to all workers"
HOUR_US = 3_600_000_000


@pytest.fixture
def clock() -> ManualClock:
    """The clock that the level reads."""
    return ManualClock()


def entry(clock: ManualClock, body: bytes = b"answer", *, lives_us: int = HOUR_US, tenant: str = "acme") -> CacheEntry:
    """An answer that was bought just now."""
    now = clock.now_us()
    return CacheEntry(
        dialect="openai",
        stream=False,
        body=body,
        provider="fake",
        model="small",
        cost=15,
        created_at_us=now,
        expires_at_us=now + lives_us,
        tenant=tenant,
        prompt="What?",
        tier="simple",
        score=0.1,
    )


class Together:
    """All levels of a process, seen as one level."""

    name = "tiered"

    def __init__(self, cache: Tiered) -> None:
        self._cache = cache
        self.delete = cache.forget
        self.lacks = cache.lacks

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, from whichever level."""
        found = await self._cache.find(key)
        return found and found[0]

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry near and far."""
        await self.put_all([(key, entry)])

    async def put_all(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """Keeps the entries near and far."""
        for key, entry in answers:
            self._cache.hold(key, entry)
        await self._cache.keep(answers)


@asynccontextmanager
async def memory(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[CacheLevel]:
    """In this process."""
    yield MemoryLevel(clock=clock)


@asynccontextmanager
async def redis(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[CacheLevel]:
    """In a real Redis, with all the time that a busy machine may need."""
    link = RedisLink(request.getfixturevalue("redis_database"), clock=clock, prefix="test:", timeout_s=10.0)
    yield RedisLevel(link, secret=Secret(SECRET), clock=clock)
    await link.aclose()


@asynccontextmanager
async def sql(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[CacheLevel]:
    """In a database."""
    file = shutil.copy(request.getfixturevalue("migrated_file"), request.getfixturevalue("tmp_path"))
    store = open_store(f"sqlite:///{file}", clock=clock)
    yield store.cache_level
    await store.aclose()


@asynccontextmanager
async def tiered(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[CacheLevel]:
    """All of them."""
    async with redis(request, clock) as far, sql(request, clock) as farthest:
        yield Together(Tiered(MemoryLevel(clock=clock), far, farthest))


@pytest.fixture(params=[memory, redis, sql, tiered], ids=lambda make: make.__name__)
async def level(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[CacheLevel]:
    """One level after the other."""
    async with request.param(request, clock) as level:
        yield level

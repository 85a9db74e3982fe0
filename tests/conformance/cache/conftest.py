"""Every level of the answer cache, each empty and with a clock turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.background.clock import ManualClock
from farthing.cache import MemoryLevel, RedisLevel, RedisLink
from farthing.ports import CacheEntry, CacheLevel
from farthing.store import migrate, open_store

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


@pytest.fixture(params=["memory", "redis", "sql"])
async def level(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[CacheLevel]:
    """One level after the other; a new one is one more branch."""
    if request.param == "memory":
        yield MemoryLevel(clock=clock)
    elif request.param == "redis":
        link = RedisLink(request.getfixturevalue("redis_database"), clock=clock, prefix="test:")
        yield RedisLevel(link, secret=SECRET, clock=clock)
        await link.aclose()
    else:
        url = f"sqlite:///{tmp_path / 'cache.db'}"
        await asyncio.to_thread(lambda: asyncio.run(migrate(url)))
        store = open_store(url, clock=clock)
        yield store.cache_level
        await store.aclose()

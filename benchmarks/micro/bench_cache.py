"""A kept answer, found at each level of the cache and brought to each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from benchmarks.micro.databases import DATABASES, opened
from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import VARIANTS, entry, key
from farthing.background.clock import SystemClock
from farthing.cache import MemoryLevel, RedisLevel, RedisLink
from farthing.domain.secrecy import Secret
from farthing.ports.answers import CacheEntry, CacheLevel
from tests.servers.redis import Redis

KEYS = [key(number) for number in range(VARIANTS)]
AT_ONCE = 16


def fill(meter: Meter, level: CacheLevel, flush: Callable[[], Awaitable[None]] | None = None) -> None:
    """Puts all keys there and makes sure that one comes back as it was."""
    now_us = SystemClock().now_us()

    async def put() -> CacheEntry | None:
        for number, name in enumerate(KEYS):
            await level.put(name, entry(number, now_us=now_us))
        if flush:
            await flush()
        return await level.get(KEYS[7])

    assert meter.run(put()) == entry(7, now_us=now_us)


def bench_hit_in_memory(meter: Meter) -> None:
    """In this process."""
    level = MemoryLevel(clock=SystemClock())
    fill(meter, level)
    meter.each_awaited(level.get, KEYS, goal_us=17)


def bench_hit_in_redis(meter: Meter, redis_server: Redis) -> None:
    """Over the loopback, as many at once as a busy worker asks."""
    link = RedisLink(redis_server.url, clock=SystemClock(), timeout_s=5.0)
    level = RedisLevel(link, secret=Secret(b"secret of all workers"), clock=SystemClock())
    fill(meter, level)
    meter.each_awaited(level.get, KEYS, AT_ONCE, server=redis_server.pid)
    meter.run(link.aclose())


@pytest.mark.parametrize("kind", DATABASES)
def bench_hit_in_sql(meter: Meter, kind: str, request: pytest.FixtureRequest) -> None:
    """In the database, as many at once as a busy worker asks."""
    with opened(kind, request, meter) as database:
        level = database.store.cache_level
        fill(meter, level, level.flush)
        meter.each_awaited(level.get, KEYS, AT_ONCE, server=database.server)


@pytest.mark.parametrize("kind", DATABASES)
def bench_miss_in_sql(meter: Meter, kind: str, request: pytest.FixtureRequest) -> None:
    """What every question that was never asked before pays there."""
    with opened(kind, request, meter) as database:
        level = database.store.cache_level
        fill(meter, level, level.flush)
        unknown = [key(number + VARIANTS) for number in range(VARIANTS)]
        assert meter.run(level.get(unknown[0])) is None
        meter.each_awaited(level.get, unknown, AT_ONCE, server=database.server)


@pytest.mark.parametrize("kind", DATABASES)
def bench_keep_in_sql(meter: Meter, kind: str, request: pytest.FixtureRequest) -> None:
    """Put into the database, as many at once as wait for a flush."""
    numbers = iter(range(10**9))
    now_us = SystemClock().now_us()
    with opened(kind, request, meter) as database:
        level = database.store.cache_level

        def fresh() -> Sequence[Sequence[tuple[str, CacheEntry]]]:
            return [[(key(number), entry(number, now_us=now_us)) for number, _ in zip(numbers, KEYS, strict=False)]]

        async def keep(answers: Sequence[tuple[str, CacheEntry]]) -> None:
            async with asyncio.TaskGroup() as group:
                for name, answer in answers:
                    group.create_task(level.put(name, answer))
            await level.flush()

        [answers] = fresh()
        meter.run(keep(answers))
        assert meter.run(level.get(answers[-1][0])) == answers[-1][1]
        meter.each_awaited(keep, fresh, parts=len(KEYS), goal_us=10, server=database.server)

"""Workers take turns over Redis: what one buys, the others wait for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from farthing.background.clock import ManualClock, SystemClock
from farthing.cache import MemoryLevel, RedisLevel, RedisLink, Tiered
from farthing.cache.redis import LONGEST_WAIT_S, TURN_MS
from farthing.domain.secrecy import Secret
from farthing.ports.answers import CacheEntry
from tests.conformance.cache.conftest import SECRET, entry
from tests.servers.redis import Redis

NAME = "test:answer:key"


class Workers:
    """Two workers over one Redis."""

    def __init__(self, url: str) -> None:
        self.clock = ManualClock(SystemClock().now_us())
        self.link = RedisLink(url, clock=self.clock, prefix="test:", timeout_s=5.0)
        self.first, self.second = (
            RedisLevel(self.link, secret=Secret(SECRET), clock=self.clock, worker=name) for name in ("first", "second")
        )

    async def waiting(self) -> asyncio.Task[CacheEntry | None]:
        """A request of the second worker that waits for what the first one buys."""
        assert await self.first.take("key") is None
        task = asyncio.ensure_future(self.second.take("key"))
        await asyncio.sleep(0.05)
        assert not task.done()
        return task

    async def questions(self) -> int:
        """How often Redis was asked for a turn so far, by anybody."""
        stats: dict[str, dict[str, int]] = await self.link.client.info("commandstats")
        return stats["cmdstat_eval"]["calls"]


@pytest.fixture
async def workers(redis_database: str) -> AsyncIterator[Workers]:
    """Both, and an empty Redis."""
    workers = Workers(redis_database)
    yield workers
    await workers.link.aclose()


async def test_what_one_worker_buys_the_other_waits_for(workers: Workers) -> None:
    """And gets, as soon as it is kept."""
    waiting = await workers.waiting()
    kept = entry(workers.clock)
    workers.first.bought("key")
    await workers.first.put("key", kept)
    assert await waiting == kept
    assert not workers.second.has_turn("key")


async def test_requests_of_the_worker_whose_turn_it_is_do_not_wait(workers: Workers) -> None:
    """They share its purchase within the process."""
    assert await workers.first.take("key") is None
    assert await workers.first.take("key") is None
    assert workers.first.has_turn("key")


async def test_who_gives_up_lets_the_next_one_buy(workers: Workers) -> None:
    """One of them, whose turn it is then."""
    waiting = await workers.waiting()
    await workers.first.give_up("key")
    assert await waiting is None
    assert (workers.first.has_turn("key"), workers.second.has_turn("key")) == (False, True)


async def test_the_turn_of_a_worker_that_died_ends(workers: Workers) -> None:
    """Its mark lives only as long as it is renewed."""
    waiting = await workers.waiting()
    assert 0 < await workers.link.client.pttl(NAME) <= TURN_MS
    await workers.link.client.pexpire(NAME, 1)
    assert await waiting is None
    assert workers.second.has_turn("key")


async def test_a_living_worker_keeps_its_turns(workers: Workers) -> None:
    """Those that it has, and nobody else's."""
    waiting = await workers.waiting()
    await workers.link.client.pexpire(NAME, TURN_MS // 2)
    await workers.second.renew()
    assert await workers.link.client.pttl(NAME) <= TURN_MS // 2
    await workers.first.renew()
    assert await workers.link.client.pttl(NAME) > TURN_MS // 2
    await workers.first.give_up("key")
    await waiting


async def test_one_request_asks_for_all(workers: Workers) -> None:
    """However many wait, Redis is asked as by one, and all of them get the answer."""
    second = Tiered(MemoryLevel(clock=workers.clock), shared=workers.second)
    assert await workers.first.take("key") is None
    before = await workers.questions()
    waiting = [asyncio.ensure_future(second.find("key", waits=True)) for _ in range(100)]
    await asyncio.sleep(0.2)
    assert await workers.questions() - before < 20
    kept = entry(workers.clock)
    await workers.first.put("key", kept)
    assert await asyncio.gather(*waiting) == [(kept, "redis")] * 100


async def test_when_the_one_who_asks_leaves_another_asks(workers: Workers) -> None:
    """Nobody takes its leaving for the end of the turn; a vote meanwhile counts for all."""
    second = Tiered(MemoryLevel(clock=workers.clock), shared=workers.second)
    assert await workers.first.take("key") is None
    asking, *others = [asyncio.ensure_future(second.find("key", waits=True)) for _ in range(3)]
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.sleep(0.05)
    assert not any(other.done() for other in others)
    second.bury(["key"])
    await workers.first.put("key", entry(workers.clock))
    assert await asyncio.gather(*others) == [None, None]


async def test_nobody_waits_for_ever(workers: Workers) -> None:
    """Then the answer is bought twice."""
    waiting = await workers.waiting()
    workers.clock.advance(LONGEST_WAIT_S)
    assert await waiting is None
    assert not workers.second.has_turn("key")


async def test_who_waits_while_redis_goes_away_buys(workers: Workers, redis_server: Redis) -> None:
    """A Redis that is away is nothing to wait for."""
    waiting = await workers.waiting()
    redis_server.kill()
    assert await waiting is None
    assert await workers.second.take("other") is None
    assert not workers.second.has_turn("other")
    await workers.first.renew()
    await workers.first.give_up("key")


async def test_a_mark_is_a_miss_and_no_damage(workers: Workers) -> None:
    """Who only looks finds nothing, and takes nothing away."""
    assert await workers.first.take("key") is None
    assert await workers.second.get("key") is None
    assert workers.second.corrupt == 0
    assert await workers.link.client.exists(NAME)


async def test_a_strangers_mark_holds_nobody_up(workers: Workers) -> None:
    """It is removed as any value that is not ours."""
    await workers.link.client.set(NAME, b"x" * 32 + b"~stranger")
    assert await workers.second.take("key") is None
    assert workers.second.corrupt == 1
    assert not await workers.link.client.exists(NAME)


async def test_all_levels_as_one_know_whose_turn_it_is(workers: Workers) -> None:
    """From the look to the answer, or to giving up; without Redis there are no turns."""
    cache = Tiered(MemoryLevel(clock=workers.clock), shared=workers.first)
    for key, end in itertools.product(("a", "b"), ("bought", "given up")):
        name = key + end
        assert await cache.find(name, waits=True) is None
        assert cache.has_turn(name)
        await cache.renew()
        if end == "bought":
            cache.hold(name, entry(workers.clock))
        else:
            await cache.give_up(name)
        assert not cache.has_turn(name)
    alone = Tiered(MemoryLevel(clock=workers.clock))
    assert await alone.find("key", waits=True) is None
    assert not alone.has_turn("key")
    await alone.give_up("key")
    await alone.renew()

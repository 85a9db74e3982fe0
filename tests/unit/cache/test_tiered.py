"""All levels as one."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from farthing.background.clock import ManualClock
from farthing.cache import LEVELS, MemoryLevel, Tiered
from farthing.ports.answers import CacheEntry
from tests.conformance.cache.conftest import entry


async def keep(cache: Tiered, key: str, kept: CacheEntry) -> None:
    """On every level."""
    cache.hold(key, kept)
    await cache.keep([(key, kept)])


async def test_the_nearest_level_that_knows_answers_and_nearer_ones_learn() -> None:
    """An answer found far away is near the next time."""
    clock = ManualClock()
    near, far = MemoryLevel(clock=clock), MemoryLevel(clock=clock)
    far.name = "far"
    both, kept = Tiered(near, far), entry(clock)
    assert both.lacks("key")
    assert await both.find("key") is None
    await far.put("key", kept)
    assert not both.lacks("key")
    assert await both.find("key") == (kept, "far")
    assert await both.find("key") == (kept, "memory")


async def test_everything_is_kept_and_forgotten_everywhere() -> None:
    """On every level, for good."""
    clock = ManualClock()
    levels = MemoryLevel(clock=clock), MemoryLevel(clock=clock)
    both = Tiered(*levels)
    await keep(both, "key", entry(clock))
    assert [await level.get("key") is not None for level in levels] == [True, True]
    await both.forget("key")
    await keep(both, "key", entry(clock))
    assert await both.find("key") is None


class Forgetful(MemoryLevel):
    """A level that loses its tombstones, as a Redis that was flushed, and can be made to wait."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, once the gate is open."""
        found = await super().get(key)
        await self.gate.wait()
        return found

    async def delete(self, key: str) -> None:
        """Forgets the entry, and that it should refuse it."""
        await super().delete(key)
        self._tombstones.clear()


async def test_a_level_that_forgets_its_tombstones_serves_nothing_voted_down() -> None:
    """The verdict stands in the process as well, its own or another's."""
    clock = ManualClock()
    level = Forgetful(clock)
    cache = Tiered(MemoryLevel(clock=clock), level)
    await cache.forget("key")
    cache.bury(["other"])
    for key in ("key", "other"):
        await keep(cache, key, entry(clock))
        await level.put(key, entry(clock))
        assert await cache.find(key) is None


async def test_an_answer_voted_down_while_it_is_fetched_is_not_served() -> None:
    """A slow level cannot win against a vote."""
    clock = ManualClock()
    slow = Forgetful(clock)
    cache = Tiered(slow)
    await keep(cache, "key", entry(clock))
    slow.gate.clear()
    fetching = asyncio.ensure_future(cache.find("key"))
    await asyncio.sleep(0)
    await cache.forget("key")
    slow.gate.set()
    assert await fetching is None


def test_a_gateway_without_redis_does_not_load_its_library() -> None:
    """It starts faster and takes less memory."""
    script = "import farthing.cache, sys; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_levels_are_known_by_name() -> None:
    """The nearest first."""
    assert list(LEVELS) == ["memory", "redis"]

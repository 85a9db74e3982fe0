"""All levels as one."""

from __future__ import annotations

from farthing.background.clock import ManualClock
from farthing.cache import LEVELS, MemoryLevel, Tiered
from tests.conformance.cache.conftest import entry


async def test_the_nearest_level_that_knows_answers_and_nearer_ones_learn() -> None:
    """An answer found far away is near the next time."""
    clock = ManualClock()
    near, far = MemoryLevel(clock=clock), MemoryLevel(clock=clock)
    far.name = "far"
    both, kept = Tiered((near, far)), entry(clock)
    assert await both.find("key") is None
    await far.put("key", kept)
    assert await both.find("key") == (kept, "far")
    assert await both.find("key") == (kept, "memory")


async def test_everything_is_kept_and_forgotten_everywhere() -> None:
    """On every level, for good."""
    clock = ManualClock()
    levels = MemoryLevel(clock=clock), MemoryLevel(clock=clock)
    both = Tiered(levels)
    await both.keep("key", entry(clock))
    assert [await level.get("key") is not None for level in levels] == [True, True]
    await both.forget("key")
    await both.keep("key", entry(clock))
    assert await both.find("key") is None


def test_levels_are_known_by_name() -> None:
    """The nearest first."""
    assert list(LEVELS) == ["memory", "redis"]

"""The level in this process's memory: bounded in bytes and in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.background.clock import ManualClock
from farthing.cache.memory import LONGEST_US, OVERHEAD_BYTES, MemoryLevel
from tests.conformance.cache.conftest import entry


@pytest.fixture
def clock() -> ManualClock:
    """The clock that the level reads."""
    return ManualClock()


async def test_the_least_recently_used_makes_room(clock: ManualClock) -> None:
    """An entry that was just read stays."""
    level = MemoryLevel(clock=clock, capacity_bytes=2 * (OVERHEAD_BYTES + 10))
    for name in ("a", "b"):
        await level.put(name, entry(clock, b"x" * 10))
    assert await level.get("a") is not None
    await level.put("c", entry(clock, b"x" * 10))
    assert [await level.get(name) is not None for name in ("a", "b", "c")] == [True, False, True]


async def test_what_is_larger_than_everything_is_not_kept(clock: ManualClock) -> None:
    """One giant answer does not empty the cache."""
    level = MemoryLevel(clock=clock, capacity_bytes=OVERHEAD_BYTES + 10)
    await level.put("a", entry(clock, b"x"))
    await level.put("b", entry(clock, b"x" * 11))
    assert [await level.get(name) is not None for name in ("a", "b")] == [True, False]


async def test_lower_levels_are_asked_again_after_a_minute(clock: ManualClock) -> None:
    """So that a vote in another process is heard of."""
    level = MemoryLevel(clock=clock)
    await level.put("a", entry(clock))
    clock.advance(LONGEST_US / 1e6)
    assert await level.get("a") is None
    assert level.size_bytes == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.booleans()), max_size=40))
async def test_it_never_holds_more_than_it_may(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever is put and deleted, the bytes stay within the bound and are counted right."""
    clock = ManualClock()
    level = MemoryLevel(clock=clock, capacity_bytes=6000)
    for name, size, is_deleted in steps:
        await (level.delete(name) if is_deleted else level.put(name, entry(clock, b"x" * size)))
        held = [found for key in "abcdef" if (found := await level.get(key))]
        assert level.size_bytes == sum(len(found.body) + OVERHEAD_BYTES for found in held) <= 6000

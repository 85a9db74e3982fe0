"""The level in this process's memory: bounded in bytes and in time."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.cache.memory import LARGEST_SHARE, LONGEST_S, OVERHEAD_BYTES, MemoryLevel
from tests.conformance.cache.conftest import HOUR_US, entry


@pytest.fixture
def clock() -> ManualClock:
    """The clock that the level reads."""
    return ManualClock()


async def test_the_least_recently_used_makes_room(clock: ManualClock) -> None:
    """An entry that was just read stays."""
    level = MemoryLevel(clock=clock, capacity_bytes=10 * (OVERHEAD_BYTES + 10))
    for name in "abcdefghij":
        await level.put(name, entry(clock, b"x" * 10))
    assert await level.get("a") is not None
    await level.put("k", entry(clock, b"x" * 10))
    assert "".join([name for name in "abcdefghijk" if await level.get(name)]) == "acdefghijk"


async def test_one_giant_answer_does_not_empty_the_cache(clock: ManualClock) -> None:
    """An answer over an eighth of the room is not kept here, nor what stood under its key before."""
    level = MemoryLevel(clock=clock, capacity_bytes=LARGEST_SHARE * (OVERHEAD_BYTES + 10))
    for name in ("a", "b"):
        await level.put(name, entry(clock, b"x" * 10))
    await level.put("b", entry(clock, b"x" * 11))
    assert [await level.get(name) is not None for name in ("a", "b")] == [True, False]


async def test_lower_levels_are_asked_again_after_a_minute(clock: ManualClock) -> None:
    """So that a vote in another process is heard of."""
    level = MemoryLevel(clock=clock)
    await level.put("a", entry(clock))
    clock.advance(LONGEST_S - 0.001)
    assert await level.get("a") is not None
    clock.advance(0.001)
    assert await level.get("a") is None
    assert level.size_bytes == 0


async def test_a_minute_is_a_minute_though_the_wall_clock_is_set_back(clock: ManualClock) -> None:
    """An operator who corrects the time does not make old answers immortal."""
    level = MemoryLevel(clock=clock)
    await level.put("a", entry(clock))
    clock.set(clock.now_us() - HOUR_US)
    clock.advance(LONGEST_S)
    assert await level.get("a") is None


async def test_a_hundred_thousand_answers_take_no_more_memory_than_they_may(clock: ManualClock) -> None:
    """What Python itself needs for an entry is counted in."""
    capacity = 8 * 1024 * 1024
    level = MemoryLevel(clock=clock, capacity_bytes=capacity)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(100_000):
        answer = replace(
            entry(clock, b"%d" % number), provider=f"p{number}", model=f"m{number}", prompt=f"{number}" * 3
        )
        await level.put(f"{number:064x}", answer)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert capacity / 4 < taken < capacity


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.booleans()), max_size=40))
async def test_it_never_holds_more_than_it_may(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever is put and deleted, the bytes stay within the bound and are counted right."""
    clock = ManualClock()
    level = MemoryLevel(clock=clock, capacity_bytes=20_000)
    for name, size, is_deleted in steps:
        await (level.delete(name) if is_deleted else level.put(name, entry(clock, b"x" * size)))
        held = [found for key in "abcdef" if (found := await level.get(key))]
        assert level.size_bytes == sum(len(found.body) + OVERHEAD_BYTES for found in held) <= 20_000

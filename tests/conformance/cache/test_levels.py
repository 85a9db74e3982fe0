"""What every level promises."""

from __future__ import annotations

from farthing.background.clock import ManualClock
from farthing.ports.answers import CacheLevel
from tests.conformance.cache.conftest import HOUR_US, entry


async def test_what_was_put_is_found_as_it_was(level: CacheLevel, clock: ManualClock) -> None:
    """Every byte and every fact of an entry survives."""
    kept = entry(clock, bytes(range(256)))
    await level.put("key", kept)
    assert await level.get("key") == kept
    assert not level.lacks("key")
    assert await level.get("other") is None


async def test_a_later_answer_replaces_an_earlier_one(level: CacheLevel, clock: ManualClock) -> None:
    """The newest one is served."""
    await level.put("key", entry(clock, b"old"))
    await level.put("key", entry(clock, b"new"))
    found = await level.get("key")
    assert found is not None
    assert found.body == b"new"


async def test_an_expired_answer_is_gone(level: CacheLevel, clock: ManualClock) -> None:
    """Not a moment longer than its time."""
    await level.put("key", entry(clock))
    clock.advance(HOUR_US / 1e6)
    assert await level.get("key") is None


async def test_an_answer_that_is_expired_already_is_not_kept(level: CacheLevel, clock: ManualClock) -> None:
    """A time to live of nothing keeps nothing."""
    await level.put("key", entry(clock, lives_us=0))
    assert await level.get("key") is None


async def test_what_was_voted_down_never_comes_back(level: CacheLevel, clock: ManualClock) -> None:
    """Neither the entry nor a new one under the same key."""
    await level.put("key", entry(clock))
    await level.delete("key")
    assert await level.get("key") is None
    await level.put("key", entry(clock, b"again"))
    assert await level.get("key") is None


async def test_a_key_can_be_voted_down_before_it_is_known(level: CacheLevel, clock: ManualClock) -> None:
    """A vote may reach a level before the answer does."""
    await level.delete("key")
    await level.put("key", entry(clock))
    assert await level.get("key") is None


async def test_keys_do_not_touch_each_other(level: CacheLevel, clock: ManualClock) -> None:
    """Deleting one leaves its neighbours."""
    for name in ("a", "b", "ab"):
        await level.put(name, entry(clock, name.encode()))
    await level.delete("a")
    assert [found.body if (found := await level.get(name)) else None for name in ("a", "b", "ab")] == [
        None,
        b"b",
        b"ab",
    ]

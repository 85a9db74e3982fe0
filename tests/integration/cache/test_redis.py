"""Redis as it is in life: slow, gone, back again, and full of what others have written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from redis.asyncio.connection import Connection

from farthing.background.clock import ManualClock, SystemClock
from farthing.cache import RedisLevel, RedisLink, RedisValues
from farthing.cache.redis import REST_S, TIMEOUT_S
from tests.conformance.cache.conftest import SECRET, entry
from tests.servers.redis import Redis


@pytest.fixture
def clock() -> ManualClock:
    """The clock that decides when Redis is tried again."""
    return ManualClock(SystemClock().now_us())


@pytest.fixture
async def link(redis_database: str, clock: ManualClock) -> AsyncIterator[RedisLink]:
    """A link to an empty Redis."""
    link = RedisLink(redis_database, clock=clock, prefix="test:")
    yield link
    await link.aclose()


def level_of(link: RedisLink, clock: ManualClock, secret: bytes = SECRET) -> RedisLevel:
    """A level over the link."""
    return RedisLevel(link, secret=secret, clock=clock)


def _must_not_be_called(*_: object) -> None:
    raise AssertionError("Redis was asked while it rests")


async def test_the_timeouts_reach_the_socket(link: RedisLink) -> None:
    """They are what keeps a frozen Redis from freezing us, and have been lost on the way before."""
    connection = await link.client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    assert isinstance(connection, Connection)
    assert (connection.socket_timeout, connection.socket_connect_timeout) == (TIMEOUT_S, TIMEOUT_S)
    await link.client.connection_pool.release(connection)


async def test_a_frozen_redis_is_a_miss_and_is_then_left_alone(
    redis_server: Redis,
    link: RedisLink,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One request finds out, the others do not wait; one line says it is away and one that it is back."""
    caplog.set_level(logging.INFO)
    level = level_of(link, clock)
    await level.put("key", entry(clock))
    redis_server.freeze()
    try:
        assert await level.get("key") is None
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "send_command", _must_not_be_called)
            assert [await level.get("key") for _ in range(100)] == [None] * 100
        assert link.state == "away"
    finally:
        redis_server.thaw()
    clock.advance(REST_S)
    assert await level.get("key") is not None
    assert link.state == "ok"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_only_one_request_a_second_tries_a_redis_that_is_away(
    redis_server: Redis, link: RedisLink, clock: ManualClock
) -> None:
    """The probe of a half-open breaker."""
    level = level_of(link, clock)
    redis_server.freeze()
    try:
        assert await level.get("key") is None
        clock.advance(REST_S)
        tries = [asyncio.ensure_future(level.get("key")) for _ in range(20)]
        await asyncio.sleep(0)
        waiting = len(link.client.connection_pool._in_use_connections) if tries else 0
        assert waiting <= 1
        assert await asyncio.gather(*tries) == [None] * 20
    finally:
        redis_server.thaw()


async def test_a_killed_redis_is_a_miss(redis_server: Redis, link: RedisLink, clock: ManualClock) -> None:
    """Everything answers None and raises nothing."""
    level, values = level_of(link, clock), RedisValues(link)
    redis_server.kill()
    await level.put("key", entry(clock))
    await level.delete("key")
    await values.put("name", b"value", 1)
    assert (await level.get("key"), await values.get("name"), await link.ping()) == (None, None, False)


async def test_a_value_that_somebody_else_wrote_is_a_miss(link: RedisLink, clock: ManualClock) -> None:
    """Garbage, another's signature, or a good entry under another key."""
    level, stranger = level_of(link, clock), level_of(link, clock, b"guessed")
    await link.client.set("test:answer:garbage", b"x" * 500)
    await link.client.set("test:answer:short", b"x")
    await stranger.put("foreign", entry(clock))
    await level.put("good", entry(clock))
    await link.client.copy("test:answer:good", "test:answer:moved")
    assert [await level.get(key) for key in ("garbage", "short", "foreign", "moved")] == [None] * 4
    assert await level.get("good") is not None


async def test_entries_of_one_moment_expire_at_different_ones(link: RedisLink, clock: ManualClock) -> None:
    """So that they are not all bought again at once."""
    level = level_of(link, clock)
    for number in range(30):
        await level.put(f"key{number}", entry(clock))
    lives = {await link.client.pttl(f"test:answer:key{number}") // 1000 for number in range(30)}
    assert len(lives) > 10
    assert min(lives) >= 3600 * 0.9 - 10
    assert max(lives) <= 3600


async def test_values_are_shared_for_a_while(link: RedisLink) -> None:
    """Under the prefix, with their time to live."""
    values = RedisValues(link)
    await values.put("metrics:latest", b"{}", 30)
    assert await values.get("metrics:latest") == b"{}"
    assert 0 < await link.client.ttl("test:metrics:latest") <= 30
    assert await values.get("unknown") is None

"""Redis as it is in life: slow, gone, back again, and full of what others have written."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
import zlib
from collections.abc import AsyncIterator

import pytest
import uvloop
from msgspec.structs import replace
from redis.asyncio.connection import Connection

from farthing.background.clock import ManualClock, SystemClock
from farthing.cache import RedisLevel, RedisLink, RedisValues
from farthing.cache.redis import BACKSTOP, MOST_CONNECTIONS, PACKED_BYTES, REST_S, TIMEOUT_S
from farthing.domain.authentic import signed
from farthing.domain.secrecy import Secret
from tests.conformance.cache.conftest import SECRET, entry
from tests.servers.process import free_port
from tests.servers.redis import Redis

MOMENT_S = 0.9
"""Far more than is waited for, also on a busy machine."""


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
    return RedisLevel(link, secret=Secret(secret), clock=clock)


def _must_not_be_called(*_: object) -> None:
    raise AssertionError("Redis was asked while it rests")


async def test_the_timeouts_reach_the_socket(link: RedisLink) -> None:
    """They are what keeps a frozen Redis from freezing us, and have been lost on the way before."""
    connection = await link.client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    assert isinstance(connection, Connection)
    assert (connection.socket_timeout, connection.socket_connect_timeout) == (BACKSTOP * TIMEOUT_S, TIMEOUT_S)
    await link.client.connection_pool.release(connection)


async def test_the_url_cannot_lengthen_the_timeouts(redis_database: str, clock: ManualClock) -> None:
    """What a request can bear is not for an option in a URL to say."""
    link = RedisLink(f"{redis_database}?socket_timeout=30&socket_connect_timeout=30", clock=clock)
    connection = link.client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    assert (connection.socket_timeout, connection.socket_connect_timeout) == (BACKSTOP * TIMEOUT_S, TIMEOUT_S)
    await link.aclose()


async def test_all_connections_are_open_before_the_first_request(link: RedisLink) -> None:
    """And free: no request waits for another's handshake."""
    await link.warm_up(within_s=10)
    pool = link.client.connection_pool
    assert (len(pool._available_connections), len(pool._in_use_connections)) == (MOST_CONNECTIONS, 0)
    assert all(connection.is_connected for connection in pool._available_connections)


async def test_a_start_does_not_wait_for_a_redis_that_is_not_there(clock: ManualClock) -> None:
    """It is known to be away, and the start goes on."""
    link = RedisLink(f"redis://127.0.0.1:{free_port()}/0", clock=clock)
    await link.warm_up()
    assert link.state == "away"
    await link.aclose()


async def test_a_start_waits_for_a_frozen_redis_but_a_moment(
    redis_server: Redis, redis_database: str, clock: ManualClock
) -> None:
    """It takes connections and never answers: it is away."""
    link = RedisLink(redis_database, clock=clock)
    redis_server.freeze()
    began = time.monotonic()
    await link.warm_up()
    assert time.monotonic() - began < MOMENT_S
    assert link.state == "away"
    await link.aclose()


async def test_a_redis_that_is_slow_at_the_start_is_not_taken_for_away(
    link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be opened in time is opened when it is needed."""
    pool = link.client.connection_pool
    connect, few = pool.get_connection, 3

    async def slowly() -> object:
        if len(pool._in_use_connections) == few:
            await asyncio.Event().wait()
        return await connect()  # type: ignore[no-untyped-call]

    monkeypatch.setattr(pool, "get_connection", slowly)
    await link.warm_up(within_s=1)
    assert (link.state, len(pool._available_connections), len(pool._in_use_connections)) == ("ok", few, 0)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\xff\xfe garbage \r\n" * 100,
        b"$-99999999999999999999999\r\n",
        None,
    ],
)
async def test_whatever_answers_in_its_place_is_a_miss_in_no_time(reply: bytes | None, clock: ManualClock) -> None:
    """Errors, another protocol, garbage, silence (None), a closed connection: None at once, and nothing raised."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096) and reply is not None:
            writer.write(reply)
            if not reply:
                break
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    link = RedisLink(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", clock=clock)
    level = level_of(link, clock)
    began = time.monotonic()
    assert await level.get("key") is None
    assert link.state == "away"
    assert time.monotonic() - began < 20 * TIMEOUT_S
    await level.put("key", entry(clock))
    await level.delete("key")
    await link.aclose()
    server.close()


def test_a_connection_that_was_reset_a_moment_ago_is_a_miss(clock: ManualClock) -> None:
    """On the loop that serves users, which refuses to write on it with an error that is none of Redis's."""

    async def play(port: int) -> tuple[str | None, str]:
        link = RedisLink(f"redis://127.0.0.1:{port}/0", clock=clock)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.abort()
        await writer.wait_closed()

        async def command() -> str:
            writer.writelines([b"PING\r\n"])
            return "written"

        return await link.ask(command()), link.state

    with socket.create_server(("127.0.0.1", 0)) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(play(server.getsockname()[1])) == (None, "away")


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_loop_that_is_late_is_no_fault_of_redis(clock: ManualClock, *, is_answered: bool) -> None:
    """An answer that came while something else took the loop's time is heard; silence is given up as ever."""
    ours, theirs = socket.socketpair()

    def answer_and_take_the_time() -> None:
        if is_answered:
            theirs.send(b"PONG")
        time.sleep(2 * TIMEOUT_S)

    async def play() -> tuple[bytes | None, str]:
        link = RedisLink(f"redis://127.0.0.1:{free_port()}/0", clock=clock)
        reader, writer = await asyncio.open_connection(sock=ours)
        asking = asyncio.ensure_future(link.ask(reader.readexactly(4)))
        await asyncio.sleep(0)
        answer_and_take_the_time()
        heard = await asking
        writer.close()
        return heard, link.state

    # The loop that serves users.
    with theirs, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(play()) == ((b"PONG", "ok") if is_answered else (None, "away"))


async def test_cancelled_requests_never_get_each_others_answers(redis_database: str, clock: ManualClock) -> None:
    """Clients that leave at any moment spoil no connection for the next ones, and leave none in use."""
    link = RedisLink(redis_database, clock=clock, prefix="test:", timeout_s=10.0)
    values, dice = RedisValues(link), random.Random(20261121)
    for number in range(20):
        await values.put(f"{number}", b"%d" % number, 60)
    for _ in range(50):
        asked = [dice.randrange(20) for _ in range(20)]
        tasks = [asyncio.ensure_future(values.get(f"{number}")) for number in asked]
        for _ in range(dice.randrange(8)):
            await asyncio.sleep(0)
        left = set(dice.sample(tasks, 10))
        for task in left:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for task, number, answer in zip(tasks, asked, found, strict=True):
            assert answer == b"%d" % number or (task in left and isinstance(answer, asyncio.CancelledError))
    assert not link.client.connection_pool._in_use_connections
    await link.aclose()


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


def test_answers_are_never_signed_with_nothing(link: RedisLink, clock: ManualClock) -> None:
    """An empty secret is one that everybody knows."""
    with pytest.raises(ValueError, match="must not be empty"):
        level_of(link, clock, b"")


async def test_a_value_that_somebody_else_wrote_is_a_miss(
    link: RedisLink, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Garbage, another's signature, or a good entry under another key; one line tells of them all."""
    level, stranger = level_of(link, clock), level_of(link, clock, b"guessed")
    await link.client.set("test:answer:garbage", b"x" * 500)
    await link.client.set("test:answer:short", b"x")
    await stranger.put("foreign", entry(clock))
    await level.put("good", entry(clock))
    await link.client.copy("test:answer:good", "test:answer:moved")
    assert [await level.get(key) for key in ("garbage", "short", "foreign", "moved")] == [None] * 4
    assert len(caplog.messages) == 1
    assert await level.get("good") is not None
    assert level.corrupt == 4
    assert await link.client.keys("test:*") == [b"test:answer:good"]


async def test_an_answer_in_a_form_of_another_version_is_a_miss(link: RedisLink, clock: ManualClock) -> None:
    """Signed by us, and still not to be read."""
    level = level_of(link, clock)
    await link.client.set("test:answer:key", signed(Secret(SECRET), "key", b"\xc1"))
    assert await level.get("key") is None


EVENT = b'data: {"id":"chatcmpl-1","choices":[{"delta":{"content":" word"}}]}\n\n'


@pytest.mark.parametrize("length", [PACKED_BYTES.start, 100_000])
async def test_a_long_stream_is_packed(link: RedisLink, clock: ManualClock, length: int) -> None:
    """What repeats itself takes a small part of its length in Redis, and comes back to the byte."""
    answer = replace(entry(clock, (EVENT * (length // len(EVENT) + 1))[:length]), stream=True)
    level = level_of(link, clock)
    await level.put("key", answer)
    assert await link.client.strlen("test:answer:key") < length / 2
    assert await level.get("key") == answer


@pytest.mark.parametrize(("stream", "length"), [(True, 500), (True, PACKED_BYTES.stop), (False, 100_000)])
async def test_other_answers_are_kept_as_they_are(
    link: RedisLink, clock: ManualClock, stream: bool, length: int
) -> None:
    """Packing them would cost more than it saves, or take too long."""
    level, answer = level_of(link, clock), replace(entry(clock, b"x" * length), stream=stream)
    await level.put("key", answer)
    assert await link.client.strlen("test:answer:key") > length
    assert await level.get("key") == answer


async def test_a_damaged_packed_answer_is_a_miss(link: RedisLink, clock: ManualClock) -> None:
    """Also where the signature is right."""
    level = level_of(link, clock)
    payload = zlib.compress(b"answer" * 1000, 1)[:-4]
    await link.client.set("test:answer:key", signed(Secret(SECRET), "key", payload))
    assert await level.get("key") is None


async def test_a_redis_that_was_flushed_is_only_a_miss(
    redis_server: Redis, link: RedisLink, clock: ManualClock
) -> None:
    """Nothing but the answers is gone."""
    level = level_of(link, clock)
    await level.put("key", entry(clock))
    redis_server.command("FLUSHALL")
    assert (await level.get("key"), link.state) == (None, "ok")


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

"""Leases of connections to one address: how many, to whom, and what becomes of them."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from typing import cast

import pytest

from farthing.domain.errors import ConnectTimeout, UpstreamUnreachable
from farthing.ports import UpstreamRequest
from farthing.providers.pool import Pool
from farthing.providers.transport import HttpTransport
from tests.faultserver.server import answer, chunked
from tests.faultserver.virtual import VirtualLoop, Wire

REQUEST = UpstreamRequest(url="http://provider:8080/v1", headers=(), body=b"{}")


def virtual() -> VirtualLoop:
    """The loop this test runs on."""
    return cast("VirtualLoop", asyncio.get_running_loop())


def pool_of(transport: HttpTransport) -> Pool:
    """The only pool of the transport."""
    (pool,) = transport.pools.values()
    return pool


async def under_way(transport: HttpTransport, count: int) -> list[asyncio.Task[bytes]]:
    """Requests that have gone out, each on a connection of its own."""

    async def call() -> bytes:
        return await (await transport.send(REQUEST)).read(100)

    tasks = [asyncio.ensure_future(call()) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


async def test_the_limit_holds_and_who_waits_longest_is_next() -> None:
    """Never more connections than the limit; a lease that ends passes to the first who waits."""
    transport = HttpTransport(limit_per_host=2)
    done: list[int] = []

    async def call(number: int) -> None:
        response = await transport.send(REQUEST)
        await response.read(100)
        done.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(call(number))
            await asyncio.sleep(0)
        while len(done) < 6:
            await asyncio.sleep(0.01)
            assert pool_of(transport).open <= 2
            for wire in virtual().wires:
                if not wire.closed and wire.connection._response is not None:
                    wire.feed(answer(b"ok"))
    assert [set(done[:2]), set(done[2:4]), set(done[4:])] == [{0, 1}, {2, 3}, {4, 5}]
    assert (pool_of(transport).leased, pool_of(transport).kept) == (0, 2)


async def test_waiting_for_a_connection_is_bounded() -> None:
    """Who gets no connection within the connect deadline is told; nobody is left in the queue."""
    transport = HttpTransport(limit_per_host=1)
    (first,) = await under_way(transport, 1)
    start = virtual().time()
    (second,) = await under_way(transport, 1)
    assert pool_of(transport).waiting == 1
    with pytest.raises(ConnectTimeout, match="no connection within 5 s"):
        await second
    assert virtual().time() - start == pytest.approx(5, abs=0.01)
    assert pool_of(transport).waiting == 0
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert pool_of(transport).leased == 0


async def test_connecting_is_bounded() -> None:
    """An address that never answers costs the connect deadline, and no lease."""
    transport = HttpTransport()
    virtual().connect = lambda: asyncio.sleep(1000)
    with pytest.raises(ConnectTimeout, match="no connection within 5 s"):
        await transport.send(REQUEST)
    assert pool_of(transport).leased == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "refuses connections"),
        (socket.gaierror(), "host name cannot be resolved"),
        (UnicodeError(), "host name cannot be resolved"),
        (ssl.SSLCertVerificationError(), "No trusted TLS connection"),
        (OSError(), "cannot be reached"),
    ],
)
async def test_no_connection_says_why_and_not_where(error: Exception, words: str) -> None:
    """Every way in which connecting fails is unreachable; the message names no address."""

    async def fail() -> None:
        raise error

    transport = HttpTransport()
    virtual().connect = fail
    with pytest.raises(UpstreamUnreachable, match=words) as caught:
        await transport.send(REQUEST)
    assert "provider:8080" not in caught.value.message
    assert caught.value.__cause__ is error
    assert pool_of(transport).leased == 0


async def test_random_cancellations_leave_the_pool_at_baseline() -> None:
    """Whenever 200 callers give up, no lease is left, and the next request gets its own answer."""
    transport = HttpTransport(limit_per_host=8)
    chance = random.Random(7)

    async def connect() -> None:
        await asyncio.sleep(chance.random() * 0.2)

    async def provider() -> None:
        while True:
            for wire in virtual().wires:
                if not wire.closed and wire.connection._response is not None and chance.random() < 0.3:
                    wire.feed(chunked(wire.written[-1].rpartition(b"\r\n\r\n")[2]))
            await asyncio.sleep(0.05)

    async def call(number: int) -> None:
        body = b"%d" % number
        response = await transport.send(UpstreamRequest(url=REQUEST.url, headers=(), body=body))
        assert await response.read(100) == body

    virtual().connect = connect
    answering = asyncio.ensure_future(provider())
    callers = []
    for number in range(200):
        callers.append(asyncio.ensure_future(call(number)))
        virtual().call_later(chance.random() * 0.4, callers[-1].cancel)
        await asyncio.sleep(chance.random() * 0.05)
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(result) for result in results} == {type(None), asyncio.CancelledError}
    pool = pool_of(transport)
    assert pool.leased == 0
    assert pool.open == pool.kept <= 8
    await call(1000)
    answering.cancel()


async def test_a_lease_that_comes_too_late_is_passed_on() -> None:
    """A caller that is cancelled in the moment its turn comes does not take the lease with it."""
    transport = HttpTransport(limit_per_host=1)
    (first,) = await under_way(transport, 1)
    second, third = await under_way(transport, 1), await under_way(transport, 1)
    virtual().wires[0].feed(answer(b"first"))
    second[0].cancel()
    await asyncio.sleep(0.01)
    virtual().wires[0].feed(answer(b"third"))
    assert (await first, await third[0]) == (b"first", b"third")
    assert pool_of(transport).leased == 0


async def test_nobody_overtakes_who_waits() -> None:
    """Between the end of a lease and the turn of whoever waited for it, a newcomer gets nothing."""
    transport = HttpTransport(limit_per_host=1)
    (first,) = await under_way(transport, 1)
    (second,) = await under_way(transport, 1)
    virtual().wires[0].feed(answer(b"first"))
    assert pool_of(transport).take() is None
    await asyncio.sleep(0.01)
    virtual().wires[0].feed(answer(b"second"))
    assert (await first, await second) == (b"first", b"second")
    assert len(virtual().wires) == 1


async def test_a_kept_connection_that_is_closing_is_passed_over() -> None:
    """Between a provider's FIN and the end of its socket nothing is sent on it."""
    transport = HttpTransport()
    tasks = await under_way(transport, 2)
    for wire in virtual().wires:
        wire.feed(answer(b"ok"))
    await asyncio.gather(*tasks)
    virtual().wires[1].closed = True
    (third,) = await under_way(transport, 1)
    assert [len(wire.written) for wire in virtual().wires] == [2, 1]
    third.cancel()


async def test_a_second_try_at_the_limit_takes_the_place_of_a_kept_connection() -> None:
    """The fresh connection that replaces a dead one does not exceed the limit."""
    transport = HttpTransport(limit_per_host=3)
    tasks = await under_way(transport, 3)
    for wire in virtual().wires:
        wire.feed(answer(b"ok"))
    await asyncio.gather(*tasks)
    oldest, _, newest = virtual().wires
    newest.answer = lambda wire: wire.connection.eof_received()
    (fourth,) = await under_way(transport, 1)
    assert oldest.closed
    virtual().wires[3].feed(answer(b"fresh"))
    assert await fourth == b"fresh"
    assert pool_of(transport).open <= 3


async def test_a_caller_that_leaves_as_the_connection_comes_up_leaves_nothing() -> None:
    """A loop may close such a connection without a word: it must not be waited for when the transport closes."""
    transport = HttpTransport()
    virtual().connected = lambda _: asyncio.sleep(1)
    (task,) = await under_way(transport, 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    pool = pool_of(transport)
    assert (pool.leased, pool.open) == (0, 0)
    await transport.aclose()


async def test_a_connection_that_ends_as_it_comes_up_is_none() -> None:
    """A provider that accepts and hangs up at once is out of reach; nothing was sent to it."""

    async def hang_up(wire: Wire) -> None:
        wire.hang_up()

    transport = HttpTransport()
    virtual().connected = hang_up
    with pytest.raises(UpstreamUnreachable, match="cannot be reached"):
        await transport.send(REQUEST)
    assert virtual().wires[0].written == []
    assert (pool_of(transport).leased, pool_of(transport).open) == (0, 0)

"""Requests over pooled connections, in virtual time: deadlines, limits, second tries."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

import pytest

from farthing.domain.errors import UpstreamError, UpstreamInterrupted, UpstreamTimeout, UpstreamUnreachable
from farthing.ports import Deadlines, UpstreamRequest
from farthing.providers.pool import Pool
from farthing.providers.transport import MAX_TARGETS, HttpTransport
from tests.faultserver.server import answer
from tests.faultserver.virtual import VirtualLoop, Wire

DEADLINES = Deadlines(connect=5, first_token=120, idle=60, total=600)
HEADERS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
REQUEST = UpstreamRequest(
    url="http://provider:8080/v1/chat?x=1", headers=((b"authorization", b"Bearer k"),), body=b"{}", deadlines=DEADLINES
)


def virtual() -> VirtualLoop:
    """The loop this test runs on."""
    return cast("VirtualLoop", asyncio.get_running_loop())


def pool_of(transport: HttpTransport) -> Pool:
    """The only pool of the transport."""
    (pool,) = transport.pools.values()
    return pool


def saying(*events: tuple[float, bytes]) -> Callable[[Wire], None]:
    """An answer whose bytes come at these seconds after the request."""

    def answer_on(wire: Wire) -> None:
        for after, data in events:
            asyncio.get_running_loop().call_later(after, _say, wire, data)

    return answer_on


def _say(wire: Wire, data: bytes) -> None:
    if not wire.closed:
        wire.feed(data)


async def asked(number: int) -> Wire:
    """The connection with this number, once a request has gone out on it."""
    while len(virtual().wires) <= number or not virtual().wires[number].written:  # noqa: ASYNC110 # time is virtual
        await asyncio.sleep(0)
    return virtual().wires[number]


async def connected(transport: HttpTransport, answer_on: Callable[[Wire], None]) -> Wire:
    """The connection that the next request will use."""
    first = asyncio.ensure_future(transport.send(REQUEST))
    wire = await asked(0)
    wire.feed(answer(b""))
    (await first).close()
    wire.answer = answer_on
    return wire


async def test_a_request_goes_out_in_one_piece() -> None:
    """Request line, host, length, the caller's headers, and the body."""
    transport = HttpTransport()
    wire = await connected(transport, saying())
    assert wire.written == [
        b"POST /v1/chat?x=1 HTTP/1.1\r\nhost: provider:8080\r\ncontent-length: 2\r\nauthorization: Bearer k\r\n\r\n{}"
    ]


@pytest.mark.parametrize("passes", [False, True], ids=["read", "passed on"])
@pytest.mark.parametrize(
    ("events", "moment", "words"),
    [
        ((), 120, "no answer within 120 s"),
        (((100, HEADERS),), 120, "no answer within 120 s"),
        (((100, HEADERS + b"1\r\na\r\n"),), 160, "silent for 60 s"),
        (((100, HEADERS + b"1\r\na\r\n"), (150, b"1\r\nb\r\n")), 210, "silent for 60 s"),
        (((100, HEADERS + b"1\r\na\r\n"), (150, b"1;x=y")), 160, "silent for 60 s"),
        (tuple((50.0 * n, b"1\r\na\r\n" if n else HEADERS) for n in range(20)), 600, "longer than 600 s in all"),
    ],
    ids=["never a byte", "headers only", "silent after a chunk", "silent later", "framing is no body", "drip"],
)
async def test_silence_ends_at_its_deadline(
    events: tuple[tuple[float, bytes], ...], moment: float, words: str, passes: bool
) -> None:
    """Each deadline is kept to the moment and says which one it was; the connection is dropped."""
    transport = HttpTransport()
    wire = await connected(transport, saying(*events))
    start = virtual().time()

    async def call() -> None:
        response = await transport.send(REQUEST)
        if passes:
            await response.pass_to(bool)
        while await response.chunk():
            pass

    with pytest.raises(UpstreamTimeout, match=words):
        await call()
    assert virtual().time() - start == pytest.approx(moment, abs=0.01)
    assert wire.closed
    assert pool_of(transport).leased == 0


async def test_a_slow_reader_is_no_silent_provider() -> None:
    """While bytes wait to be read the provider's silence does not count, until the total deadline."""
    transport = HttpTransport()
    await connected(transport, saying((1, HEADERS + b"1\r\na\r\n"), (260, b"1\r\nb\r\n0\r\n\r\n")))
    response = await transport.send(REQUEST)
    await asyncio.sleep(210)
    assert await response.chunk() == b"a"
    assert await response.chunk() == b"b"
    assert await response.chunk() == b""


async def test_the_total_deadline_holds_for_slow_readers() -> None:
    """What was buffered when the total deadline passed is read, then the failure is told."""
    transport = HttpTransport()
    await connected(transport, saying((1, HEADERS + b"1\r\na\r\n")))
    response = await transport.send(REQUEST)
    await asyncio.sleep(1000)
    assert pool_of(transport).leased == 0
    assert await response.chunk() == b"a"
    with pytest.raises(UpstreamTimeout, match="600 s in all"):
        await response.chunk()


async def test_a_paused_provider_gets_its_time_anew() -> None:
    """A provider that was kept waiting by back-pressure may be silent for the whole idle deadline afterwards."""
    transport = HttpTransport()
    big = b"x" * 70_000
    wire = await connected(transport, saying((1, HEADERS), (1.1, b"11170\r\n"), (1.2, big), (1.3, b"\r\n")))
    response = await transport.send(REQUEST)
    await asyncio.sleep(50)
    assert wire.paused
    assert await response.chunk() == big
    start = virtual().time()
    with pytest.raises(UpstreamTimeout, match="silent"):
        await response.chunk()
    assert virtual().time() - start == pytest.approx(60, abs=0.01)


async def test_a_shorter_deadline_is_kept_on_a_kept_connection() -> None:
    """The timer that a connection carries along never delays a later request's deadline."""
    transport = HttpTransport()
    await connected(transport, saying())
    hasty = UpstreamRequest(url=REQUEST.url, headers=(), body=b"", deadlines=Deadlines(first_token=0.2))
    start = virtual().time()
    with pytest.raises(UpstreamTimeout, match=r"0\.2 s"):
        await transport.send(hasty)
    assert virtual().time() - start == pytest.approx(0.2, abs=0.01)


async def test_unused_connections_are_dropped() -> None:
    """After 45 s without a request a connection is closed."""
    transport = HttpTransport(keep_s=45)
    wire = await connected(transport, saying())
    await asyncio.sleep(44.9)
    assert not wire.closed
    await asyncio.sleep(0.2)
    assert wire.closed
    assert pool_of(transport).open == 0


async def test_a_dead_kept_connection_is_replaced_once() -> None:
    """A kept connection that dies before a byte came back costs a second try, on a connection never used before."""
    transport = HttpTransport()
    wire = await connected(transport, lambda wire: wire.hang_up(ConnectionResetError()))
    second = asyncio.ensure_future(transport.send(REQUEST))
    fresh = await asked(1)
    fresh.feed(answer(b"fine"))
    assert await (await second).read(100) == b"fine"
    assert (len(wire.written), len(fresh.written)) == (2, 1)


async def test_the_second_try_is_the_last() -> None:
    """When the fresh connection dies as well the caller is told."""
    transport = HttpTransport()
    await connected(transport, lambda wire: wire.hang_up())
    second = asyncio.ensure_future(transport.send(REQUEST))
    (await asked(1)).hang_up()
    with pytest.raises(UpstreamInterrupted, match="before any answer"):
        await second
    assert len(virtual().wires) == 2


@pytest.mark.parametrize(
    "ending",
    [
        lambda wire: (wire.feed(b"H"), wire.hang_up()),
        lambda wire: asyncio.get_running_loop().call_later(2, wire.hang_up),
    ],
    ids=["after one byte", "after two seconds"],
)
async def test_what_may_have_been_paid_for_is_not_asked_twice(ending: Callable[[Wire], None]) -> None:
    """Once a byte came back, or the provider had time to work, a broken connection is an error and no second try."""
    transport = HttpTransport()
    await connected(transport, ending)
    with pytest.raises(UpstreamInterrupted):
        await transport.send(REQUEST)
    assert len(virtual().wires) == 1


async def test_a_fresh_connection_that_dies_is_no_second_try() -> None:
    """Only kept connections can be stale."""
    transport = HttpTransport()
    sending = asyncio.ensure_future(transport.send(REQUEST))
    (await asked(0)).hang_up()
    with pytest.raises(UpstreamInterrupted):
        await sending
    assert len(virtual().wires) == 1


async def test_closing_tells_everybody() -> None:
    """Requests under way, waiting for a connection, connecting, or new are refused; no socket stays."""
    transport = HttpTransport(limit_per_host=1)
    under_way = asyncio.ensure_future(transport.send(REQUEST))
    await asyncio.sleep(0.1)
    waiting = asyncio.ensure_future(transport.send(REQUEST))
    await asyncio.sleep(0.1)
    await asyncio.gather(transport.aclose(), transport.aclose())
    errors = await asyncio.gather(under_way, waiting, transport.send(REQUEST), return_exceptions=True)
    assert [type(error) for error in errors] == [UpstreamInterrupted, UpstreamUnreachable, UpstreamUnreachable]
    pool = pool_of(transport)
    assert (pool.leased, pool.open, pool.kept) == (0, 0, 0)


async def test_closing_overtakes_a_connection_being_made() -> None:
    """A connection that comes up after closing is dropped at once."""
    transport = HttpTransport()
    virtual().connect = lambda: asyncio.sleep(1)
    sending = asyncio.ensure_future(transport.send(REQUEST))
    await asyncio.sleep(0.5)
    await transport.aclose()
    with pytest.raises(UpstreamUnreachable, match="stopping"):
        await sending
    assert virtual().wires[0].closed


@pytest.mark.parametrize(
    "url",
    ["ftp://a/b", "http:///x", "http://a b/c", "http://u:p@a/", "http://a/\r\nx: y", "http://ä/", "http://a:99999/"],
)
async def test_an_address_that_cannot_be_sent_to_is_refused(url: str) -> None:
    """Nothing that could break a request line apart gets as far as a socket."""
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        await HttpTransport().send(UpstreamRequest(url=url, headers=(), body=b""))


async def test_a_method_is_a_token() -> None:
    """A method with a space would be another request line."""
    with pytest.raises(ValueError, match="method"):
        await HttpTransport().send(UpstreamRequest(url="http://a/", headers=(), body=b"", method="POST /x"))


@pytest.mark.parametrize(
    "header",
    [(b"a", b"secret\r\nx: y"), (b"a", b"secret\n"), (b"a b", b"secret"), (b"Host", b"secret"), (b"te", b"secret")],
)
async def test_a_header_that_breaks_the_request_apart_is_refused(header: tuple[bytes, bytes]) -> None:
    """Line breaks and the transport's own headers are refused without telling the value."""
    with pytest.raises(ValueError, match="header") as caught:
        await HttpTransport().send(UpstreamRequest(url="http://a/", headers=(header,), body=b""))
    assert "secret" not in str(caught.value)


async def test_remembered_addresses_are_bounded() -> None:
    """URLs that differ each time do not grow the memory, and share one pool."""
    transport = HttpTransport()
    virtual().connect = lambda: asyncio.sleep(1000)
    brief = Deadlines(connect=0.001)
    for number in range(MAX_TARGETS + 10):
        with pytest.raises(UpstreamError):
            await transport.send(UpstreamRequest(url=f"http://a/{number}", headers=(), body=b"", deadlines=brief))
    assert len(transport._targets) == 10
    assert len(transport.pools) == 1


async def test_https_trusts_the_systems_authorities() -> None:
    """Without a context of its own the transport verifies host and certificate, and speaks HTTP/1.1."""
    context = HttpTransport()._context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

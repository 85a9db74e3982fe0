"""The transport against a real socket whose other end misbehaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from farthing.domain.errors import (
    UpstreamError,
    UpstreamInterrupted,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from farthing.ports import Deadlines, UpstreamRequest
from farthing.providers.connection import HIGH_WATER, READ_BYTES
from farthing.providers.response import Response
from farthing.providers.transport import HttpTransport
from tests.faultserver.server import (
    FaultServer,
    Peer,
    Script,
    always,
    answer,
    chunked,
    cut,
    events,
    in_turn,
    silent_after,
)
from tests.integration.providers.conftest import Tls

STREAM = events(b'{"a": "h\xc3\xa9"}', b'{"b": "\\u00e9"}', b"[DONE]")
STREAM_BODY = b'data: {"a": "h\xc3\xa9"}\n\ndata: {"b": "\\u00e9"}\n\ndata: [DONE]\n\n'
UNSIZED = b"HTTP/1.1 200 OK\r\n\r\n" + STREAM_BODY
MEGABYTE = 1 << 20


@pytest.fixture
async def transport(tls: Tls) -> AsyncIterator[HttpTransport]:
    """A transport that leaves no lease behind."""
    transport = HttpTransport(limit_per_host=16, tls=tls.client)
    yield transport
    assert [pool.leased for pool in transport.pools.values()] in ([], [0])
    await transport.aclose()
    assert [pool.open for pool in transport.pools.values()] in ([], [0])


@pytest.fixture(params=["http", "https"])
async def server(request: pytest.FixtureRequest, tls: Tls) -> AsyncIterator[FaultServer]:
    """An upstream in plain HTTP and in TLS; the test says what it does."""
    async with FaultServer(always(answer(b"ok")), tls=tls.server if request.param == "https" else None) as server:
        yield server


def post(server: FaultServer, body: bytes = b"{}", deadlines: Deadlines | None = None) -> UpstreamRequest:
    """A request to the server."""
    headers = ((b"content-type", b"application/json"),)
    return UpstreamRequest(url=f"{server.url}/v1", headers=headers, body=body, deadlines=deadlines or Deadlines())


async def partial(transport: HttpTransport, request: UpstreamRequest) -> tuple[bytes, UpstreamError | None]:
    """The body as far as it came, and the failure after it."""
    body = b""
    try:
        response = await transport.send(request)
        while data := await response.chunk():
            body += data
    except UpstreamError as error:
        return body, error
    return body, None


async def test_a_request_arrives_as_it_was_sent(server: FaultServer, transport: HttpTransport) -> None:
    """Line, headers and body are what the caller gave, with host and length added and no compression asked for."""
    body = bytes(range(256)) * 8192
    response = await transport.send(post(server, body))
    assert (response.status, await response.read(100)) == (200, b"ok")
    (request,) = server.requests
    assert request.line == b"POST /v1 HTTP/1.1"
    assert request.headers == {
        b"host": b"127.0.0.1:%d" % server.port,
        b"content-length": b"%d" % len(body),
        b"content-type": b"application/json",
    }
    assert request.body == body


@pytest.mark.parametrize("size", [0, 1, 7])
@pytest.mark.parametrize("reply", [STREAM, answer(STREAM_BODY)], ids=["chunked", "sized"])
async def test_whole_answers_share_a_connection(
    server: FaultServer, transport: HttpTransport, reply: bytes, size: int
) -> None:
    """Answers in one piece or in slices are read whole, one after the other, over one connection."""
    server.script = always(reply, size=size)
    for _ in range(3):
        assert await partial(transport, post(server)) == (STREAM_BODY, None)
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_an_answer_without_length_ends_with_its_connection(server: FaultServer, transport: HttpTransport) -> None:
    """Where FIN ends the answer the next request takes another connection."""
    server.script = cut(UNSIZED, len(UNSIZED))
    for _ in range(2):
        assert await partial(transport, post(server)) == (STREAM_BODY, None)
    assert server.connections == 2


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_a_stream_cut_at_any_byte_is_interrupted(transport: HttpTransport, reset: bool) -> None:
    """What came before the cut is handed on, the cut is told, and nothing is asked twice."""
    async with FaultServer(always(b"")) as server:
        seen = set()
        for at in range(len(STREAM)):
            server.script = cut(STREAM, at, reset=reset)
            body, error = await partial(transport, post(server))
            assert isinstance(error, UpstreamInterrupted)
            assert STREAM_BODY.startswith(body)
            seen.add(body)
        assert len(server.requests) == len(STREAM)
        assert {b"", STREAM_BODY} <= seen


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_a_tls_stream_cut_short_is_interrupted(transport: HttpTransport, tls: Tls, reset: bool) -> None:
    """Under TLS, too, an answer that lacks its last byte is no whole answer."""
    async with FaultServer(cut(STREAM, len(STREAM) - 1, reset=reset), tls=tls.server) as server:
        body, error = await partial(transport, post(server))
        assert isinstance(error, UpstreamInterrupted)
        assert STREAM_BODY.startswith(body)


async def test_a_wrong_length_never_passes(server: FaultServer, transport: HttpTransport) -> None:
    """Too long a promise is an interruption; what exceeds a short one is dropped together with the connection."""
    server.script = cut(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", 1000)
    body, error = await partial(transport, post(server))
    assert (body, type(error)) == (b"short", UpstreamInterrupted)
    server.script = silent_after(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nshort and more")
    assert await partial(transport, post(server)) == (b"short", None)
    await server.until_open(0)


@pytest.mark.parametrize(
    "reply",
    [
        b"\x16\x03\x01\x02\x00garbage",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * MEGABYTE + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 100_000,
    ],
    ids=["garbage", "compressed", "header of 1 MiB", "flood of 1xx"],
)
async def test_what_is_no_answer_is_invalid(server: FaultServer, transport: HttpTransport, reply: bytes) -> None:
    """A flood, garbage or an unasked-for coding is refused at once and its connection dropped."""
    server.script = silent_after(reply)
    body, error = await partial(transport, post(server))
    assert (body, type(error)) == (b"", UpstreamInvalid)
    await server.until_open(0)


async def test_redirects_are_not_followed(server: FaultServer, transport: HttpTransport) -> None:
    """A 302 is an answer; the address it names is not asked."""
    async with FaultServer(always(answer(b"canary"))) as canary:
        server.script = always(answer(b"", status=b"302 Found", headers=b"location: %b\r\n" % canary.url.encode()))
        response = await transport.send(post(server))
        assert (response.status, await response.read(100)) == (302, b"")
        assert canary.connections == 0


@pytest.mark.parametrize(
    ("script", "deadlines", "words"),
    [
        (silent_after(), Deadlines(first_token=0.1), "no answer within 0.1 s"),
        (silent_after(STREAM, 80), Deadlines(first_token=0.1), "no answer within 0.1 s"),
        (silent_after(STREAM, -9), Deadlines(idle=0.1), "silent for 0.1 s"),
        (silent_after(STREAM, -9), Deadlines(total=0.1), "longer than 0.1 s in all"),
    ],
    ids=["from the start", "after the headers", "in the middle", "in all"],
)
async def test_silence_ends_at_its_deadline(
    server: FaultServer, transport: HttpTransport, script: Script, deadlines: Deadlines, words: str
) -> None:
    """Each kind of silence ends in a timeout that names it, and the provider sees us go."""
    server.script = script
    _, error = await partial(transport, post(server, deadlines=deadlines))
    assert isinstance(error, UpstreamTimeout)
    assert words in error.message
    await server.until_open(0)


async def test_a_slow_reader_holds_back_the_provider(server: FaultServer, transport: HttpTransport) -> None:
    """Of 64 MiB that a provider wants to say, a reader who does not read holds a bounded part in memory."""
    body = b"x" * (64 * MEGABYTE)
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), MEGABYTE):
            await peer.send(body[at : at + MEGABYTE])
            sent += MEGABYTE

    server.script = script
    response = await transport.send(post(server))
    before = -1
    while sent != before:
        before = sent
        await asyncio.sleep(0.2)
    assert response.buffered <= HIGH_WATER + READ_BYTES
    assert sent < len(body) / 2
    total = 0
    while data := await response.chunk():
        total += len(data)
        assert len(data) <= HIGH_WATER + READ_BYTES
    assert total == len(body)


async def test_a_connection_closed_in_between_is_replaced(server: FaultServer, transport: HttpTransport) -> None:
    """A provider that closes kept connections unannounced costs no request, and sees none twice."""

    async def one_each(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))

    server.script = one_each
    for _ in range(20):
        assert await partial(transport, post(server)) == (b"ok", None)
        await asyncio.sleep(0)
    assert len(server.requests) == 20


async def test_a_port_nobody_listens_on_is_unreachable(transport: HttpTransport) -> None:
    """A refused connection says so and names no address."""
    async with FaultServer(always(b"")) as server:
        pass
    with pytest.raises(UpstreamUnreachable, match="refuses connections"):
        await transport.send(post(server))


async def test_a_certificate_nobody_vouches_for_is_refused(tls: Tls) -> None:
    """Without the right authority there is no connection, and the request stays here."""
    transport = HttpTransport()
    async with FaultServer(always(answer(b"ok")), tls=tls.server) as server:
        with pytest.raises(UpstreamUnreachable, match="No trusted TLS connection"):
            await transport.send(post(server))
        assert server.requests == []
    await transport.aclose()


async def test_random_cancellations_leave_nothing_behind(server: FaultServer, transport: HttpTransport) -> None:
    """Whenever 100 callers give up, only idle connections are left, and nobody reads another's answer."""
    chance = random.Random(16)

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            await asyncio.sleep(chance.random() * 0.02)
            await peer.send(chunked(request.body[:5], request.body[5:]), size=chance.choice([0, 1, 9]))

    async def call(number: int) -> None:
        body = b"canary %05d" % number
        response = await transport.send(post(server, body))
        assert await response.read(100) == body

    server.script = script
    callers = []
    for number in range(100):
        callers.append(asyncio.ensure_future(call(number)))
        asyncio.get_running_loop().call_later(chance.random() * 0.06, callers[-1].cancel)
        await asyncio.sleep(0.002)
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    (pool,) = transport.pools.values()
    assert pool.leased == 0
    await call(100)
    await server.until_open(pool.kept)


async def test_closing_an_answer_tells_the_provider(server: FaultServer, transport: HttpTransport) -> None:
    """An answer that nobody wants any more is aborted at the provider at once."""
    server.script = silent_after(STREAM, -9)
    response: Response = await transport.send(post(server))
    assert await response.chunk()
    await server.until_open(1)
    response.close()
    response.close()
    await server.until_open(0)


async def test_closing_the_transport_closes_kept_connections(server: FaultServer, transport: HttpTransport) -> None:
    """After `aclose` the provider has no connection to us."""
    server.script = in_turn(answer(b"ok"))
    assert await partial(transport, post(server)) == (b"ok", None)
    await transport.aclose()
    await server.until_open(0)

"""One connection, fed byte by byte: whatever arrives, a caller gets the truth about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.errors import UpstreamError, UpstreamInterrupted, UpstreamInvalid
from farthing.ports import Deadlines
from farthing.providers.connection import HIGH_WATER, MAX_INFORMATIONAL, MAX_OVERHEAD, READ_BYTES, Connection
from farthing.providers.pool import Origin, Pool
from farthing.providers.response import Response
from tests.faultserver.server import answer, chunked
from tests.faultserver.virtual import VirtualLoop, Wire

BODY = b'{"text": "h\xc3\xa9llo"}'
SIZED = answer(BODY, headers=b"Content-Type: application/json\r\n")
CHUNKED = chunked(b'{"text": ', b'"h\xc3', b'\xa9llo"}')
UNSIZED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + BODY


class Exchange:
    """A pool of one connection with a request on it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.pool = Pool(loop=loop, origin=Origin(False, "provider", 80), tls=None, limit=4, keep_s=45)
        self.pool.leased = 1
        self.connection = Connection(loop=loop, home=self.pool, buffer=memoryview(bytearray(READ_BYTES)), keep_s=45)
        self.wire = Wire(self.connection, loop)
        self.connection.connection_made(self.wire)
        self.response = self.ask()

    def ask(self) -> Response:
        """Another request on the same connection."""
        return self.connection.start(b"POST / HTTP/1.1\r\n\r\n", b"{}", Deadlines(), 1e9)

    async def whole(self) -> bytes:
        """The body, if it ends cleanly."""
        await self.response.opened()
        return await self.response.read(1 << 20)

    async def partial(self) -> tuple[bytes, UpstreamError | None]:
        """The body as far as it came, and the failure after it."""
        body = b""
        try:
            await self.response.opened()
            while data := await self.response.chunk():
                body += data
        except UpstreamError as error:
            return body, error
        return body, None

    def is_dropped(self) -> bool:
        """Whether nothing of the connection is left in the pool."""
        return self.wire.closed and self.pool.leased == 0 and self.pool.kept == 0

    def is_kept(self) -> bool:
        """Whether the connection waits for the next request."""
        return not self.wire.closed and self.pool.leased == 0 and self.pool.kept == 1


def virtually(story: Callable[[], Awaitable[None]]) -> None:
    """Runs a coroutine in virtual time, for hypothesis."""

    async def main() -> None:
        await story()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


@pytest.mark.parametrize("reply", [SIZED, CHUNKED], ids=["sized", "chunked"])
async def test_a_whole_answer_frees_the_connection(reply: bytes) -> None:
    """After a clean end the body is complete and the connection waits for the next request."""
    exchange = Exchange()
    exchange.wire.feed(reply)
    assert exchange.is_kept()
    assert await exchange.whole() == BODY
    assert exchange.response.status == 200


async def test_the_end_of_the_connection_ends_an_answer_without_length() -> None:
    """An answer that says no length is whole when the provider hangs up, and its connection is not used again."""
    exchange = Exchange()
    exchange.wire.feed(UNSIZED)
    assert exchange.pool.leased == 1
    exchange.wire.hang_up()
    assert await exchange.whole() == BODY
    assert exchange.is_dropped()


async def test_a_reset_interrupts_an_answer_without_length() -> None:
    """Where only the end of the connection tells the end of the answer, RST is no end."""
    exchange = Exchange()
    exchange.wire.feed(UNSIZED)
    exchange.wire.hang_up(ConnectionResetError())
    body, error = await exchange.partial()
    assert (body, type(error)) == (BODY, UpstreamInterrupted)


@pytest.mark.parametrize("error", [None, ConnectionResetError()], ids=["fin", "rst"])
@pytest.mark.parametrize("reply", [SIZED, CHUNKED], ids=["sized", "chunked"])
async def test_a_cut_at_any_byte_is_an_interruption(reply: bytes, error: Exception | None) -> None:
    """Wherever an answer breaks off, the bytes up to there are handed on and then the break is told."""
    body = b""
    for at in range(len(reply)):
        exchange = Exchange()
        exchange.wire.feed(reply[:at])
        exchange.wire.hang_up(error)
        body, failure = await exchange.partial()
        assert isinstance(failure, UpstreamInterrupted)
        assert BODY.startswith(body)
        assert exchange.is_dropped()
    assert body == BODY[: len(BODY) - (reply is SIZED)]


@given(data=st.data())
def test_slicing_changes_nothing(data: st.DataObject) -> None:
    """However the bytes of an answer are split into reads, status, headers and body are the same."""
    reply = data.draw(st.sampled_from([SIZED, CHUNKED]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(reply) - 1), max_size=20)))

    async def story() -> None:
        exchange = Exchange()
        for start, end in zip([0, *cuts], [*cuts, len(reply)], strict=True):
            exchange.wire.feed(reply[start:end])
        assert await exchange.whole() == BODY
        assert exchange.is_kept()

    virtually(story)


@pytest.mark.parametrize("reply", [SIZED, CHUNKED], ids=["sized", "chunked"])
async def test_an_answer_may_come_byte_by_byte(reply: bytes) -> None:
    """Reads of a single byte give the same answer."""
    exchange = Exchange()
    exchange.wire.feed(reply, size=1)
    assert await exchange.whole() == BODY
    assert exchange.is_kept()


@given(garbage=st.binary(min_size=1, max_size=300))
def test_garbage_never_passes_for_an_answer(garbage: bytes) -> None:
    """Random bytes end in an upstream error and a dropped connection, never in anything else."""

    async def story() -> None:
        exchange = Exchange()
        exchange.wire.feed(garbage)
        exchange.wire.hang_up()
        body, error = await exchange.partial()
        assert body == b""
        assert isinstance(error, UpstreamInvalid | UpstreamInterrupted)
        assert exchange.is_dropped()

    virtually(story)


@given(at=st.integers(0, len(CHUNKED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_never_escapes(at: int, bit: int) -> None:
    """An answer damaged anywhere is either read or refused as an upstream error; the lease always ends."""
    damaged = bytearray(CHUNKED)
    damaged[at] ^= 1 << bit

    async def story() -> None:
        exchange = Exchange()
        exchange.wire.feed(bytes(damaged))
        exchange.wire.hang_up()
        _, error = await exchange.partial()
        assert error is None or isinstance(error, UpstreamError)
        assert exchange.is_dropped()

    virtually(story)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-encoding: identity\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 700 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"<html>not HTTP</html>",
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INFORMATIONAL + 1),
    ],
)
async def test_what_is_no_answer_is_refused(reply: bytes) -> None:
    """Contradictory lengths, codings that nobody asked for, upgrades and floods of interim answers are invalid."""
    exchange = Exchange()
    exchange.wire.feed(reply)
    body, error = await exchange.partial()
    assert (body, type(error)) == (b"", UpstreamInvalid)
    assert exchange.is_dropped()


async def test_a_broken_chunk_is_told_after_what_came_before() -> None:
    """Garbage between chunks is invalid; the chunks before it are handed on."""
    exchange = Exchange()
    exchange.wire.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
    body, error = await exchange.partial()
    assert (body, type(error)) == (b"abc", UpstreamInvalid)
    assert exchange.is_dropped()


@pytest.mark.parametrize(
    "opening",
    [
        b"HTTP/1.1 200 OK\r\nx: ",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
        b"HTTP/1.1 ",
    ],
    ids=["header value", "header name", "trailer", "chunk extension", "status line"],
)
async def test_endless_headers_are_refused(opening: bytes) -> None:
    """No header, trailer or chunk extension can make us hold more than a bounded number of bytes."""
    exchange = Exchange()
    fed = 0
    exchange.wire.feed(opening)
    while not exchange.wire.closed:
        exchange.wire.feed(b"a" * 4096)
        fed += 4096
        assert fed <= MAX_OVERHEAD + 4096
    body, error = await exchange.partial()
    assert (body, type(error)) == (b"", UpstreamInvalid)


async def test_interim_answers_are_skipped() -> None:
    """100 and 103 come before the answer and are none."""
    exchange = Exchange()
    exchange.wire.feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + SIZED)
    assert await exchange.whole() == BODY
    assert "link" not in exchange.response.headers
    assert exchange.is_kept()


async def test_headers_are_lower_case_and_joined() -> None:
    """A header that comes twice reads as one list; a trailer is none of the headers."""
    exchange = Exchange()
    exchange.wire.feed(
        b"HTTP/1.1 200 OK\r\nX-Tag: a\r\nx-tag: b\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nx-late: c\r\n\r\n"
    )
    assert await exchange.whole() == b""
    assert exchange.response.headers == {"x-tag": "a, b", "transfer-encoding": "Chunked"}
    assert exchange.is_kept()


@pytest.mark.parametrize("status", [204, 302, 429, 599])
async def test_every_status_is_an_answer(status: int) -> None:
    """Errors and redirects are handed on as they are; nothing is followed."""
    exchange = Exchange()
    exchange.wire.feed(b"HTTP/1.1 %d X\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n" % status)
    assert await exchange.whole() == b""
    assert exchange.response.status == status
    assert len(exchange.wire.written) == 1


@pytest.mark.parametrize(
    "reply",
    [
        SIZED + b"HTTP/1.1 200 OK\r\n",
        SIZED + b"\x00garbage",
        answer(BODY, headers=b"connection: close\r\n"),
        SIZED.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["second answer", "garbage", "close", "HTTP/1.0"],
)
async def test_only_a_clean_end_is_used_again(reply: bytes) -> None:
    """Bytes after the answer, or the provider's wish to close, cost the connection and not the answer."""
    exchange = Exchange()
    exchange.wire.feed(reply)
    assert await exchange.whole() == BODY
    assert exchange.is_dropped()


async def test_bytes_that_nobody_asked_for_drop_the_connection() -> None:
    """What a provider says between two requests is never taken for the answer to the next."""
    exchange = Exchange()
    exchange.wire.feed(SIZED)
    exchange.wire.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother")
    assert exchange.wire.closed
    assert exchange.pool.take() is None


async def test_an_answer_before_the_request_is_out_costs_the_connection() -> None:
    """While bytes of the request are unsent the connection cannot carry another one."""
    exchange = Exchange()
    exchange.wire.unsent = 10
    exchange.wire.feed(SIZED)
    assert await exchange.whole() == BODY
    assert exchange.is_dropped()


async def test_a_connection_carries_request_after_request() -> None:
    """The second answer holds nothing of the first."""
    exchange = Exchange()
    exchange.wire.feed(answer(b"first", headers=b"x-one: 1\r\n"))
    first, pool = exchange.response, exchange.pool
    assert pool.take() is exchange.connection
    exchange.response = exchange.ask()
    exchange.wire.feed(chunked(b"second"))
    assert await exchange.whole() == b"second"
    assert "x-one" not in exchange.response.headers
    assert await first.read(100) == b"first"


async def test_a_slow_reader_makes_the_provider_wait() -> None:
    """Over the high-water mark nothing more is read, until the reader has taken what is there."""
    exchange = Exchange()
    exchange.wire.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    assert not exchange.wire.paused
    exchange.wire.feed(b"x" * (HIGH_WATER + 1))
    assert exchange.wire.paused
    assert len(await exchange.response.chunk()) == HIGH_WATER + 1
    assert not exchange.wire.paused


async def test_a_kept_connection_reads_again() -> None:
    """An answer that ends above the high-water mark does not leave its connection deaf."""
    exchange = Exchange()
    exchange.wire.feed(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (HIGH_WATER + 2))
    exchange.wire.feed(b"x" * (HIGH_WATER + 1))
    exchange.wire.feed(b"x")
    assert not exchange.wire.paused
    assert exchange.is_kept()


async def test_reading_stops_at_the_limit() -> None:
    """A body over the limit is invalid and its connection is dropped."""
    exchange = Exchange()
    exchange.wire.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 101)
    with pytest.raises(UpstreamInvalid, match="100 bytes"):
        await exchange.response.read(100)
    assert exchange.is_dropped()


async def test_closing_drops_what_was_not_read() -> None:
    """A closed answer never reads as a whole one, and may be closed again."""
    exchange = Exchange()
    exchange.wire.feed(CHUNKED[:-5])
    exchange.response.close()
    exchange.response.close()
    assert exchange.is_dropped()
    with pytest.raises(UpstreamInterrupted, match="closed"):
        await exchange.response.chunk()


async def test_closing_after_the_end_keeps_the_connection() -> None:
    """Closing an answer that has ended costs nothing."""
    exchange = Exchange()
    exchange.wire.feed(SIZED)
    assert await exchange.whole() == BODY
    exchange.response.close()
    assert exchange.is_kept()
    assert await exchange.response.chunk() == b""


async def test_closing_wakes_the_reader() -> None:
    """Whoever waits for bytes of an answer that another task closes is told at once."""
    exchange = Exchange()
    exchange.wire.feed(CHUNKED[:60])
    reader = asyncio.ensure_future(exchange.partial())
    await asyncio.sleep(1)
    exchange.response.close()
    _, error = await reader
    assert isinstance(error, UpstreamInterrupted)


async def test_a_cancelled_reader_leaves_no_connection_in_use() -> None:
    """Cancelling the task that waits for bytes gives the lease back."""
    exchange = Exchange()
    reader = asyncio.ensure_future(exchange.whole())
    await asyncio.sleep(1)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert exchange.is_dropped()


async def test_a_large_body_is_written_without_a_copy() -> None:
    """The caller's bytes go to the socket as they are."""
    exchange = Exchange()
    exchange.wire.feed(SIZED)
    body = b"x" * 100_000
    exchange.pool.take()
    exchange.connection.start(b"POST / HTTP/1.1\r\n\r\n", body, Deadlines(), 1e9)
    assert exchange.wire.written[-2:] == [b"POST / HTTP/1.1\r\n\r\n", body]

"""The load generator counts what was answered, and apart from it all that was not."""

import asyncio
import socket

import pytest

from benchmarks.accounting import account
from benchmarks.native import PLACEHOLDER, Load, LoadResult, Upstream
from tests.faultserver.server import FaultServer, Script, always, answer, chunked, cut, events, in_turn, silent_after
from tests.servers.process import ServerFailed

STREAM = events(b'{"choices":[]}', b'{"choices":[{}]}', b"[DONE]")
TYPED = b"content-type: text/event-stream\r\n"


def load_of_ten(url: str, *, body: bytes = b"{}", vary: bool = False, seed: int | None = None) -> Load:
    """Ten requests, 10 ms apart."""
    return Load(url=url, body=body, vary=vary, seed=seed, rate=100, seconds=0.1, connections=4)


async def ten(script: Script) -> LoadResult:
    """What ten requests come to against a server that does this on each connection."""
    async with FaultServer(script) as server:
        return await asyncio.to_thread(load_of_ten(server.url).put)


def counts(result: LoadResult) -> tuple[int, int, int, dict[str, int]]:
    """Requests, errors, events and statuses."""
    return result.requests, result.errors, result.events, result.statuses


async def test_a_closed_loop_counts_what_the_mock_counts() -> None:
    """Every request that left came back, and both ends agree on how many."""
    with Upstream() as upstream:
        result = await asyncio.to_thread(Load(url=f"{upstream.url}/v1", body=b"{}", seconds=0.2).put)
        assert counts(result) == (upstream.count(), 0, 0, {"200": upstream.count()})
    assert result.requests > 32
    assert result.first_error == ""


async def test_a_warm_up_is_not_counted() -> None:
    """What the warm-up asks reaches the server and no figure."""
    async with FaultServer(always(answer(b"ok"))) as server:
        load = Load(url=server.url, body=b"{}", rate=50, seconds=0.1, warmup=0.2)
        assert counts(await asyncio.to_thread(load.put)) == (5, 0, 0, {"200": 5})
        assert len(server.requests) == 15


async def test_an_open_loop_sends_exactly_its_rate() -> None:
    """So many a second for so many seconds, streams with all their events, the last one included."""
    with Upstream(events=3, gap_ms=1) as upstream:
        load = Load(url=f"{upstream.url}/v1", body=b'{"stream":true}', rate=200, seconds=0.25)
        assert counts(await asyncio.to_thread(load.put)) == (50, 0, 200, {"200": 50})
        assert upstream.count() == 50


async def test_both_ends_may_stay_awake() -> None:
    """They answer and count as ever, and use the processor even where nothing is to be done."""
    with Upstream(events=3, gap_ms=1, awake=True) as upstream, Upstream() as asleep:
        load = Load(url=f"{upstream.url}/v1", body=b'{"stream":true}', rate=20, seconds=0.5, awake=True)
        assert counts(await asyncio.to_thread(load.put)) == (10, 0, 40, {"200": 10})
        assert upstream.count() == 10
        assert account(upstream.pid).cpu_seconds > 3 * account(asleep.pid).cpu_seconds


async def test_a_request_that_waits_for_a_connection_is_late() -> None:
    """In open loop latency counts from when a request was due: on one connection each waits for those before it."""
    with Upstream(events=5, gap_ms=10) as upstream:
        load = Load(url=f"{upstream.url}/v1", body=b'{"stream":true}', connections=1, rate=100, seconds=0.1)
        result = await asyncio.to_thread(load.put)
    assert result.requests == 10
    assert result.latency_us.max >= 10 * 40_000 - 90_000
    assert result.latency_us.mean >= sum(40_000 * (turn + 1) - 10_000 * turn for turn in range(10)) / 10
    assert result.first_byte_us.max >= 9 * 40_000 - 90_000
    assert result.seconds >= 0.4


async def test_a_load_ends_although_the_server_falls_silent() -> None:
    """Requests that are still waiting for a connection when their time is over are errors too, and are not sent."""
    async with FaultServer(silent_after(answer(b"whole"), 20)) as server:
        load = Load(url=server.url, body=b"{}", connections=2, rate=100, seconds=0.2, timeout=0.5)
        result = await asyncio.to_thread(load.put)
        assert counts(result) == (0, 20, 0, {})
        assert result.first_error == "no answer in time"
        assert len(server.requests) < 20


async def test_the_request_is_what_was_asked_for() -> None:
    """Method, path, host, length and the caller's headers stand in it, and the body is untouched."""
    async with FaultServer(always(answer(b"ok"))) as server:
        load = Load(url=f"{server.url}/v1/chat?a=b", body=b'{"a": 1}', rate=10, seconds=0.1, headers={"x-key": "k: 1"})
        assert (await asyncio.to_thread(load.put)).requests == 1
        assert server.requests[0].line == b"POST /v1/chat?a=b HTTP/1.1"
        assert server.requests[0].body == b'{"a": 1}'
        assert server.requests[0].headers == {
            b"host": f"127.0.0.1:{server.port}".encode(),
            b"content-type": b"application/json",
            b"content-length": b"8",
            b"x-key": b"k: 1",
        }


async def test_varied_prompts_are_all_different_and_equal_seeds_alike() -> None:
    """Each request carries a number of its own at every mark; a seed tells which, and another seed other ones."""
    async with FaultServer(always(answer(b"ok"))) as server:
        for seed in (7, 7, 8):
            body = f"{PLACEHOLDER} and {PLACEHOLDER}".encode()
            load = load_of_ten(server.url, body=body, vary=True, seed=seed)
            assert (await asyncio.to_thread(load.put)).requests == 10
        bodies = [request.body for request in server.requests]
    assert bodies[:10] == [b"%012d and %012d" % (number, number) for number in range(70_000_000, 70_000_010)]
    assert bodies[10:20] == bodies[:10]
    assert bodies[20:] == [b"%012d and %012d" % (number, number) for number in range(80_000_000, 80_000_010)]


async def test_prompts_vary_between_loads_without_a_seed() -> None:
    """Two loads that were given no seed send different numbers."""
    async with FaultServer(always(answer(b"ok"))) as server:
        for _ in range(2):
            await asyncio.to_thread(load_of_ten(server.url, body=PLACEHOLDER.encode(), vary=True).put)
        assert len({request.body for request in server.requests}) == 20


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"ok"),
        answer(b""),
        answer(b"o" * 300_000),
        answer(b"ok", headers=b"connection: close\r\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"ok"),
        chunked(b"o", b"k" * 70_000),
        b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n",
    ],
)
async def test_every_framing_is_understood(reply: bytes) -> None:
    """Sized, chunked, empty and interim answers come to their end, and a connection that is to close is replaced."""
    assert counts(await ten(always(reply))) == (10, 0, 0, {"200": 10})


async def test_an_answer_may_end_with_its_connection() -> None:
    """Without length or chunks the end of the connection is the end of the body."""
    reply = b"HTTP/1.1 200 OK\r\n\r\nwhatever"
    assert counts(await ten(cut(reply, len(reply)))) == (10, 0, 0, {"200": 10})


@pytest.mark.parametrize("size", [0, 1, 7])
async def test_events_are_counted_however_they_are_cut(size: int) -> None:
    """A stream in one piece and byte by byte has the same events."""
    assert counts(await ten(always(STREAM, size=size))) == (10, 0, 30, {"200": 10})


async def test_anthropic_streams_end_with_message_stop() -> None:
    """Lines that name an event are not counted, and `message_stop` is the last one."""
    stream = chunked(b'event: ping\ndata: {}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n', headers=TYPED)
    assert counts(await ten(always(stream))) == (10, 0, 20, {"200": 10})


async def test_another_status_is_an_error_of_its_own() -> None:
    """An answer that is not 200 is no request, and the first one is told."""
    good, bad = answer(b"ok"), answer(b'{"error": "\x01too many"}', status=b"429 Too Many Requests")
    result = await ten(in_turn(good, bad, bad, *[good] * 7))
    assert counts(result) == (8, 2, 0, {"200": 8, "429": 2})
    assert result.first_error == 'not answered with 200: 429 {"error": " too many"}'


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (cut(STREAM, len(STREAM) - 9), "cut in the answer: 200 data: [DONE]"),
        (cut(STREAM, 10), "cut before the answer"),
        (cut(STREAM, 0), "cut before the answer"),
        (cut(answer(b"whole"), len(answer(b"whole")) - 1), "cut in the answer: 200 whol"),
        (cut(STREAM, 100, reset=True), "Connection reset by peer"),
        (always(events(b"{}", b"{}")), "stream without its last event"),
        (always(answer(b"ok") + b"more"), "malformed answer: 200"),
        (always(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n"), "malformed answer: 200"),
        (always(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), "malformed answer"),
        (always(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 20_000), "malformed answer"),
    ],
)
async def test_what_is_not_a_whole_answer_is_an_error(script: Script, error: str) -> None:
    """A cut or garbled answer counts as an error only, and the first one is told."""
    result = await ten(script)
    assert counts(result) == (0, 10, 0, {})
    assert result.first_error.startswith(error)


async def test_a_server_that_is_not_there_is_an_error() -> None:
    """In closed loop a refused connection is tried again after a while, not in a frenzy."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        load = Load(url=f"http://127.0.0.1:{nobody.getsockname()[1]}", body=b"{}", connections=2, seconds=0.35)
        result = await asyncio.to_thread(load.put)
    assert counts(result)[0] == 0
    assert 2 <= result.errors <= 8
    assert result.first_error == "Connection refused"


@pytest.mark.parametrize(
    ("load", "error"),
    [
        (Load(url="ftp://127.0.0.1", body=b"{}"), "--url: http://HOST:PORT/PATH is wanted"),
        (Load(url="http://127.0.0.1", body=b"{}", connections=0), "--connections: a number from 1 on is wanted"),
        (Load(url="http://127.0.0.1", body=b"{}", vary=True), "--vary: the body holds no @@@@@@@@@@@@"),
    ],
)
def test_a_senseless_load_is_refused(load: Load, error: str) -> None:
    """It ends at once with one line that says what was expected."""
    with pytest.raises(ServerFailed, match=error):
        load.put()

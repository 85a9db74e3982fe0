"""Clients that are wrong or slow before their request is known, with the fast lane and without."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from farthing.http import reception
from farthing.http.connection import PIECE, Connection
from farthing.http.headers import MOST_HEADERS
from farthing.http.lane import Lane
from farthing.http.patience import BODY_S, FIRST_S, HEAD_S, SLOWEST_BODY, STALL_S, TURN_S
from farthing.http.reception import LONGEST_HEADER, LONGEST_TARGET
from tests.faultserver.virtual import VirtualLoop
from tests.unit.gateway.rig import Rig, chat
from tests.unit.http.lanes import KEEP_ALIVE_S, Line, request

GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = POST.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked")
PLAIN = request(json.dumps(chat()).encode())
LONGEST_HEAD = 4 * PIECE
TURNS = 200
Scenario = Callable[[Line], Awaitable[None]]
protocols = pytest.mark.parametrize("protocol", [Lane, Connection])


@pytest.fixture(params=[Lane, Connection])
async def line(request: pytest.FixtureRequest) -> Line:
    """A connection whose requests all take the server's own way."""
    return Line(Rig([]), protocol=request.param)


def virtually(scenario: Scenario, protocol: type[Connection], **line: Any) -> None:
    """Runs it on a clock that jumps from timer to timer."""

    async def run() -> None:
        rig = Rig(lambda _: pytest.fail("nothing was asked"))
        await scenario(Line(rig, protocol=protocol, **line))
        await rig.supervisor.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


async def said(line: Line) -> int:
    """How many answers there are after everybody had several turns."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return line.pipe.said.count(b"other")


def refusal(line: Line) -> tuple[int, Mapping[str, Any]]:
    """Status and body of what was said last, which must say that it is the end."""
    head, _, body = line.pipe.said.rpartition(b"HTTP/1.1 4")[2].partition(b"\r\n\r\n")
    fields = dict(field.split(": ", 1) for field in head.decode().split("\r\n")[1:])
    assert (fields["connection"], fields["content-type"]) == ("close", "application/json")
    assert fields["x-request-id"] == fields["request-id"] == "the-id"
    assert int(fields["content-length"]) == len(body)
    assert line.pipe.is_closed
    return 400 + int(head[:2]), json.loads(body)


async def test_what_is_no_http_is_told_in_the_envelope(line: Line) -> None:
    """And no more is taken of it."""
    line.say(b"\x16\x03\x01\r\n\r\n")
    status, told = refusal(line)
    assert (status, told["error"]["type"], told["error"]["code"]) == (400, "invalid_request_error", "bad_request")
    line.say(GET)
    assert await said(line) == 0


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (GET.replace(b"livez", b"x" * LONGEST_TARGET), 414, "uri_too_long"),
        (GET.replace(b"Host", b"a: b\r\n" * MOST_HEADERS + b"Host"), 431, "headers_too_large"),
        (GET.replace(b"Host", b"a: %b\r\nHost" % (b"b" * LONGEST_HEADER)), 431, "headers_too_large"),
        (GET.replace(b"1.1", b"2.0"), 400, "bad_request"),
        (GET.replace(b"1.1", b"0.9"), 400, "bad_request"),
        (GET.replace(b"Host", b"Transfer-Encoding: gzip, chunked\r\nHost"), 400, "bad_request"),
    ],
)
async def test_a_head_that_nobody_serves_is_refused(line: Line, head: bytes, status: int, code: str) -> None:
    """Before anybody is asked."""
    line.say(head)
    assert await said(line) == 0
    told = refusal(line)
    assert (told[0], told[1]["error"]["code"]) == (status, code)


async def test_what_is_just_within_the_bounds_is_served(line: Line) -> None:
    """Address, headers and their number at their limits; a key or a Host may be longer, and is judged for itself."""
    line.say(GET.replace(b"livez", b"x" * (LONGEST_TARGET - 1)))
    line.say(GET.replace(b"Host", b"a: b\r\n" * (MOST_HEADERS - 1) + b"Host"))
    line.say(GET.replace(b"Host", b"a: %b\r\nHost" % (b"b" * (LONGEST_HEADER - 1))))
    line.say(GET.replace(b"Host", b"x-api-key: %b\r\nHost" % (b"b" * LONGEST_HEADER)))
    assert await said(line) == 4


async def test_a_refusal_is_in_the_dialect_of_its_address(line: Line) -> None:
    """As far as the address has come."""
    line.say(POST.replace(b"Content-Length", b"Content-Length: 1\r\nContent-Length"))
    status, told = refusal(line)
    assert (status, told["type"], told["error"]["type"]) == (400, "error", "invalid_request_error")
    assert told["request_id"] == "the-id"


async def test_what_was_asked_before_is_answered_first(line: Line) -> None:
    """Garbage behind sound requests ends the connection after their answers, the last of which says so."""
    line.say(GET + GET + b"BAD\r\n\r\n" + GET)
    assert not line.pipe.is_closed
    assert await said(line) == 2
    assert line.pipe.said.count(b"HTTP/1.1 200 ") == 2
    assert line.pipe.said.count(b"connection: close") == 1
    assert line.pipe.is_closed


@pytest.mark.parametrize("begin", [b"GET /", GET[:-2] + b"X: ", GET[:-2]], ids=["target", "value", "headers"])
async def test_a_head_has_an_end(line: Line, begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that goes on and on is refused, and let go."""
    monkeypatch.setattr(reception, "LONGEST_HEAD", LONGEST_HEAD)
    line.say(begin)
    for _ in range(LONGEST_HEAD // 1000 + 1):
        assert not line.pipe.is_closed
        line.say(b"x:%b\r\n" % (b"y" * 996) if begin.endswith(b"\n") else b"y" * 1000)
    assert refusal(line)[0] == (414 if begin == b"GET /" else 431)
    assert line.others == []


async def test_a_long_head_is_bounded_though_it_comes_at_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at piece by piece; up to the bound a key may be as long as it likes."""
    monkeypatch.setattr(reception, "LONGEST_HEAD", LONGEST_HEAD)
    line.say(GET[:-2] + b"X-Api-Key: " + b"y" * (LONGEST_HEAD - 100) + b"\r\n\r\n")
    assert await said(line) == 1
    line.say(GET[:-2] + b"X-Api-Key: " + b"y" * (LONGEST_HEAD + PIECE) + b"\r\n\r\n" + GET)
    assert refusal(line)[0] == 431


class Reading:
    """An application that reads a body."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.answers_at_once = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Begins its answer at once where it need not wait."""
        if self.answers_at_once:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            message = await receive()
            self.heard.append(message["type"])
            if message["type"] == "http.disconnect" or not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@protocols
def test_a_head_sent_ahead_of_a_slow_answer_may_wait_for_it(protocol: type[Connection]) -> None:
    """Its client is busy listening; the time begins anew with the end of the answer."""

    async def scenario(line: Line) -> None:
        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(HEAD_S * 3)
            await line(scope, receive, send)

        line.lane.app = slow
        line.say(GET + GET[:20])
        await asyncio.sleep(HEAD_S * 3)
        await line.hear(b"other")
        assert not line.pipe.is_closed
        await asyncio.sleep(HEAD_S + TURN_S)
        assert refusal(line)[0] == 408

    virtually(scenario, protocol)


async def test_a_body_that_goes_wrong_is_answered_for_its_request(line: Line) -> None:
    """Whoever reads it hears that its client has gone, and says nothing more."""
    line.lane.app = reading = Reading()
    line.say(CHUNKED + b"2\r\n{}\r\n")
    await said(line)
    line.say(b"zz\r\n")
    status, told = refusal(line)
    assert (status, told["type"]) == (400, "error")
    before = line.pipe.said
    await said(line)
    assert reading.heard == ["http.request", "http.disconnect"]
    assert line.pipe.said == before


async def test_a_body_that_goes_wrong_behind_an_answer_ends_it(line: Line) -> None:
    """Nothing can be said in the midst of another's words; nor to a request that waits for its turn."""
    line.lane.app = reading = Reading()
    reading.answers_at_once = True
    line.say(CHUNKED + b"2\r\n{}\r\n")
    await said(line)
    line.say(b"zz\r\n")
    assert line.pipe.is_closed
    assert b"400" not in line.pipe.said
    await said(line)


async def test_a_body_that_goes_wrong_out_of_turn_ends_the_connection(line: Line) -> None:
    """The request before it has not been answered, and never will be."""
    line.lane.app = Reading()
    line.say(POST.replace(b"100000", b"1") + b" " + CHUNKED + b"zz\r\n")
    assert line.pipe.is_closed
    assert line.pipe.said == b""
    await said(line)


async def test_only_a_get_becomes_a_websocket(line: Line) -> None:
    """A body would be taken for the first words of the other protocol."""
    line.lane.ws_protocol_class = type(line.lane)
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\nHost"
    line.say(POST.replace(b"Host", upgrade).replace(b"100000", b"2") + b"{}")
    assert await said(line) == 1


@protocols
def test_a_websocket_is_not_waited_for_as_a_request(protocol: type[Connection]) -> None:
    """Nothing is said between its frames, however long it is open."""

    class Socket(asyncio.Protocol):
        """Takes the connection over."""

        def __init__(self, **_: object) -> None:
            """Of the server's own making."""

    async def scenario(line: Line) -> None:
        line.lane.ws_protocol_class = Socket
        line.pipe.set_protocol = lambda _: None  # type: ignore[assignment]
        upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
        shake = upgrade + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n\r\n"
        line.say(GET.removesuffix(b"\r\n") + shake)
        await asyncio.sleep(4 * BODY_S)
        assert (line.pipe.said, line.pipe.is_closed) == (b"", False)

    virtually(scenario, protocol)


@protocols
@pytest.mark.parametrize("drip", [b"x", b"\r\n"])
def test_a_head_must_come_within_ten_seconds(protocol: type[Connection], drip: bytes) -> None:
    """Counted from its first byte, however the rest trickles in; empty lines are no way round it."""

    async def scenario(line: Line) -> None:
        line.say(GET)
        await line.hear(b"other")
        line.say(drip if drip == b"\r\n" else GET[:30])
        for _ in range(9):
            await asyncio.sleep(1)
            line.say(drip)
        assert not line.pipe.is_closed
        await asyncio.sleep(HEAD_S - 9 + TURN_S)
        status, told = refusal(line)
        assert (status, told["error"]["code"]) == (408, "request_timeout")

    virtually(scenario, protocol)


@protocols
def test_a_head_that_ends_in_time_is_served(protocol: type[Connection]) -> None:
    """And the next has all its time again, also where it begins with the last bytes of the one before."""

    async def scenario(line: Line) -> None:
        for _ in range(3):
            line.say(GET[:30])
            await asyncio.sleep(HEAD_S - 1)
            line.say(GET[30:] + GET[:30])
            await line.hear(b"other")
            await asyncio.sleep(HEAD_S - 1)
            line.say(GET[30:])
            await line.hear(b"other")
        await asyncio.sleep(KEEP_ALIVE_S - 1)
        assert not line.pipe.is_closed

    virtually(scenario, protocol)


@protocols
def test_a_client_that_never_speaks_is_let_go(protocol: type[Connection]) -> None:
    """Without a word, and sooner than an idle one."""

    async def scenario(line: Line) -> None:
        await asyncio.sleep(FIRST_S - 1)
        assert not line.pipe.is_closed
        await asyncio.sleep(1 + TURN_S)
        assert line.pipe.is_closed
        assert line.pipe.said == b""

    virtually(scenario, protocol)


@protocols
@pytest.mark.parametrize("head", [POST, PLAIN[: -len(json.dumps(chat()))]], ids=["usual", "lane"])
def test_a_body_that_stalls_is_refused_within_30_s(protocol: type[Connection], head: bytes) -> None:
    """Also where a byte comes every second."""

    async def scenario(line: Line) -> None:
        line.lane.app = Reading()
        line.say(head)
        for _ in range(int(BODY_S) - 1):
            await asyncio.sleep(1)
            line.say(b" ")
        assert not line.pipe.is_closed
        await asyncio.sleep(30 - BODY_S + 1)
        assert refusal(line)[0] == 408
        line.leave()
        await said(line)

    virtually(scenario, protocol)


@protocols
def test_a_body_that_is_slow_but_steady_is_read(protocol: type[Connection]) -> None:
    """At the slowest rate for minutes; a pause after it may be as long as at the beginning."""

    async def scenario(line: Line) -> None:
        line.lane.app = Reading()
        line.say(POST)
        for _ in range(90):
            line.say(b" " * SLOWEST_BODY)
            await asyncio.sleep(1)
        await asyncio.sleep(BODY_S - 2)
        assert not line.pipe.is_closed
        await asyncio.sleep(2 + TURN_S)
        assert refusal(line)[0] == 408
        line.leave()
        await said(line)

    virtually(scenario, protocol)


@protocols
def test_nobody_is_late_while_we_do_not_read(protocol: type[Connection]) -> None:
    """A body that nobody wants yet has all its time."""

    async def scenario(line: Line) -> None:
        line.lane.app = reading = Reading()
        line.say(POST.replace(b"100000", b"1"))
        await said(line)
        line.lane.flow.pause_reading()
        await asyncio.sleep(BODY_S * 3)
        assert not line.pipe.is_closed
        line.leave()
        await said(line)
        assert reading.heard == ["http.disconnect"]

    virtually(scenario, protocol)


@protocols
def test_a_client_that_reads_nothing_for_a_minute_is_let_go(protocol: type[Connection]) -> None:
    """One that takes a byte now and then is only slow."""

    async def scenario(line: Line) -> None:
        line.say(GET)
        await line.hear(b"other")
        line.pipe.unread = 100_000
        line.lane.pause_writing()
        for _ in range(3):
            await asyncio.sleep(STALL_S - 5)
            line.pipe.unread -= 1
        assert not line.pipe.is_closed
        line.lane.resume_writing()
        await asyncio.sleep(0)
        line.lane.pause_writing()
        await asyncio.sleep(STALL_S - 5)
        assert not line.pipe.is_closed
        await asyncio.sleep(5 + 3 * TURN_S)
        assert line.pipe.is_closed

    virtually(scenario, protocol, keep_alive_s=1000)


async def test_whoever_is_in_time_is_not_looked_after() -> None:
    """The timer of the server rests while all its clients are quick."""
    line = Line(Rig([]))
    patience = line.lane._patience
    assert patience._awaited == {line.lane}
    line.say(GET)
    assert patience._awaited == set()
    await line.hear(b"other")
    line.say(GET[:5])
    assert patience._awaited == {line.lane}
    line.leave()
    assert patience._awaited == set()

"""The fast lane: plain requests go through it, all others by the usual way, and nobody can tell them apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from farthing.domain.errors import Unavailable
from farthing.gateway.pipeline import Pipeline
from farthing.http.connection import MOST_UNREAD
from farthing.http.desk import Desk
from farthing.http.hot import DataPlane
from farthing.http.patience import BODY_S
from farthing.providers.fake import Behaviour, answer, break_off, hang
from tests.faultserver.virtual import VirtualLoop
from tests.servers.asgi import Client
from tests.unit.gateway.rig import DEADLINES, KEY, Rig, chat, completion, events
from tests.unit.http.lanes import KEEP_ALIVE_S, LIMIT, Line, request

SSE = {"content-type": "text/event-stream"}
QUESTION = json.dumps(chat()).encode()
STREAM = json.dumps(chat(stream=True)).encode()
DONE = b"0\r\n\r\n"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Answers whatever it is asked, whole."""
    rig = Rig(lambda _: answer(completion()))
    yield rig
    await rig.supervisor.stop()


def virtually(scenario: Coroutine[Any, Any, None]) -> None:
    """Runs it on a clock that jumps from timer to timer."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario)


async def test_an_answer_is_what_the_usual_way_would_have_said(rig: Rig) -> None:
    """Status, headers in their order, and body; only the server's own headers come before."""
    line = Line(rig)
    line.say(request(QUESTION))
    said = await line.hear(completion())
    assert line.desk is not None
    usual = await Client(DataPlane(line.desk), key=KEY).post("/v1/chat/completions", QUESTION)
    lines = [f"{name}: {value}" for name, value in usual.headers.items()]
    assert said.decode().split("\r\n") == ["HTTP/1.1 200 OK", *lines, "", completion().decode()]
    assert (line.others, line.state.total_requests) == ([], 1)


async def test_a_refusal_is_what_the_usual_way_would_have_said(rig: Rig) -> None:
    """The envelope, and the connection stays open for the next try."""
    line = Line(rig)
    line.say(request(QUESTION).replace(KEY.encode(), b"sk-wrong"))
    said = await line.hear(b"}}")
    assert line.desk is not None
    usual = await Client(DataPlane(line.desk), key="sk-wrong").post("/v1/chat/completions", QUESTION)
    assert usual.status == 401
    assert said.endswith(usual.body)
    assert said.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    line.say(request(QUESTION))
    assert (await line.hear(completion())).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_upstreams_failure_reaches_the_caller(rig: Rig) -> None:
    """An error after waiting is told as well."""
    rig.journal.refusal = Unavailable("full", code="accounting_unavailable")
    line = Line(rig)
    line.say(request(QUESTION))
    assert (await line.hear(b"}}")).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert not line.pipe.is_closed


async def test_a_surprise_is_a_clean_500(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the exception's text, and the connection lives."""

    def begin(*_: object) -> None:
        raise KeyError("secret")

    line = Line(rig)
    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "begin", begin)
        line.say(request(QUESTION))
    said = await line.hear(b"}}")
    assert said.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in said


async def test_a_body_may_come_in_any_pieces(rig: Rig) -> None:
    """Byte by byte, and with the next request's first bytes behind its last."""
    line = Line(rig)
    whole = request(QUESTION)
    head = len(whole) - len(QUESTION)
    line.say(whole[:head])
    for place in range(head, len(whole) - 1):
        line.say(whole[place : place + 1])
    line.say(whole[-1:] + whole)
    for _ in range(2):
        assert (await line.hear(completion())).startswith(b"HTTP/1.1 200 OK\r\n")
    assert line.others == []


async def test_a_head_in_pieces_takes_the_usual_way(rig: Rig) -> None:
    """The server puts it together; the next request is in the lane again."""
    line = Line(rig)
    whole = request(QUESTION)
    line.say(whole[:30])
    line.say(whole[30:])
    await line.hear(b"other")
    line.say(whole)
    await line.hear(completion())
    assert line.others == ["/v1/chat/completions"]


async def test_requests_that_follow_at_once_are_answered_in_their_order(rig: Rig) -> None:
    """Each waits for the answer to the last, and what came behind a strange one goes its way with it."""
    line = Line(rig)
    line.say(PLAIN + PLAIN)
    line.say(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + PLAIN)
    for said in (completion(), completion(), b"other", b"other"):
        await line.hear(said)
    assert line.others == ["/livez", "/v1/chat/completions"]
    line.say(PLAIN)
    await line.hear(completion())


async def test_little_is_taken_in_beyond_the_request_under_way(rig: Rig) -> None:
    """Reading goes on, for else nobody would hear the client leave, until so much waits that the client has to."""
    line = Line(rig)
    number = MOST_UNREAD // len(PLAIN) + 2
    line.say(PLAIN + b"\r\n")
    assert not line.pipe.is_paused
    line.say(PLAIN * number)
    assert line.pipe.is_paused
    for _ in range(1 + number):
        await line.hear(completion())
    assert not line.pipe.is_paused
    assert len(rig.journal.settled) == 1 + number


async def test_who_reads_no_answers_is_given_no_more(rig: Rig) -> None:
    """Nor is more taken in, or a client that only asks would fill the memory; it goes on when the client reads."""
    line = Line(rig)
    wish = request(QUESTION, b"x-farthing-cache: on")
    line.say(wish)
    await line.hear(completion())
    line.lane.pause_writing()
    number = MOST_UNREAD // len(wish) + 1
    line.say(wish * number)
    assert line.pipe.said == b""
    assert line.pipe.is_paused
    line.lane.resume_writing()
    assert line.pipe.said.count(b"x-farthing-cache: hit\r\n") == number
    assert not line.pipe.is_paused


PLAIN = request(QUESTION)


@pytest.mark.parametrize(
    "strange",
    [
        PLAIN.replace(b"POST", b"PUT"),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        PLAIN.replace(b"/v1/chat", b"/v2/chat"),
        PLAIN.replace(b"/v1/chat", b"/v1/ch%61t"),
        PLAIN.replace(b"Host", b"Connection: close\r\nHost"),
        PLAIN.replace(b"Host", b"Connection: keep-alive\r\nConnection: close\r\nHost"),
        PLAIN.replace(b"Host", b"Proxy-Connection: close\r\nHost"),
        PLAIN.replace(b"Host", b"Expect: 100-continue\r\nHost"),
        PLAIN.replace(b"Host", b"Content-Length: 5\r\nHost"),
        PLAIN.replace(b"Host", b"content-length : 5\r\nHost"),
        PLAIN.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        PLAIN.replace(b"Host", b"Upgrade: websocket\r\nConnection: upgrade\r\nHost"),
        PLAIN.replace(b"Host: localhost\r\n", b""),
        PLAIN.replace(b"application/json", b"text/plain"),
        PLAIN.replace(b"Host", b"X-Api-Key: sk-another\r\nHost"),
        PLAIN.replace(b"Host", b"x-farthing-cache: maybe\r\nHost"),
        PLAIN.replace(b"Host", b"bad header\r\nHost"),
        PLAIN.replace(b"Host", b"Content-Encoding: gzip\r\nHost"),
        PLAIN.replace(b"Host", b"a: b\r\n" * 100 + b"Host"),
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b"POST", b"\xffOST"),
        request(b" " * (LIMIT + 1)),
    ],
    ids=repr,
)
async def test_what_is_not_plain_takes_the_usual_way(rig: Rig, strange: bytes) -> None:
    """The server, or the application behind it, knows what to say to these; the lane never sees them."""
    line = Line(rig)
    line.say(strange)
    await asyncio.sleep(0)
    assert rig.calls == 0
    assert rig.transport.requests == []
    assert line.state.total_requests == len(line.others)


async def test_an_open_gateway_leaves_foreign_hosts_to_the_usual_way(rig: Rig) -> None:
    """The lane takes only those who ask by a name of this machine."""
    rig.open_to_all()
    line = Line(rig)
    line.say(PLAIN.replace(b"localhost", b"evil.example"))
    await line.hear(b"other")
    line.say(PLAIN)
    await line.hear(completion())


async def test_without_a_desk_everything_takes_the_usual_way(rig: Rig) -> None:
    """Before the application has started."""
    line = Line(rig, has_desk=False)
    line.say(PLAIN)
    await line.hear(b"other")


@pytest.mark.parametrize("length", [b"%d_0", b"+%d", b" %d ", b"%d, 1", b"0000000000000%d", b"", b"-%d"])
async def test_a_length_is_looked_at_each_time(rig: Rig, length: bytes) -> None:
    """However well the head around it is known: one that is no plain number is left to the server."""
    line = Line(rig)
    line.say(PLAIN)
    await line.hear(completion())
    number = b"%d" % len(QUESTION)
    line.say(PLAIN.replace(b"Length: " + number, b"Length: " + length.replace(b"%d", number)))
    await asyncio.sleep(0)
    assert rig.calls == 0
    assert len(rig.transport.requests) == 1


async def test_heads_may_take_turns(rig: Rig) -> None:
    """On one connection each is heard as what it says."""
    line = Line(rig)
    for cache in (b"off", b"on", b"off", b"on"):
        line.say(request(QUESTION, b"x-farthing-cache: " + cache))
        await line.hear(completion())
    assert [exchange.cache for exchange in rig.journal.settled] == ["off", "miss", "off", "hit"]


async def test_a_stream_arrives_in_chunks() -> None:
    """Each as soon as it is there, and the connection serves the next request."""
    rig = Rig(lambda _: answer(*events(), headers=SSE))
    line = Line(rig)
    for _ in range(2):
        line.say(request(STREAM))
        said = await line.hear(DONE)
        assert b"transfer-encoding: chunked\r\n" in said
        assert b"data: [DONE]\n\n\r\n0\r\n\r\n" in said
    assert [exchange.status for exchange in rig.journal.settled] == ["ok", "ok"]


async def test_a_stream_waits_for_a_slow_reader() -> None:
    """While the client does not read, nothing more is written."""
    rig = Rig(lambda _: answer(*events(), headers=SSE))
    line = Line(rig)
    line.say(request(STREAM))
    line.lane.pause_writing()
    for _ in range(50):
        await asyncio.sleep(0)
    assert b"[DONE]" not in line.pipe.said
    line.lane.resume_writing()
    await line.hear(DONE)


async def test_a_stream_that_breaks_has_no_end() -> None:
    """The error is told, and the vendor's end mark is not."""
    rig = Rig(lambda _: break_off(*events()[:3]))
    line = Line(rig)
    line.say(request(STREAM))
    said = await line.hear(DONE)
    assert b'"error"' in said
    assert b"[DONE]" not in said
    assert [exchange.status for exchange in rig.journal.settled] == ["error"]


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("streams", [False, True])
async def test_a_client_that_leaves_leaves_one_record(turns: int, streams: bool) -> None:
    """Whenever it hangs up, also before its task took the first step: the upstream is closed, the hold settled."""
    rig = Rig(lambda _: Behaviour(chunks=tuple((1.0, event) for event in (events() if streams else [completion()]))))
    line = Line(rig)
    line.say(request(STREAM if streams else QUESTION))
    for _ in range(turns):
        await asyncio.sleep(0)
    line.leave()
    await rig.supervisor.stop()
    assert len(rig.journal.settled) == 1
    assert rig.transport.opened == rig.transport.closed
    assert (rig.ledger.open_holds, len(rig.recorder.drafts)) == (0, 0)


async def test_a_client_that_leaves_others_waiting_is_served_for_them() -> None:
    """Its purchase goes on; nothing is said to whoever has gone."""
    rig = Rig(lambda _: Behaviour(chunks=((1.0, completion()),)))
    first, second = Line(rig), Line(rig)
    for line in (first, second):
        line.say(request(QUESTION, b"x-farthing-cache: on"))
        await asyncio.sleep(0)
    first.leave()
    await second.hear(completion())
    await rig.supervisor.stop()
    assert first.pipe.said == b""
    assert len(rig.transport.requests) == 1
    assert sorted(exchange.status for exchange in rig.journal.settled) == ["cached", "cancelled"]


async def test_a_client_may_leave_before_its_body_is_whole(rig: Rig) -> None:
    """Nothing was asked, nothing is recorded."""
    line = Line(rig)
    line.say(PLAIN[:-1])
    line.leave()
    await asyncio.sleep(0)
    assert rig.journal.settled == []


def test_a_body_that_stalls_is_refused() -> None:
    """After half a minute, and the connection is closed: nobody knows where the next request begins."""

    async def scenario() -> None:
        line = Line(Rig([]))
        line.say(PLAIN[:-1])
        await asyncio.sleep(BODY_S + 1)
        assert line.pipe.said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"connection: close\r\n" in line.pipe.said
        assert line.pipe.is_closed

    virtually(scenario())


def test_an_idle_connection_is_closed_after_a_while() -> None:
    """Counted from the last answer, whichever way it went; never while one is being waited for."""

    async def scenario() -> None:
        rig = Rig(lambda _: hang())
        rig.transport._sleep = asyncio.sleep
        line = Line(rig)
        line.say(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await line.hear(b"other")
        await asyncio.sleep(KEEP_ALIVE_S - 1)
        line.say(PLAIN)
        await asyncio.sleep(KEEP_ALIVE_S * 2)
        assert not line.pipe.is_closed
        await asyncio.sleep(DEADLINES.first_token - KEEP_ALIVE_S * 2)
        await line.hear(b"}}")
        await asyncio.sleep(KEEP_ALIVE_S - 1)
        assert not line.pipe.is_closed
        await asyncio.sleep(2)
        assert line.pipe.is_closed
        await rig.supervisor.stop()

    virtually(scenario())


async def test_a_server_that_stops_answers_what_is_under_way(rig: Rig) -> None:
    """The answer says that it is the last; a connection that waits for nothing is closed at once."""
    busy, idle = Line(rig), Line(rig)
    busy.say(PLAIN)
    for line in (busy, idle):
        line.lane.shutdown()
    assert (busy.pipe.is_closed, idle.pipe.is_closed) == (False, True)
    assert b"connection: close\r\n" in await busy.hear(completion())
    assert busy.pipe.is_closed


async def test_an_answer_that_is_cancelled_closes_its_connection(rig: Rig) -> None:
    """As the server does with what has not ended within its grace: recorded, and nobody waits in vain."""
    rig.transport._decide = lambda _: hang()
    line = Line(rig)
    line.say(PLAIN)
    for task in line.state.tasks:
        task.cancel()
    await rig.supervisor.stop()
    assert line.pipe.is_closed
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled"]


async def test_a_kept_answer_is_said_at_once(rig: Rig) -> None:
    """Within the very call that brought the request's last byte."""
    line = Line(rig)
    wish = request(QUESTION, b"x-farthing-cache: on")
    line.say(wish)
    await line.hear(completion())
    line.say(wish)
    assert b"x-farthing-cache: hit\r\n" in line.pipe.said
    assert line.pipe.said.endswith(completion())


async def test_a_kept_stream_is_said_through_the_lane() -> None:
    """As chunks, like a bought one."""
    rig = Rig([answer(*events(), headers=SSE)])
    line = Line(rig)
    for cache in (b"miss", b"hit"):
        line.say(request(STREAM, b"x-farthing-cache: on"))
        assert b"x-farthing-cache: %b\r\n" % cache in await line.hear(DONE)
    assert isinstance(line.desk, Desk)

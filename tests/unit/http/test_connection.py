"""Requests sent ahead of the answers to those before, with the fast lane and without."""

from __future__ import annotations

import asyncio

import pytest

from farthing.http.connection import MOST_UNREAD, PIECE, Connection
from farthing.http.lane import Lane
from tests.unit.gateway.rig import Rig
from tests.unit.http.lanes import Line

GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
AHEAD = PIECE // len(GET)
"""As many as the server gets at a time."""
POST = b"POST /feedback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"


@pytest.fixture(params=[Lane, Connection])
async def line(request: pytest.FixtureRequest) -> Line:
    """A connection whose requests all take the server's own way."""
    return Line(Rig([]), protocol=request.param)


async def heard(line: Line) -> int:
    """How many answers there are after everybody had several turns."""
    for _ in range(20 * AHEAD):
        await asyncio.sleep(0)
    return line.pipe.said.count(b"other")


async def test_few_of_the_requests_sent_ahead_are_looked_at(line: Line) -> None:
    """Each of them takes a hundred times its bytes; the others are answered after them."""
    number = 4 * AHEAD
    line.say(GET * number)
    assert len(line.lane.pipeline) <= AHEAD
    assert await heard(line) == number


async def test_what_is_too_much_is_not_read(line: Line) -> None:
    """The client has to wait with it, until what it sent before is answered."""
    number = MOST_UNREAD // len(GET) + 1
    line.say(GET)
    line.say(GET * number)
    assert line.pipe.is_paused
    assert await heard(line) == 1 + number
    assert not line.pipe.is_paused


async def test_nothing_is_read_on_for_whoever_asks_for_its_body(line: Line) -> None:
    """An application that waits for its client's next word lets nothing in that has to wait."""
    line.say(GET)
    line.say(GET * (MOST_UNREAD // len(GET) + 1))
    line.lane.flow.resume_reading()
    assert line.pipe.is_paused


async def test_who_reads_no_answers_is_given_no_more(line: Line) -> None:
    """What was sent ahead waits until the client reads."""
    line.lane.pause_writing()
    line.say(GET * 3)
    assert await heard(line) == 0
    assert line.others == []
    line.lane.resume_writing()
    assert await heard(line) == 3


async def test_a_body_is_read_though_its_client_reads_no_answers(line: Line) -> None:
    """Whoever answers it may need it first; so may the one whose turn comes later."""
    line.say(GET + POST + b"bo")
    line.lane.pause_writing()
    line.say(b"dy" + GET)
    line.lane.resume_writing()
    assert await heard(line) == 3
    assert line.others == ["/livez", "/feedback", "/livez"]


async def test_a_large_body_comes_in_pieces(line: Line) -> None:
    """All of it goes by, and the next request is found behind it."""
    body = b" " * (3 * PIECE + 1)
    line.say(POST.replace(b"4", b"%d" % len(body)) + body + GET)
    assert await heard(line) == 2
    assert line.lane.unread == b""


async def test_nothing_waits_on_a_connection_that_is_gone(line: Line) -> None:
    """What was sent ahead is forgotten with its client, and so is the moment at which it was to be closed."""
    line.say(GET)
    assert await heard(line) == 1
    line.lane.pause_writing()
    line.say(GET)
    timer = line.lane.timeout_keep_alive_task
    line.pipe.close()
    line.lane.connection_lost(ConnectionResetError())
    assert line.lane.unread == b""
    assert timer is not None
    assert timer.cancelled()


async def test_what_follows_a_body_is_no_header(line: Line) -> None:
    """Whoever stands before us checks the headers, not the trailers: a key there would be anybody's."""
    chunked = POST.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked")
    line.say(chunked + b"0\r\nX-Api-Key: sk-smuggled\r\n\r\n")
    assert [name for name, _ in line.lane.headers] == [b"host", b"transfer-encoding"]
    line.say(GET)
    assert await heard(line) == 2

"""An answer that is read while it arrives, whoever reads it."""

from __future__ import annotations

import asyncio

import pytest

from farthing.domain.errors import UpstreamInterrupted
from farthing.providers.response import AT_ONCE, Headers, Response


class Source:
    """Counts how often it was given up."""

    def __init__(self) -> None:
        self.abandoned = 0

    def resume(self) -> None:
        """Nothing was kept waiting."""

    def abandon(self) -> None:
        """Counts."""
        self.abandoned += 1


def test_headers_are_read_as_any_mapping_is() -> None:
    """Whatever bytes a vendor sends; a name that is none of them is none."""
    headers = Headers({b"x-name": "Zoë".encode("latin-1"), b"x-other": b""})
    assert {**headers} == headers == {"x-name": "Zoë", "x-other": ""}
    assert (len(headers), headers.get("x-third"), "x-third" in headers) == (2, None, False)


async def test_a_cancelled_reader_of_a_stream_has_taken_nothing() -> None:
    """A shared stream's reader may leave in the middle of the body, even as bytes arrive: the next one gets them."""
    source = Source()
    response = Response(source, asyncio.get_running_loop())
    reader = asyncio.ensure_future(response.chunk())
    await asyncio.sleep(0)
    response.deliver(b"a")
    response.wake()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    response.deliver(b"b")
    response.finish()
    assert [await response.chunk(), await response.chunk()] == [b"ab", b""]
    assert source.abandoned == 0


async def test_a_cancelled_reader_of_a_whole_body_gives_it_up() -> None:
    """What it had read is lost: nobody else could go on."""
    source = Source()
    response = Response(source, asyncio.get_running_loop())
    reader = asyncio.ensure_future(response.read(100))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.abandoned == 1


class Reader:
    """Keeps the bytes it is given, and wants no more than so many pieces."""

    def __init__(self, most: int = 100) -> None:
        self.taken: list[bytes] = []
        self._most = most

    def take(self, data: bytes) -> bool:
        """Keeps them."""
        self.taken.append(data)
        return len(self.taken) < self._most


async def test_bytes_are_passed_on_where_they_arrive() -> None:
    """Without a turn of the loop, in one piece for each read; the clean end comes as no bytes."""
    response, reader = Response(Source(), asyncio.get_running_loop()), Reader()
    response.deliver(b"before")
    passing = asyncio.ensure_future(response.pass_to(reader.take))
    await asyncio.sleep(0)
    response.hand_on(b"ab")
    response.hand_on(b"c")
    assert (reader.taken, response.buffered) == ([b"before", b"ab", b"c"], 0)
    response.deliver(b"d")
    response.finish()
    await passing
    assert reader.taken == [b"before", b"ab", b"c", b"d", b""]


async def test_who_wants_no_more_gets_no_more() -> None:
    """What comes later waits for whoever reads on, and so does the failure after it."""
    response, first, second = Response(Source(), asyncio.get_running_loop()), Reader(most=1), Reader()
    passing = asyncio.ensure_future(response.pass_to(first.take))
    await asyncio.sleep(0)
    for data in (b"a", b"b"):
        response.hand_on(data)
    await passing
    response.fail(UpstreamInterrupted("It broke off."))
    with pytest.raises(UpstreamInterrupted):
        await response.pass_to(second.take)
    assert (first.taken, second.taken) == ([b"a"], [b"b"])


async def test_a_flood_waits_for_its_turn() -> None:
    """The loop sees to others between its reads, and the mark of back-pressure is reached."""
    response, reader = Response(Source(), asyncio.get_running_loop()), Reader()
    passing = asyncio.ensure_future(response.pass_to(reader.take))
    await asyncio.sleep(0)
    for size in (AT_ONCE, AT_ONCE + 1, 1):
        response.hand_on(b"x" * size)
    assert ([len(data) for data in reader.taken], response.buffered) == ([AT_ONCE], AT_ONCE + 2)
    await asyncio.sleep(0)
    assert ([len(data) for data in reader.taken], response.buffered) == ([AT_ONCE, AT_ONCE + 2], 0)
    response.finish()
    await passing


async def test_whoever_was_cancelled_is_passed_nothing() -> None:
    """Not even in the moment before it notices: the next reader gets what comes then."""
    response, reader = Response(Source(), asyncio.get_running_loop()), Reader()
    passing = asyncio.ensure_future(response.pass_to(reader.take))
    await asyncio.sleep(0)
    passing.cancel()
    response.hand_on(b"a")
    with pytest.raises(asyncio.CancelledError):
        await passing
    assert (reader.taken, await response.chunk()) == ([], b"a")

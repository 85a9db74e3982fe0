"""An answer that is read while it arrives, whoever reads it."""

from __future__ import annotations

import asyncio

import pytest

from farthing.providers.response import Response


class Source:
    """Counts how often it was given up."""

    def __init__(self) -> None:
        self.abandoned = 0

    def resume(self) -> None:
        """Nothing was kept waiting."""

    def abandon(self) -> None:
        """Counts."""
        self.abandoned += 1


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

"""A long stream costs as much memory as what is under way of it."""

from __future__ import annotations

import tracemalloc

import pytest

from farthing.gateway.reply import Reply
from farthing.providers.fake import answer
from tests.unit.gateway.rig import Rig, chat, events

SSE = {"content-type": "text/event-stream"}
NUMBER, LENGTH = 64, 65_536


@pytest.mark.parametrize("cache", [False, True])
async def test_a_stream_is_remembered_only_where_it_is_kept(cache: bool) -> None:
    """Byte by byte for the cache, and not at all where no cache will have it."""
    first, *rest = events()
    padded = [b'data: {"choices":[],"padding":"%b"}\n\n' % (b"x" * LENGTH) for _ in range(NUMBER)]
    rig = Rig(lambda _: answer(first, *padded, *rest, headers=SSE))
    tracemalloc.start()
    try:
        reply = await rig.pipeline.run(rig.call(chat("long", stream=True), cache=cache))
        assert not isinstance(reply, Reply)
        while await reply.chunk():
            pass
        await reply.aclose()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (most > NUMBER * LENGTH) is cache
    await rig.supervisor.stop()

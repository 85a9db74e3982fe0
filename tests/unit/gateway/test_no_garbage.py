"""What a request made is gone when it ends: whatever waits for the garbage collector holds up others."""

from __future__ import annotations

import asyncio
import gc

import pytest

from farthing.gateway.delivery import Reply
from farthing.providers.fake import Behaviour, answer
from tests.unit.gateway.rig import Rig, chat, completion, drained, events

SSE = {"content-type": "text/event-stream"}
WARM_UP = 20
"""Rounds after which whoever counts covered lines has taken its counters out of the code: that leaves garbage, too."""


async def ask(rig: Rig, text: str, *, streams: bool) -> None:
    """One client's whole life."""
    reply = await rig.pipeline.run(rig.call(chat(text, stream=streams), cache=True))
    if not isinstance(reply, Reply):
        await drained(reply)


@pytest.mark.parametrize("behaviour", ["whole", "stream", "slow"])
async def test_an_answer_leaves_no_garbage(behaviour: str) -> None:
    """Bought, shared or kept, whole or streamed."""
    kinds = {
        "whole": answer(completion()),
        "stream": answer(*events(), headers=SSE),
        "slow": Behaviour(chunks=((1.0, completion()),)),
    }
    rig = Rig(lambda _: kinds[behaviour])
    streams = behaviour == "stream"

    async def some(text: str) -> None:
        await asyncio.gather(*(ask(rig, text, streams=streams) for _ in range(3)))
        await ask(rig, text, streams=streams)

    for number in range(WARM_UP):
        await some(f"to warm up {number}")
    gc.collect()
    gc.disable()
    try:
        for number in range(10):
            await some(f"question {number}")
        left = [kind for kind in map(type, _garbage()) if kind.__module__.startswith("farthing")]
    finally:
        gc.enable()
    assert left == []
    await rig.supervisor.stop()


def _garbage() -> list[object]:
    """Objects that nothing but each other holds."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return list(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

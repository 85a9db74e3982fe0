"""What a request made is gone when it ends: whatever waits for the garbage collector holds up others."""

from __future__ import annotations

import asyncio
import gc

import pytest

from farthing.gateway.reply import Reply
from farthing.providers.fake import Behaviour, answer
from tests.unit.gateway.rig import Rig, chat, completion, drained, events

SSE = {"content-type": "text/event-stream"}
ROUNDS = 10


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

    await some("to warm up")
    gc.collect()
    gc.disable()
    # What stood before is not looked at again and again.
    gc.freeze()
    try:
        rounds = []
        for number in range(ROUNDS):
            await some(f"question {number}")
            rounds.append([kind for kind in _garbage() if kind.__module__.startswith("farthing")])
    finally:
        gc.unfreeze()
        gc.enable()
    # Whoever counts covered lines takes its counters out of the code now and then, which leaves garbage, too.
    assert min(rounds, key=len) == []
    await rig.supervisor.stop()


def _garbage() -> list[type]:
    """What was held by nothing but itself, and is gone now."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return [type(each) for each in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.collect()

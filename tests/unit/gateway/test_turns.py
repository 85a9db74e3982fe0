"""Workers take turns to buy an answer: whoever takes one either gets the answer or gives the turn up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from farthing.providers.fake import Behaviour, answer, overload
from tests.unit.gateway.rig import Rig, chat, completion, events


async def test_the_turn_ends_with_the_answer() -> None:
    """Other workers find it where answers are kept."""
    rig = Rig([answer(completion())])
    taken: list[set[str]] = []

    async def look() -> None:
        await asyncio.sleep(0)
        taken.append(set(rig.cache.turns))

    rig.cache.look_up = look
    async with rig.supervisor:
        await rig.ask(chat(), cache=True)
    assert [len(turns) for turns in taken] == [1]
    assert rig.cache.turns == set()


@pytest.mark.parametrize(
    ("upstream", "body"),
    [
        (overload(), chat()),
        (answer(completion(finish="length")), chat()),
        (answer(completion()), chat(model="nobody's")),
    ],
)
async def test_without_an_answer_to_keep_the_turn_is_given_up(upstream: Behaviour, body: dict[str, Any]) -> None:
    """The vendor refused, the answer is cut off, or the request is refused before anybody is asked."""
    rig = Rig(lambda _: upstream)
    async with rig.supervisor:
        await asyncio.gather(rig.ask(body, cache=True), return_exceptions=True)
    assert rig.cache.turns == set()


async def test_who_leaves_while_it_looks_gives_its_turn_up() -> None:
    """The client went before anything was bought."""
    rig = Rig([])
    looking = asyncio.Event()

    async def look() -> None:
        looking.set()
        await asyncio.Event().wait()

    rig.cache.look_up = look
    async with rig.supervisor:
        asking = asyncio.ensure_future(rig.ask(chat(), cache=True))
        await looking.wait()
        assert len(rig.cache.turns) == 1
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert rig.cache.turns == set()


async def test_one_of_many_who_leaves_does_not_give_the_turn_up() -> None:
    """The others of its worker are still buying."""
    rig = Rig([Behaviour(chunks=((1.0, completion()),))])
    gate = asyncio.Event()

    async def sleep(_: float) -> None:
        await gate.wait()

    rig.transport._sleep = sleep
    async with rig.supervisor:
        asking = [asyncio.ensure_future(rig.ask(chat(), cache=True)) for _ in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        asking[1].cancel()
        await asyncio.gather(asking[1], return_exceptions=True)
        assert len(rig.cache.turns) == 1
        gate.set()
        await asyncio.gather(asking[0], asking[2])
    assert rig.cache.turns == set()


async def test_a_stream_takes_no_turn() -> None:
    """It would be silent while it waits for another worker's end."""
    rig = Rig([answer(*events(), headers={"content-type": "text/event-stream"})])
    seen: list[set[str]] = []

    async def look() -> None:
        seen.append(set(rig.cache.turns))

    rig.cache.look_up = look
    async with rig.supervisor:
        await rig.ask(chat(stream=True), cache=True)
    assert seen == [set()]

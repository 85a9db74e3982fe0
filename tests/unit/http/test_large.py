"""Large requests begin one in a turn of the loop, by both ways, so that others come in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from farthing.gateway.pipeline import Pipeline
from farthing.http import hot, lane
from farthing.http.hot import DataPlane
from farthing.providers.fake import answer
from tests.servers.asgi import Client
from tests.unit.gateway.rig import KEY, Rig, chat, completion
from tests.unit.http.lanes import Line, request

PATH = "/v1/chat/completions"
QUESTION = json.dumps(chat()).encode()


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Answers whatever it is asked, whole, and takes every request for a large one."""
    monkeypatch.setattr(lane, "LARGE_BYTES", len(QUESTION))
    monkeypatch.setattr(hot, "LARGE_BYTES", len(QUESTION))
    rig = Rig(lambda _: answer(completion()))
    yield rig
    await rig.supervisor.stop()


@pytest.fixture
async def begun(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """The turns of the loop in which requests begin."""
    turns, begin = [0], Pipeline.begin
    moments: list[int] = []

    def noted(self: Pipeline, call: Any) -> Any:
        moments.append(turns[0])
        return begin(self, call)

    async def count() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Pipeline, "begin", noted)
    counting = asyncio.ensure_future(count())
    yield moments
    counting.cancel()


def lines(rig: Rig, number: int) -> list[Line]:
    """So many connections to one desk."""
    made = [Line(rig) for _ in range(number)]
    for line in made:
        line.desk = made[0].desk
    return made


async def test_those_that_are_whole_at_once_begin_one_after_another(rig: Rig, begun: list[int]) -> None:
    """By whichever way they come; all are answered."""
    first, *more = lines(rig, 4)
    assert first.desk is not None
    usual = asyncio.gather(*(Client(DataPlane(first.desk), key=KEY).post(PATH, QUESTION) for _ in range(4)))
    for line in [first, *more]:
        line.say(request(QUESTION))
    for line in [first, *more]:
        await line.hear(completion())
    assert [said.status for said in await usual] == [200] * 4
    assert len(begun) == len(set(begun)) == 8


async def test_a_small_one_does_not_wait_for_large_ones(rig: Rig, begun: list[int]) -> None:
    """It begins in the turn in which it came."""
    large, small = lines(rig, 2)
    large.say(request(QUESTION))
    small.say(request(json.dumps(chat("?")).encode()))
    assert len(begun) == 1
    await large.hear(completion())
    await small.hear(completion())


async def test_who_leaves_before_its_turn_has_asked_nothing(rig: Rig) -> None:
    """And the next one's turn comes all the same."""
    first, second = lines(rig, 2)
    for line in (first, second):
        line.say(request(QUESTION))
    await asyncio.sleep(0)
    first.leave()
    await second.hear(completion())
    assert (first.pipe.said, len(rig.journal.settled)) == (b"", 1)


async def test_a_kept_answer_and_a_refusal_wait_for_their_turn_as_well(rig: Rig) -> None:
    """To read a large request is what takes the loop's time, whatever comes of it."""
    [line] = lines(rig, 1)
    for _ in range(2):
        line.say(request(QUESTION, b"x-farthing-cache: on"))
        assert line.pipe.said == b""
        await line.hear(completion())
    assert [exchange.status for exchange in rig.journal.settled] == ["ok", "cached"]
    line.say(request(QUESTION).replace(KEY.encode(), b"sk-wrong"))
    assert (await line.hear(b"}}")).startswith(b"HTTP/1.1 401 Unauthorized\r\n")

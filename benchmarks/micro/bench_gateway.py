"""The whole pipeline over fakes: what our own code costs a request, without sockets, journal and database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import TEXT, completion, events
from farthing.gateway.call import Call
from farthing.gateway.delivery import StreamReply
from farthing.gateway.reply import Reply
from farthing.providers.fake import answer
from tests.unit.gateway.rig import Rig, chat, drained

REQUESTS = 200
WORDS = 34
STREAM = events(WORDS)


def fresh(rig: Rig, prompt: str, **more: object) -> Callable[[], Sequence[Call]]:
    """Makes calls with the cache on, and forgets what the fakes have noted."""
    numbers = itertools.count()

    def calls() -> Sequence[Call]:
        for noted in (rig.journal.intents, rig.journal.settled, rig.transport.requests):
            noted.clear()
        return [rig.call(chat(prompt.format(next(numbers)), **more), cache=True) for _ in range(REQUESTS)]

    return calls


def bench_pipeline_forward(meter: Meter) -> None:
    """No two requests are the same: each is looked up, held for, journalled, sent, understood, settled and kept."""
    body = completion(1)
    rig = Rig(lambda _: answer(body))
    calls = fresh(rig, f"Question {{}}: {TEXT}")

    async def ask(call: Call) -> Reply:
        reply = await rig.pipeline.run(call)
        assert isinstance(reply, Reply)
        return reply

    assert meter.run(ask(calls()[0])).body == body
    assert [exchange.status for exchange in rig.journal.settled] == ["ok"]
    meter.each_awaited(ask, calls, goal_us=50)
    meter.run(rig.supervisor.stop())
    assert {exchange.cache for exchange in rig.journal.settled} == {"miss"}


def bench_pipeline_hit(meter: Meter) -> None:
    """The same request again and again."""
    body = completion(1)
    rig = Rig([answer(body)])
    calls = fresh(rig, TEXT)

    async def ask(call: Call) -> bytes:
        reply = await rig.pipeline.run(call)
        assert not isinstance(reply, StreamReply)
        return reply.body

    assert meter.run(ask(calls()[0])) == body
    meter.each_awaited(ask, calls, goal_us=17)
    meter.run(rig.supervisor.stop())
    assert {exchange.status for exchange in rig.journal.settled} == {"cached"}


@pytest.mark.parametrize("at_once", [1, 8])
def bench_pipeline_stream_event(meter: Meter, at_once: int) -> None:
    """A stream from its first to its last byte, so many events to a read; divided by its events."""
    chunks = [b"".join(STREAM[place : place + at_once]) for place in range(0, len(STREAM), at_once)]
    rig = Rig(lambda _: answer(*chunks, headers={"content-type": "text/event-stream"}))
    calls = fresh(rig, f"Question {{}}: {TEXT}", stream=True)

    async def ask(call: Call) -> bytes:
        reply = await rig.pipeline.run(call)
        assert isinstance(reply, StreamReply)
        return await drained(reply)

    assert meter.run(ask(calls()[0])) == b"".join([*STREAM[:-2], STREAM[-1]])
    meter.each_awaited(ask, lambda: calls()[:30], parts=len(STREAM), goal_us=15)
    meter.run(rig.supervisor.stop())
    assert {exchange.status for exchange in rig.journal.settled} == {"ok"}

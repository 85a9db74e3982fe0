"""Identical requests at the same moment share one upstream call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.errors import Unavailable, UpstreamOverloaded
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import digest
from farthing.gateway.delivery import StreamReply, Telling
from farthing.gateway.order import Order
from farthing.providers.fake import Behaviour, answer, break_off, hang, overload
from tests.unit.gateway.rig import Rig, chat, completion, drained, events

SSE = {"content-type": "text/event-stream"}


def waiting(gate: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    """A sleep that lasts until the gate opens."""

    async def sleep(_: float) -> None:
        await gate.wait()

    return sleep


def streamed() -> Any:
    """A whole stream, one event a chunk."""
    return answer(*events(), headers=SSE)


@pytest.mark.parametrize("streams", [False, True])
async def test_many_identical_requests_are_one_upstream_call(streams: bool) -> None:
    """The leader pays, every follower gets the same answer and a row of its own at no cost."""
    rig = Rig([streamed() if streams else answer(completion())])
    async with rig.supervisor:
        answers = await asyncio.gather(*(rig.ask(chat(stream=streams), cache=True) for _ in range(50)))
    assert len(rig.transport.requests) == 1
    assert len(set(answers)) == 1
    statuses = [exchange.status for exchange in rig.journal.settled]
    assert (statuses.count("ok"), statuses.count("cached")) == (1, 49)
    assert sum(exchange.cost or 0 for exchange in rig.journal.settled) == 15_000
    assert {e.cache_level for e in rig.journal.settled if e.status == "cached"} == {"flight"}


@pytest.mark.parametrize("streams", [False, True])
async def test_a_leader_who_leaves_does_not_take_the_others_along(streams: bool) -> None:
    """The call goes on; the leader's row has its full cost and says that the client left."""
    whole = ((1.0, completion()),)
    rig = Rig([Behaviour(chunks=tuple((1.0, event) for event in events()) if streams else whole)])
    gate = asyncio.Event()
    rig.transport._sleep = waiting(gate)
    async with rig.supervisor:
        begun = rig.pipeline.begin(rig.call(chat(stream=streams), cache=True))
        assert isinstance(begun, Order)
        leader = asyncio.ensure_future(rig.pipeline.finish(begun))
        followers = [asyncio.ensure_future(rig.ask(chat(stream=streams), cache=True)) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert begun.draft.leave_to_others()
        gate.set()
        bought = await leader
        if isinstance(bought, StreamReply):
            await bought.aclose()
        answers = await asyncio.gather(*followers)
    assert len(set(answers)) == 1
    rows = {exchange.request_id: exchange for exchange in rig.journal.settled}
    assert (rows["request-1"].status, rows["request-1"].cost) == ("cancelled", 15_000)
    assert [rows[f"request-{n}"].status for n in (2, 3, 4)] == ["cached"] * 3


@pytest.mark.parametrize("streams", [False, True])
async def test_a_leader_left_behind_ends_with_the_last_who_waits(streams: bool) -> None:
    """Nobody wants what it is buying any more: the upstream is closed."""
    rig = Rig([hang()])
    rig.transport._sleep = waiting(asyncio.Event())
    async with rig.supervisor:
        begun = rig.pipeline.begin(rig.call(chat(stream=streams), cache=True))
        assert isinstance(begun, Order)
        leader = asyncio.ensure_future(rig.pipeline.finish(begun))
        follower = asyncio.ensure_future(rig.ask(chat(stream=streams), cache=True))
        for _ in range(5):
            await asyncio.sleep(0)
        assert begun.draft.leave_to_others()
        follower.cancel()
        results = await asyncio.gather(leader, follower, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    assert rig.transport.opened == rig.transport.closed == 1
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled", "cancelled"]


async def test_a_leader_that_is_stopped_leaves_the_others_to_buy_for_themselves() -> None:
    """Whatever cancels its task, nobody else's request ends with it."""
    rig = Rig([hang(), answer(completion())])
    rig.transport._sleep = waiting(asyncio.Event())
    async with rig.supervisor:
        leader = asyncio.ensure_future(rig.ask(chat(), cache=True))
        followers = [asyncio.ensure_future(rig.ask(chat(), cache=True)) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        leader.cancel()
        assert all(b"An answer." in said for said in await asyncio.gather(*followers))
    assert [exchange.status for exchange in rig.journal.settled].count("cancelled") == 1


async def test_the_last_to_leave_cancels_the_call() -> None:
    """Nobody waits, nobody is asked: the upstream is closed and the leader's row says so."""
    rig = Rig(lambda _: hang(*events()[:2]))
    rig.transport._sleep = waiting(asyncio.Event())
    async with rig.supervisor:
        replies = [await rig.pipeline.run(rig.call(chat(stream=True), cache=True)) for _ in range(2)]
        for reply in replies:
            assert isinstance(reply, StreamReply)
            assert await reply.chunk()
        for reply in replies:
            assert isinstance(reply, StreamReply)
            await reply.aclose()
    assert rig.transport.opened == rig.transport.closed == 1
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled", "cancelled"]
    assert [bool(exchange.cost) for exchange in rig.journal.settled].count(True) == 1


async def test_a_failed_call_fails_for_all_and_is_forgotten() -> None:
    """One error for everybody under way, a fresh call for whoever comes later."""
    rig = Rig([overload(), overload(), answer(completion())])
    async with rig.supervisor:
        results = await asyncio.gather(*(rig.ask(chat(), cache=True) for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [UpstreamOverloaded] * 5
        assert b"An answer." in await rig.ask(chat(), cache=True)
    assert [exchange.status for exchange in rig.journal.settled] == ["error"] * 5 + ["ok"]


async def test_a_stream_that_breaks_breaks_for_all() -> None:
    """Every client sees the error, none an end mark, and nothing is kept."""
    rig = Rig(lambda _: break_off(*events()[:3]))
    async with rig.supervisor:
        answers = await asyncio.gather(*(rig.ask(chat(stream=True), cache=True) for _ in range(3)))
    assert all(b'"error"' in said and b"[DONE]" not in said for said in answers)
    assert rig.cache.entries == {}
    assert [exchange.status for exchange in rig.journal.settled] == ["error"] * 3


async def test_a_slow_look_up_cannot_miss_both_cache_and_flight() -> None:
    """A look-up that began before the answer was kept joins the flight that has just landed."""
    rig = Rig([answer(completion())])
    gate = asyncio.Event()
    async with rig.supervisor:
        rig.cache.look_up = gate.wait  # type: ignore[assignment]
        slow = asyncio.ensure_future(rig.ask(chat(), cache=True))
        await asyncio.sleep(0)
        rig.cache.look_up = None
        await rig.ask(chat(), cache=True)
        gate.set()
        await slow
    assert len(rig.transport.requests) == 1


async def test_a_flight_is_forgotten_when_its_answer_is_there() -> None:
    """Its pieces do not stay in memory; whoever comes later finds the kept answer."""
    rig = Rig([answer(completion())])
    async with rig.supervisor:
        await rig.ask(chat(), cache=True)
        assert rig.flights._flights == {}
        assert b"An answer." in await rig.ask(chat(), cache=True)


async def test_an_answer_that_was_voted_down_is_not_joined() -> None:
    """Not even in the moment in which its flight can still be joined."""
    rig = Rig(lambda _: answer(completion()))
    async with rig.supervisor:
        await rig.ask(chat(), cache=True)
        key = rig.journal.settled[0].cache_key or ""
        rig.flights.forget(key)
        await rig.cache.forget(key)
        await rig.ask(chat(), cache=True)
    assert len(rig.transport.requests) == 2


async def test_a_follower_may_leave_early() -> None:
    """The others read on, and its row says that it left."""
    rig = Rig([streamed()])
    async with rig.supervisor:
        first, second = [await rig.pipeline.run(rig.call(chat(stream=True), cache=True)) for _ in range(2)]
        assert isinstance(first, StreamReply)
        assert isinstance(second, StreamReply)
        await drained(second, 1)
        assert (await drained(first)).endswith(b"data: [DONE]\n\n")
    rows = {exchange.request_id: exchange for exchange in rig.journal.settled}
    assert (rows["request-1"].status, rows["request-2"].status) == ("ok", "cancelled")
    assert rows["request-2"].cost == 0


async def test_leaving_before_the_first_word_cancels_the_call() -> None:
    """A flight that nobody waits for any more closes its upstream, and its only row says so."""
    rig = Rig([hang()])
    rig.transport._sleep = waiting(asyncio.Event())
    async with rig.supervisor:
        task = asyncio.ensure_future(rig.ask(chat(), cache=True))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert rig.transport.opened == rig.transport.closed == 1
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled"]
    assert rig.flights._flights == {}


async def test_a_flight_whose_stream_was_given_up_is_not_joined() -> None:
    """Whoever asks after the only reader has left gets a call of its own."""
    rig = Rig([hang(*events()[:2]), streamed()])
    rig.transport._sleep = waiting(asyncio.Event())
    async with rig.supervisor:
        reply = await rig.pipeline.run(rig.call(chat(stream=True), cache=True))
        assert isinstance(reply, StreamReply)
        reading = asyncio.ensure_future(drained(reply))
        for _ in range(30):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert (await rig.ask(chat(stream=True), cache=True)).endswith(b"data: [DONE]\n\n")
    assert rig.transport.opened == rig.transport.closed == 2


async def test_a_landed_flight_does_not_take_the_next_one_along() -> None:
    """A stream that is not worth keeping is bought again, whole, while the first one's flight is forgotten."""
    cut = [event.replace(b'"stop"', b'"length"') for event in events()]
    rig = Rig(lambda _: answer(*cut, headers=SSE))
    async with rig.supervisor:
        for _ in range(3):
            assert (await rig.ask(chat(stream=True), cache=True)).endswith(b"data: [DONE]\n\n")
    assert len(rig.transport.requests) == 3
    assert [exchange.status for exchange in rig.journal.settled] == ["ok"] * 3


async def test_a_stream_bought_again_at_once_stays_whole() -> None:
    """The first flight's end is not taken for the second's: every byte arrives, and every row is there."""
    rig = Rig(lambda _: streamed())
    async with rig.supervisor:
        for _ in range(3):
            assert (await rig.ask(chat(stream=True), cache=True)).endswith(b"data: [DONE]\n\n")
            key = rig.journal.settled[0].cache_key or ""
            rig.flights.forget(key)
            await rig.cache.forget(key)
    assert [exchange.status for exchange in rig.journal.settled] == ["ok"] * 3
    assert rig.flights._flights == {}


async def test_a_leaders_own_refusal_is_not_the_followers() -> None:
    """Another key of the tenant is not told of the leader's budget: it buys for itself."""
    rig = Rig([answer(completion())])
    other = Key(caller=Caller(tenant="acme", key_id="k2"), name="other", hint="…")
    snapshot = rig.snapshots.current
    rig.snapshots.swap(replace(snapshot, keys={**snapshot.keys, digest("sk-other"): other}))
    rig.journal.refusal = Unavailable("full", code="accounting_unavailable")
    async with rig.supervisor:
        asked = (rig.ask(chat(), cache=True), rig.ask(chat(), cache=True, key="sk-other"))
        results = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(results[0], Unavailable)
    assert isinstance(results[1], bytes)


@pytest.mark.parametrize("reason", [b'"stop"', b'"length"'])
async def test_an_answer_may_be_voted_down_while_it_is_being_read(reason: bytes) -> None:
    """Its readers hear it to its end, and nobody else joins."""
    said = [event.replace(b'"stop"', reason) for event in events()]
    rig = Rig(lambda _: answer(*said, headers=SSE))
    async with rig.supervisor:
        reply = await rig.pipeline.run(rig.call(chat(stream=True), cache=True))
        assert isinstance(reply, StreamReply)
        rig.flights.forget(reply.draft.cache_key or "")
        assert (await drained(reply)).endswith(b"data: [DONE]\n\n")
        assert rig.flights._flights == {}


async def passengers(rig: Rig, count: int) -> list[StreamReply]:
    """So many callers of one stream that has begun."""
    replies = [await rig.pipeline.run(rig.call(chat(stream=True), cache=True)) for _ in range(count)]
    return [reply for reply in replies if isinstance(reply, StreamReply)]


@given(
    leavers=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=3),
    pace=st.lists(st.integers(0, 3), min_size=8, max_size=8),
)
def test_whoever_reads_may_leave_at_any_moment(leavers: list[tuple[int, int]], pace: list[int]) -> None:
    """Those who stay hear every byte, once and in order, whoever was just reading for all."""

    async def scenario() -> None:
        said = events()
        rig = Rig([Behaviour(chunks=tuple((float(ticks), event) for ticks, event in zip(pace, said, strict=True)))])

        async def sleep(ticks: float) -> None:
            for _ in range(int(ticks)):
                await asyncio.sleep(0)

        rig.transport._sleep = sleep
        async with rig.supervisor:
            replies = await passengers(rig, 4)
            readers = [asyncio.ensure_future(drained(reply)) for reply in replies]
            for tick in range(13):
                await asyncio.sleep(0)
                for number, moment in leavers:
                    if moment == tick:
                        readers[number].cancel()
            heard = await asyncio.gather(*readers, return_exceptions=True)
        whole = b"".join(said[:6] + said[7:])
        assert all(one == whole or isinstance(one, asyncio.CancelledError) for one in heard)
        assert len(rig.transport.requests) == rig.transport.closed == 1
        assert len(rig.journal.settled) == 4

    asyncio.run(scenario())


async def test_the_upstream_of_a_shared_stream_is_read_to_its_end() -> None:
    """The body ends after the end mark: only then can its connection serve another request."""
    rig = Rig([streamed()])
    async with rig.supervisor:
        [reply] = await passengers(rig, 1)
        while not (said := await reply.chunk()).endswith(b"data: [DONE]\n\n"):
            assert said
        assert rig.transport.closed == 0
        assert await reply.chunk() == b""
        assert rig.transport.closed == 1
        assert isinstance(reply, Telling)
        assert not await reply._stream.pass_to(lambda _: True)
        await reply.aclose()
    assert [exchange.status for exchange in rig.journal.settled] == ["ok"]


async def test_a_follower_may_leave_while_the_leader_buys() -> None:
    """The leader gets what it bought, and the follower's row says that it left."""
    rig = Rig([Behaviour(chunks=((1.0, completion()),))])
    gate = asyncio.Event()
    rig.transport._sleep = waiting(gate)
    async with rig.supervisor:
        leader, follower = (asyncio.ensure_future(rig.ask(chat(), cache=True)) for _ in range(2))
        for _ in range(5):
            await asyncio.sleep(0)
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        gate.set()
        assert b"An answer." in await leader
    rows = {exchange.request_id: exchange.status for exchange in rig.journal.settled}
    assert rows == {"request-1": "ok", "request-2": "cancelled"}

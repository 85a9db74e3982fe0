"""A request that bears an idempotency key is answered once, whoever repeats it, leaves or fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from farthing.domain.errors import Conflict, InvalidRequest, UpstreamError, UpstreamOverloaded, UpstreamRejected
from farthing.gateway import idempotency
from farthing.gateway.call import Call
from farthing.gateway.delivery import StreamReply
from farthing.gateway.idempotency import Once
from farthing.gateway.order import Order
from farthing.gateway.reply import Reply
from farthing.providers.fake import Behaviour, break_off, overload
from farthing.providers.fake import answer as provider_answer
from tests.unit.gateway.rig import Rig, chat, completion, drained, events

DAY_S = 86_400


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A vendor that answers each call anew."""
    numbers = iter(range(100))
    rig = Rig(lambda _: provider_answer(completion(f"Answer {next(numbers)}.")))
    yield rig
    await rig.supervisor.stop()


@pytest.fixture
async def streams() -> AsyncIterator[Rig]:
    """A vendor that streams."""
    rig = Rig(lambda _: Behaviour(chunks=tuple((0.01, event) for event in events())))
    yield rig
    await rig.supervisor.stop()


def asked(rig: Rig, text: str = "What?", *, key: str = "once", **more: Any) -> Call:
    """A request that bears a key."""
    return rig.call(chat(text, **more), idempotency_key=key)


async def answer(rig: Rig, call: Call) -> bytes:
    """The whole answer."""
    reply = await rig.pipeline.run(call)
    return reply.body if isinstance(reply, Reply) else await drained(reply)


def rows(rig: Rig) -> list[tuple[str, int | None]]:
    """What was journaled of each request."""
    return [(exchange.status, exchange.cost) for exchange in rig.journal.settled]


async def test_a_repetition_gets_the_same_bytes_and_costs_nothing(rig: Rig) -> None:
    """It is a row of its own that says so, and saved nothing; another key buys anew."""
    first = await answer(rig, asked(rig))
    reply = await rig.pipeline.run(asked(rig))
    assert isinstance(reply, Reply)
    assert reply.body == first
    assert reply.draft.is_replayed
    assert await answer(rig, asked(rig, key="another")) != first
    assert len(rig.transport.requests) == 2
    bought, repeated, _ = rig.journal.settled
    assert (repeated.status, repeated.cost, repeated.savings, repeated.cache_level) == ("cached", 0, 0, "idempotency")
    assert (repeated.model, repeated.provider, repeated.upstream_id) == (bought.model, bought.provider, "up-1")


async def test_fifty_at_once_are_bought_once(rig: Rig) -> None:
    """Whoever comes while it is being bought waits for it."""
    bodies = await asyncio.gather(*(answer(rig, asked(rig)) for _ in range(50)))
    assert len(set(bodies)) == 1
    assert len(rig.transport.requests) == 1
    assert sorted(rows(rig)) == [("cached", 0)] * 49 + [("ok", rig.journal.settled[0].cost)]


async def test_fifty_streams_at_once_are_bought_once(streams: Rig) -> None:
    """Each hears it as it comes, and the same afterwards."""
    bodies = await asyncio.gather(*(answer(streams, asked(streams, stream=True)) for _ in range(50)))
    assert await answer(streams, asked(streams, stream=True)) == bodies[0]
    assert set(bodies) == {b"".join(event for event in events() if b'"usage"' not in event)}
    assert len(streams.transport.requests) == 1
    assert [status for status, _ in rows(streams)].count("cached") == 50
    assert len(streams.recorder.drafts) == 0


async def test_a_key_names_one_request(rig: Rig) -> None:
    """Under way or answered, for another body or route it is refused; other tenants' keys are their own."""
    both = await asyncio.gather(answer(rig, asked(rig)), answer(rig, asked(rig, "Else?")), return_exceptions=True)
    assert isinstance(both[1], Conflict)
    with pytest.raises(Conflict) as caught:
        await answer(rig, asked(rig, "Else?"))
    error = caught.value
    assert (error.code, error.param, error.retry_after) == ("idempotency_conflict", "idempotency-key", None)
    assert rows(rig).count(("rejected", 0)) == 2
    assert len(rig.transport.requests) == 1


async def test_what_another_worker_is_answering_is_refused_for_now(rig: Rig) -> None:
    """It tells to try again in a second; a worker that died is waited for no longer than its lease."""
    other = Once(kept=rig.idempotent, spawn=rig.supervisor.spawn, owner="w2")
    order = rig.pipeline.begin(asked(rig))
    assert isinstance(order, Order)
    asking: asyncio.Event = asyncio.Event()

    async def never(_: Order) -> Reply:
        asking.set()
        await asyncio.Event().wait()
        raise AssertionError

    waiting = asyncio.ensure_future(other.answer(order, never))
    await asking.wait()
    with pytest.raises(Conflict) as caught:
        await answer(rig, asked(rig))
    assert caught.value.retry_after == 1
    rig.clock.advance(20)
    await other.beat()
    rig.clock.advance(20)
    with pytest.raises(Conflict):
        await answer(rig, asked(rig))
    rig.clock.advance(11)
    await rig.once.beat()
    assert b"Answer 0." in await answer(rig, asked(rig))
    waiting.cancel()


async def test_an_answer_is_kept_for_a_day(rig: Rig) -> None:
    """And then bought again."""
    first = await answer(rig, asked(rig))
    rig.clock.advance(DAY_S - 1)
    assert await answer(rig, asked(rig)) == first
    rig.clock.advance(1)
    assert await answer(rig, asked(rig)) != first


async def test_what_failed_may_be_tried_again(rig: Rig) -> None:
    """Errors are not kept, be they a vendor's or our own; who waited for it learns the same."""
    broken = Rig(lambda _: overload())
    both = await asyncio.gather(*(answer(broken, asked(broken)) for _ in range(2)), return_exceptions=True)
    assert [type(error) for error in both] == [UpstreamOverloaded] * 2
    broken.clock.advance(60)
    first = len(broken.transport.requests)
    with pytest.raises(UpstreamError):
        await answer(broken, asked(broken))
    assert len(broken.transport.requests) > first
    assert broken.idempotent.rows == {}
    with pytest.raises(InvalidRequest):
        await answer(rig, asked(rig, max_tokens=-1))
    assert rig.idempotent.rows == {}


async def test_a_client_that_leaves_finds_its_answer_when_it_returns(streams: Rig) -> None:
    """The purchase goes on without it, and is recorded as bought."""
    reply = await streams.pipeline.run(asked(streams, stream=True))
    assert isinstance(reply, StreamReply)
    await reply.chunk()
    assert reply.draft.leave_to_others()
    while await reply.chunk():
        pass
    await reply.aclose()
    assert not reply.draft.leave_to_others()
    again = await answer(streams, asked(streams, stream=True))
    assert again.endswith(b"data: [DONE]\n\n")
    assert len(streams.transport.requests) == 1
    assert [status for status, _ in rows(streams)] == ["ok", "cached"]


async def test_a_client_that_leaves_before_the_answer_does_not_end_the_purchase(rig: Rig) -> None:
    """Nor where identical requests could have joined it."""
    order = rig.pipeline.begin(rig.call(chat(), cache=True, idempotency_key="once"))
    assert isinstance(order, Order)
    waiting = asyncio.ensure_future(rig.pipeline.finish(order))
    for _ in range(20):
        if not rig.transport.requests:
            await asyncio.sleep(0)
    assert order.draft.leave_to_others()
    reply = await waiting
    assert isinstance(reply, Reply)
    assert rows(rig)[0][0] == "ok"
    assert not reply.draft.leave_to_others()


async def test_a_follower_that_leaves_is_recorded_as_such(streams: Rig) -> None:
    """The others hear the end."""
    leader, follower = await asyncio.gather(*(streams.pipeline.run(asked(streams, stream=True)) for _ in range(2)))
    assert isinstance(leader, StreamReply)
    assert isinstance(follower, StreamReply)
    await drained(follower, 2)
    assert (await drained(leader)).endswith(b"data: [DONE]\n\n")
    assert min(rows(streams))[0] == "cancelled"


async def test_a_stream_that_breaks_is_not_kept() -> None:
    """Leader and follower are told in the same bytes, and the next try buys anew."""
    rig = Rig(lambda _: break_off(*events()[:3]))
    both = await asyncio.gather(*(answer(rig, asked(rig, stream=True)) for _ in range(2)))
    assert both[0] == both[1]
    assert b"[DONE]" not in both[0]
    assert [status for status, _ in rows(rig)] == ["error", "error"]
    await answer(rig, asked(rig, stream=True))
    assert len(rig.transport.requests) == 2


async def test_a_kept_answer_is_replayed_under_a_key_as_well(rig: Rig) -> None:
    """From the cache of answers first, then from the key."""
    first = await answer(rig, rig.call(chat(), cache=True))
    assert await answer(rig, rig.call(chat(), cache=True, idempotency_key="once")) == first
    assert await answer(rig, rig.call(chat(), cache=True, idempotency_key="once")) == first
    assert [exchange.cache_level for exchange in rig.journal.settled] == [None, "memory", "idempotency"]


async def test_while_the_database_is_away_this_worker_remembers(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes what it owes when the database is back; of more than fits the oldest is forgotten."""
    rig.idempotent.is_away = True
    first = await answer(rig, asked(rig))
    assert await answer(rig, asked(rig)) == first
    with pytest.raises(Conflict):
        await answer(rig, asked(rig, "Else?"))
    await rig.once.beat()
    rig.idempotent.is_away = False
    await rig.once.beat()
    assert len(rig.idempotent.rows) == 1
    assert await answer(rig, asked(rig)) == first
    monkeypatch.setattr(idempotency, "MOST_UNWRITTEN", 1)
    rig.idempotent.is_away = True
    await answer(rig, asked(rig, key="long"))
    assert rig.once._unwritten == {}


async def test_a_failure_while_the_database_is_away_leaves_nothing() -> None:
    """The lease it may hold there runs out by itself."""
    broken = Rig(lambda _: provider_answer(b"{}", status=400))
    broken.idempotent.is_away = True
    for _ in range(2):
        with pytest.raises(UpstreamRejected):
            await answer(broken, asked(broken))
    assert len(broken.transport.requests) == 2


async def test_an_answer_too_long_to_keep_is_not_bought_twice(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever repeats it is told."""
    monkeypatch.setattr(idempotency, "LONGEST_ANSWER", 10)
    await answer(rig, asked(rig))
    with pytest.raises(Conflict, match="more than 10 bytes, which are not kept"):
        await answer(rig, asked(rig))
    assert len(rig.transport.requests) == 1


async def test_a_gateway_that_stops_tells_so_in_the_callers_dialect(streams: Rig) -> None:
    """As of any other stream; the purchase is cancelled with it, and its key is free for whoever comes elsewhere."""
    reply = await streams.pipeline.run(asked(streams, stream=True))
    assert isinstance(reply, StreamReply)
    assert b"error" in reply.cut_short()
    await streams.supervisor.stop(0)
    await reply.aclose()
    assert streams.idempotent.rows == {}


async def test_a_gateway_that_stops_before_the_answer_gives_the_key_back(rig: Rig) -> None:
    """Its caller hears that it stops, and may ask another worker at once."""
    asking = asyncio.Event()

    async def never(_: Order) -> Reply:
        asking.set()
        await asyncio.Event().wait()
        raise AssertionError

    order = rig.pipeline.begin(asked(rig))
    assert isinstance(order, Order)
    waiting = asyncio.ensure_future(rig.once.answer(order, never))
    await asking.wait()
    assert len(rig.idempotent.rows) == 1
    await rig.supervisor.stop(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert rig.idempotent.rows == {}

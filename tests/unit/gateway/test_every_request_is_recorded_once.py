"""However a request ends, it leaves exactly one record, no open upstream and no open hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from farthing.domain.errors import FarthingError
from farthing.domain.exchange import Exchange
from farthing.gateway.reply import Reply
from farthing.ports import UpstreamRequest
from farthing.providers.fake import Behaviour, answer, break_off, hang, overload, refuse
from tests.unit.gateway.rig import KEY, ListSink, Rig, chat, completion, drained, events

KINDS = ("answers", "overloads", "refuses", "hangs", "hangs midway", "breaks off", "breaks midway", "talks nonsense")


def behave(kind: str, request: UpstreamRequest) -> Behaviour:
    """What a provider of this kind does with a request."""
    streams = b'"stream": true' in request.body or b'"stream":true' in request.body
    chunks = events() if streams else [completion()]
    headers = {"content-type": "text/event-stream" if streams else "application/json"}
    return {
        "answers": answer(*chunks, headers=headers),
        "overloads": overload(),
        "refuses": refuse(),
        "hangs": hang(),
        "hangs midway": hang(*chunks[:3] if streams else [chunks[0][:20]]),
        "breaks off": break_off(),
        "breaks midway": break_off(*chunks[:3] if streams else [chunks[0][:20]]),
        "talks nonsense": answer(b"<html>", headers=headers),
    }[kind]


async def one_client(rig: Rig, body: dict[str, Any], leaves_after: int | None, key: str, cache: bool | None) -> str:
    """One client's whole life; how it ended."""
    try:
        reply = await rig.pipeline.run(rig.call(body, key=key, cache=cache))
    except FarthingError as error:
        return error.code or "error"
    if isinstance(reply, Reply):
        return "whole"
    await drained(reply, leaves_after)
    return "stream"


def script(kinds: list[str]) -> Iterator[str]:
    """The kinds one after the other, the last one for ever."""
    yield from kinds
    while True:
        yield kinds[-1]


@settings(max_examples=300, deadline=None)
@example(kinds=["answers"], clients=[(True, None, KEY, True)], model="small", cancel_after=1)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    clients=st.lists(
        st.tuples(
            st.booleans(),
            st.none() | st.integers(0, 9),
            st.sampled_from([KEY, "sk-unknown"]),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    model=st.sampled_from(["small", "auto", "nope"]),
    cancel_after=st.none() | st.integers(0, 12),
)
def test_any_mix_of_providers_and_clients(
    kinds: list[str],
    clients: list[tuple[bool, int | None, str, bool | None]],
    model: str,
    cancel_after: int | None,
) -> None:
    """One record for each request, a row where its key is known, every upstream closed and every hold settled."""
    told: list[Exchange] = []

    async def scenario() -> Rig:
        turns = script(kinds)
        rig = Rig(lambda request: behave(next(turns), request))
        rig.recorder.sinks = (ListSink(told),)
        async with rig.supervisor:
            tasks = [
                asyncio.ensure_future(one_client(rig, chat(model=model, stream=streams), leaves_after, key, cache))
                for streams, leaves_after, key, cache in clients
            ]
            if cancel_after is not None:
                for _ in range(cancel_after):
                    await asyncio.sleep(0)
                tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return rig

    rig = asyncio.run(scenario())
    ids = [exchange.request_id for exchange in told]
    assert sorted(ids) == sorted(f"request-{n + 1}" for n in range(rig.calls))
    assert rig.journal.settled == [exchange for exchange in told if exchange.tenant]
    assert rig.transport.opened == rig.transport.closed
    assert rig.ledger.open_holds == 0
    assert len(rig.recorder.drafts) == 0
    for exchange in told:
        assert (exchange.status == "rejected") <= (exchange.cost == 0)
        assert exchange.cost is not None
        assert exchange.cost >= 0


@pytest.mark.parametrize(
    ("kind", "status"),
    [("answers", "ok"), ("overloads", "error"), ("hangs", "error"), ("breaks midway", "error"), ("refuses", "error")],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_the_record_says_how_it_ended(kind: str, status: str, streams: bool) -> None:
    """The status of the record is what the client lived through."""
    rig = Rig(lambda request: behave(kind, request))
    async with rig.supervisor:
        await one_client(rig, chat(stream=streams), None, KEY, cache=None)
    assert [exchange.status for exchange in rig.journal.settled] == [status]

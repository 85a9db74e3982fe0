"""What the one record of a request says when things go wrong."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue
from farthing.domain.errors import Unauthenticated
from farthing.domain.exchange import Exchange, Lines
from farthing.domain.gauge import tokens
from farthing.gateway.delivery import StreamReply
from farthing.providers.fake import answer, break_off, hang
from tests.unit.gateway.rig import ListSink, Rig, chat, completion, drained, events


class BrokenSink:
    """Fails whenever it hears of something."""

    def record(self, exchange: Exchange) -> None:
        """Fails."""
        raise RuntimeError(exchange.request_id)


async def test_a_sink_that_fails_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The caller is answered, the other sinks hear of it, and the log names the broken one."""
    rig, heard = Rig([answer(completion())]), list[Exchange]()
    rig.recorder.sinks = (BrokenSink(), ListSink(heard))
    reply = await rig.pipeline.run(rig.call(chat()))
    assert reply.draft.answered_by == ("small", "fake", "passthrough", "up-1")
    assert [exchange.status for exchange in heard] == ["ok"]
    assert "BrokenSink" in caplog.text


@pytest.mark.parametrize("credential", ["sk-of-nobody", None])
async def test_a_stranger_writes_nothing_down(credential: str | None) -> None:
    """Who shows no key that is known is refused and counted, and fills neither journal nor ledger."""
    rig, heard = Rig([answer(completion())]), list[Exchange]()
    rig.recorder.sinks = (ListSink(heard),)
    with pytest.raises(Unauthenticated):
        await rig.pipeline.run(rig.call(chat(), key=credential))
    assert [(exchange.status, exchange.tenant) for exchange in heard] == [("rejected", "")]
    assert rig.journal.settled == []


async def test_the_intent_says_what_would_be_known_if_we_died() -> None:
    """Before the first byte goes up: an interrupted row with estimated input and its cost."""
    rig = Rig([answer(completion())])
    await rig.ask(chat())
    intent = rig.journal.intents[0].exchange
    assert (intent.status, intent.usage.estimated, intent.model) == ("interrupted", True, "small")
    assert intent.cost == intent.usage.prompt * 1000
    assert intent.request_id == rig.journal.settled[0].request_id


async def test_a_client_that_leaves_midway_pays_for_what_was_said() -> None:
    """Input and the words so far are booked by estimate, and the upstream is closed."""
    rig = Rig([answer(*events(9))])
    reply = await rig.pipeline.run(rig.call(chat(stream=True)))
    assert isinstance(reply, StreamReply)
    await drained(reply, 4)
    exchange = rig.journal.settled[0]
    assert (exchange.status, exchange.http_status, exchange.usage.estimated) == ("cancelled", 499, True)
    assert exchange.usage.prompt > 0
    assert exchange.usage.completion > 0
    assert rig.transport.opened == rig.transport.closed


@pytest.mark.parametrize(("model", "baseline"), [("small", 1), ("auto", 10)])
async def test_a_stream_is_metered_while_it_speaks(model: str, baseline: int) -> None:
    """Were we killed, it would be charged as if its client had left: the same tokens, cost and comparison."""
    rig = Rig([answer(*events(9))])
    reply = await rig.pipeline.run(rig.call({**chat(stream=True), "model": model}))
    assert isinstance(reply, StreamReply)
    await drained(reply, 4)
    (intent,), (exchange,) = rig.journal.intents, rig.journal.settled
    assert intent.lines is not None
    known = tokens(rig.journal.meters[exchange.request_id][0])
    charged = intent.lines.priced(intent.exchange, known)
    assert (charged.usage, charged.cost, charged.baseline_cost) == (
        exchange.usage,
        exchange.cost,
        exchange.baseline_cost,
    )
    assert charged.baseline_cost == baseline * (exchange.cost or 0) > 0


async def test_an_unpriced_stream_is_metered_without_a_cost() -> None:
    """Its cost is unknown, however much it says."""
    rig = Rig([answer(*events(9))])
    small = replace(rig.snapshots.current.catalogue.models["small"], price=None)
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=Catalogue(models={"small": small})))
    await rig.ask(chat(stream=True))
    assert rig.journal.intents[0].lines == Lines(None, None)


async def test_a_whole_answer_has_no_meter() -> None:
    """Until it is here nothing of it is known, and then it is settled."""
    rig = Rig([answer(completion())])
    await rig.ask(chat())
    assert (rig.journal.intents[0].lines, rig.journal.meters) == (None, {})


async def test_what_comes_after_a_stream_was_abandoned_is_not_counted() -> None:
    """It is settled, and its meter may by then be another stream's."""
    rig = Rig([answer(*events(9))])
    reply = await rig.pipeline.run(rig.call(chat(stream=True)))
    assert isinstance(reply, StreamReply)
    await reply.chunk()
    reading = asyncio.ensure_future(reply.chunk())
    await asyncio.sleep(0)
    (meter,) = rig.journal.meters.values()
    before = meter[0]
    await reply.aclose()
    meter[0] = 0
    await reading
    assert (before > 0, meter[0]) == (True, 0)


async def test_a_client_that_never_reads_a_word_still_leaves_a_record() -> None:
    """A stream that is closed before its first chunk was asked for."""
    rig = Rig([answer(*events())])
    reply = await rig.pipeline.run(rig.call(chat(stream=True)))
    assert isinstance(reply, StreamReply)
    assert reply.draft.answered_by == ("small", "fake", "passthrough", None)
    await reply.aclose()
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled"]
    assert rig.transport.opened == rig.transport.closed


async def test_a_client_that_leaves_while_the_model_thinks_is_booked() -> None:
    """The vendor has probably charged the input."""
    rig = Rig([hang()])
    gate = asyncio.Event()

    async def sleep(_: float) -> None:
        await gate.wait()

    rig.transport._sleep = sleep
    task = asyncio.ensure_future(rig.ask(chat()))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    exchange = rig.journal.settled[0]
    assert (exchange.status, exchange.usage.completion) == ("cancelled", 0)
    assert exchange.cost == exchange.usage.prompt * 1000 > 0
    assert [attempt.error for attempt in exchange.attempts] == ["cancelled"]


@pytest.mark.parametrize("chunks", [1, 3])
async def test_a_broken_stream_ends_in_an_error_and_no_end_mark(chunks: int) -> None:
    """The caller can tell it from a whole one, and so can the ledger."""
    rig = Rig([break_off(*events()[:chunks])])
    said = await rig.ask(chat(stream=True))
    assert b'"error"' in said
    assert b"[DONE]" not in said
    exchange = rig.journal.settled[0]
    assert (exchange.status, exchange.error_code) == ("error", "upstream_interrupted")
    assert exchange.cost is not None
    assert exchange.cost > 0


async def test_a_whole_stream_without_an_end_mark_gets_one() -> None:
    """Some vendors end after the finish reason; callers still see a whole stream."""
    rig = Rig([answer(*events()[:-1])])
    assert (await rig.ask(chat(stream=True))).endswith(b"data: [DONE]\n\n")
    assert rig.journal.settled[0].status == "ok"


async def test_the_last_words_and_the_break_come_in_order() -> None:
    """What was said before the break in the same chunk reaches the caller first."""
    whole = b"".join(events()[:2]) + b"data: {broken\n\n"
    rig = Rig([answer(whole)])
    said = await rig.ask(chat(stream=True))
    assert said.index(b"w1 ") < said.index(b'"error"')


async def test_a_defect_of_ours_is_recorded_too() -> None:
    """Whatever is raised inside, the request has its record."""
    rig = Rig([answer(completion())])
    rig.cache.entries = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await rig.ask(chat(), cache=True)
    exchange = rig.journal.settled[0]
    assert (exchange.status, exchange.error_code, exchange.http_status) == ("error", "internal_error", 500)


async def test_a_broken_stream_keeps_the_input_that_the_vendor_counted() -> None:
    """Anthropic tells the input first: only the output is estimated."""
    start = {"type": "message_start", "message": {"id": "msg_1", "model": "small", "usage": {"input_tokens": 7}}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "four words are said"}}
    said = [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in (start, block, delta)]
    rig = Rig([break_off(*said)], dialect="anthropic")
    await rig.ask(chat(stream=True))
    usage = rig.journal.settled[0].usage
    assert (usage.prompt, usage.estimated, usage.completion > 0) == (7, True, True)


async def test_the_first_words_time_is_noted() -> None:
    """For streams, from the request's arrival."""
    rig = Rig([answer(*events())])
    await rig.ask(chat(stream=True))
    assert rig.journal.settled[0].first_token_us is not None

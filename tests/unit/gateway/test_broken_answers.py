"""What vendors charge for answers that broke belongs to the request, whoever answers it in the end."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.dialects import UPSTREAM
from farthing.domain import tokens
from farthing.domain.chat import Usage
from farthing.domain.errors import ConnectTimeout, Unavailable, UpstreamError
from farthing.domain.exchange import Attempt, Charge, Exchange, Intent
from farthing.ports import UpstreamRequest
from farthing.providers.fake import Behaviour, answer, break_off, hang, overload, refuse
from tests.unit.gateway.rig import MODELS, Rig, chat, completion, events
from tests.unit.gateway.test_budgets import limited

NANO = {name: price * 1_000 for name, _, price in MODELS}
"""What a token costs at each model."""
REPORT = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
TOLD = json.dumps({"id": "up-1", "choices": [], "usage": REPORT}).encode()
FREE = ("refused", "busy")
KINDS = (*FREE, "garbage", "told", "silent", "late", "ok")


class Vendor:
    """Answers in turn, and writes down what it charges: its own count where it told one, else what we estimate."""

    def __init__(self, kinds: list[str], *, stream: bool) -> None:
        self.kinds = kinds
        self.stream = stream
        self.tokens_in = 0
        self.bill = 0

    def __call__(self, request: UpstreamRequest) -> Behaviour:
        """The next behaviour; when all are used up, an answer."""
        kind = self.kinds.pop(0) if self.kinds else "ok"
        used = dict.fromkeys(("garbage", "silent", "late"), self.tokens_in) | dict.fromkeys(FREE, 0)
        used |= {"told": 15, "ok": 15}
        if kind == "cut":
            used[kind] = self.tokens_in + tokens.estimate("w0 w1 ")
        self.bill += used[kind] * NANO[json.loads(request.body)["model"]]
        told = b"data: " + TOLD + b"\n\n"
        return {
            "refused": refuse(),
            "busy": overload(),
            "garbage": answer(b"data: <html>\n\n" if self.stream else b"<html>"),
            "silent": break_off(b": \n\n" if self.stream else b"{"),
            "late": hang(),
            "told": break_off(told) if self.stream else answer(TOLD),
            "cut": break_off(*events()[:2]),
            "ok": answer(*events()) if self.stream else answer(completion()),
        }[kind]


async def outcome(kinds: list[str], *, stream: bool) -> tuple[Rig, Exchange, int]:
    """The gateway, the row, and what the vendors charged."""
    vendor = Vendor(kinds, stream=stream)
    rig = Rig(vendor)
    limited(rig)
    body = chat(model="auto", stream=stream)
    vendor.tokens_in = tokens.estimate_request(rig.call(body).dialect.read_request(body))
    with suppress(UpstreamError):
        await rig.ask(body)
    [row] = rig.journal.settled
    return rig, row, vendor.bill


@settings(max_examples=60, deadline=None)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=4), stream=st.booleans(), ends_cut=st.booleans())
async def test_what_is_booked_is_what_was_charged(kinds: list[str], stream: bool, ends_cut: bool) -> None:
    """To the nano-dollar, in the row, in the budget and in the journal, whatever the attempts came to."""
    rig, row, bill = await outcome([*kinds, "cut"] if stream and ends_cut else kinds, stream=stream)
    [account] = rig.ledger.accounts.values()
    assert (row.cost, account.spent, account.held) == (bill, bill, 0)
    broken = [attempt.charge for attempt in row.attempts if isinstance(attempt.charge, Charge)]
    own = rig.snapshots.current.catalogue.models[row.model or ""].price
    assert own is not None
    assert own.cost(row.usage) + sum(charge.cost or 0 for charge in broken) == bill
    if any(charge.usage.estimated for charge in broken):
        assert row.usage.estimated
    for intent in rig.journal.intents:
        assert intent.exchange.cost is not None
        if intent.lines is not None and intent.lines.cost is not None:
            assert intent.lines.cost.cost(0) == intent.exchange.cost


async def test_a_hop_pays_for_the_answer_that_broke() -> None:
    """The row tells whose answer it was, and what of the cost is whose."""
    _, row, bill = await outcome(["told", "ok"], stream=False)
    first, second = row.attempts
    assert (row.status, row.cost, row.savings) == ("ok", bill, 15 * NANO["large"] - bill)
    told = Usage(prompt=10, completion=5)
    assert first.charge == Charge(usage=told, cost=15 * NANO[first.model], price_version="test")
    assert (second, row.usage) == (
        Attempt(model=row.model or "", provider="fake", duration_us=second.duration_us),
        told,
    )


async def test_who_was_given_up_is_charged_for_its_input() -> None:
    """The vendor has the question and goes on with it: what it read is booked, and flagged as an estimate."""
    rig = Rig([hang()])
    with pytest.raises(UpstreamError):
        await rig.ask(chat())
    [row] = rig.journal.settled
    assert (row.status, row.error_code, row.usage.estimated) == ("error", "upstream_timeout", True)
    assert row.cost == row.usage.tokens_in * NANO["small"] > 0


async def test_who_was_never_reached_charges_nothing() -> None:
    """No connection came about in time, so nothing was sent."""

    def unreached(_: UpstreamRequest) -> Behaviour:
        raise ConnectTimeout("The provider took no connection.")

    rig = Rig(unreached)
    with pytest.raises(ConnectTimeout):
        await rig.ask(chat())
    [row] = rig.journal.settled
    assert (row.status, row.cost, row.usage) == ("error", 0, Usage())


async def test_a_client_that_leaves_after_a_refusal_pays_nothing() -> None:
    """In the pause before the vendor is asked again: so far it has only said no."""
    pause = asyncio.Event()

    class Patient(Rig):
        async def sleep(self, seconds: float) -> None:
            pause.set()
            await asyncio.sleep(seconds)

    rig = Patient([overload(), answer(completion())])
    asking = asyncio.ensure_future(rig.ask(chat()))
    await pause.wait()
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    [row] = rig.journal.settled
    assert (row.status, row.cost, row.usage, len(row.attempts)) == ("cancelled", 0, Usage(), 1)


async def test_what_broke_without_a_price_makes_the_whole_unknown() -> None:
    """Unknown is never zero."""
    rig = Rig([answer(b"<html>"), answer(*events())])
    catalogue = rig.snapshots.current.catalogue
    models = {name: replace(model, price=None) for name, model in catalogue.models.items()}
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=replace(catalogue, models=models)))
    await rig.ask(chat(model="auto", stream=True))
    [row] = rig.journal.settled
    assert (row.status, row.cost, len(row.attempts)) == ("ok", None, 2)
    assert rig.journal.intents[1].lines is not None
    assert rig.journal.intents[1].lines.cost is None


async def test_a_stream_that_tells_of_no_input_leaves_the_estimate() -> None:
    """Vendors that count only at the end open with zeros: nothing is journaled anew."""
    usage = {"input_tokens": 0, "output_tokens": 0}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "small", "content": [], "usage": usage}
    start = b"data: " + json.dumps({"type": "message_start", "message": message}).encode() + b"\n\n"
    rig = Rig([hang(start)], dialect="anthropic")
    with pytest.raises(UpstreamError):
        await rig.ask({**chat(stream=True), "max_tokens": 9}, dialect="anthropic")
    [intent] = rig.journal.intents
    assert intent.exchange.usage.tokens_in > 0


@pytest.mark.parametrize("is_full", [False, True])
async def test_what_a_stream_tells_of_its_input_is_journaled_before_it_speaks(is_full: bool) -> None:
    """A worker killed then is charged for that; on a full disk for the estimate."""
    usage = {"input_tokens": 7, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 40, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "small", "content": [], "usage": usage}
    start = b"data: " + json.dumps({"type": "message_start", "message": message}).encode() + b"\n\n"
    rig = Rig([hang(start)], dialect="anthropic")
    noted = rig.journal.open

    def open_once(intent: Intent) -> None:
        noted(intent)
        rig.journal.refusal = Unavailable("full")

    if is_full:
        rig.journal.open = open_once  # type: ignore[method-assign]
    with pytest.raises(UpstreamError):
        await rig.ask({**chat(stream=True), "max_tokens": 9}, dialect="anthropic")
    last = rig.journal.intents[-1]
    assert len(rig.journal.intents) == (1 if is_full else 2)
    assert last.lines is not None
    assert last.lines.cost is not None
    if not is_full:
        assert last.exchange.usage == Usage(prompt=7, cached=900, cache_write_5m=40, estimated=True)
        assert last.lines.cost.cost(3) == 950 * NANO["small"]


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}),
        ("anthropic", {"usage": {"input_tokens": 10, "output_tokens": 5}}),
        ("gemini", {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5}}),
    ],
)
def test_a_body_that_is_no_answer_may_tell_of_its_tokens(dialect: str, body: dict[str, object]) -> None:
    """In every dialect; what is no JSON tells nothing."""
    read = UPSTREAM[dialect].read_report
    assert read(json.dumps(body).encode()) == Usage(prompt=10, completion=5)
    assert (read(b"{}"), read(b"<html>")) == (None, None)

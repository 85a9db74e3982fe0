"""The golden bills once more, as whole calls through the pipeline: what the row of a call says that it cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.exchange import Exchange
from farthing.domain.pricing import ToolFees
from farthing.gateway.delivery import StreamReply
from farthing.providers.fake import answer
from farthing.providers.prices import price_for
from tests.unit.gateway.rig import Rig, chat, drained, events, sheet
from tests.unit.providers import vendor_streams
from tests.unit.providers.test_golden_usage import CASES, invoiced

CALLS = [param for param in CASES if param.values[0] not in {"embeddings", "responses"}]


async def asked(dialect: str, case: dict[str, Any], inbound: str, *, stream: bool) -> Exchange:
    """The row of one call of this case's model, by a caller of either vendor's API."""
    price = price_for(case["vendor"], case["model"], datetime.fromisoformat(case["at"]))
    model = Model(name="small", provider="fake", upstream="small", dialect=dialect, tier="simple", price=price)
    place = case.get("stream", "apart")
    frames = [event.raw for event in vendor_streams.events(dialect, case["usage"], place)]
    chunks = frames if stream else [vendor_streams.body(dialect, case["usage"])]
    kind = {"content-type": "text/event-stream" if stream else "application/json"}
    rig = Rig([answer(*chunks, headers=kind)], dialect=dialect, catalogue=Catalogue(models={"small": model}))
    await rig.ask(chat(stream=stream, max_tokens=9), dialect=inbound)
    [row] = rig.journal.settled
    return row


@pytest.mark.parametrize("inbound", ["openai", "anthropic"])
@pytest.mark.parametrize(("dialect", "case"), CALLS)
async def test_a_call_costs_its_bill_streamed_or_not(dialect: str, case: dict[str, Any], inbound: str) -> None:
    """Whichever API the caller speaks, translated or passed through, to the nano-dollar; nothing is estimated."""
    rows = [await asked(dialect, case, inbound, stream=stream) for stream in (False, True)]
    assert [(row.status, row.cost, row.usage.estimated) for row in rows] == [("ok", invoiced(case), False)] * 2
    assert rows[0].usage == rows[1].usage
    assert rows[0].price_version == rows[1].price_version
    assert rows[0].price_version is not None


async def test_a_search_whose_price_nobody_knows_makes_the_cost_a_guess() -> None:
    """The row says so; where the price is known, it is exact."""
    used = {"input_tokens": 10, "output_tokens": 1, "server_tool_use": {"web_search_requests": 2}}
    for tools, expected in ((ToolFees(), (11_000, True)), (ToolFees(web_searches=10_000_000), (20_011_000, False))):
        price = replace(sheet(1), tools=tools)
        model = Model(name="small", provider="fake", upstream="small", dialect="anthropic", tier="simple", price=price)
        whole = answer(vendor_streams.body("anthropic", used), headers={"content-type": "application/json"})
        rig = Rig([whole], dialect="anthropic", catalogue=Catalogue(models={"small": model}))
        await rig.ask(chat(max_tokens=9), dialect="anthropic")
        [row] = rig.journal.settled
        assert (row.cost, row.usage.estimated) == expected


async def test_a_price_that_changes_midway_is_not_this_calls() -> None:
    """A row keeps the price that was in force when the call came, and names its version."""
    rig = Rig([answer(*events(4))])
    reply = await rig.pipeline.run(rig.call(chat(stream=True)))
    assert isinstance(reply, StreamReply)
    await reply.chunk()
    snapshot = rig.snapshots.current
    dearer = replace(snapshot.catalogue.models["small"], price=replace(sheet(99), version="tomorrow"))
    models = {**snapshot.catalogue.models, "small": dearer}
    rig.snapshots.swap(replace(snapshot, catalogue=replace(snapshot.catalogue, models=models)))
    await drained(reply)
    [row] = rig.journal.settled
    assert (row.cost, row.price_version) == (15_000, "test")

"""The answer cache as callers meet it: what is kept, what is replayed, and what it costs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.dialects import INBOUND
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import digest
from farthing.domain.tokens import estimate_request
from farthing.providers.fake import answer
from tests.unit.gateway.rig import Rig, chat, completion, events

SSE = {"content-type": "text/event-stream"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def texts(stream: bytes) -> str:
    """The text of a stream in OpenAI's dialect."""
    parts = [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: {")]
    return "".join(c["delta"].get("content") or "" for part in parts for c in part["choices"])


@pytest.mark.parametrize("first_streams", [False, True])
@pytest.mark.parametrize("then_streams", [False, True])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_an_answer_is_replayed_in_whatever_form_is_asked_for(
    first_streams: bool, then_streams: bool, dialect: str
) -> None:
    """Bought as one body or as a stream, replayed as either, for nothing."""
    bought = answer(*events(), headers=SSE) if first_streams else answer(completion("w0 w1 w2 w3 w4 "))
    rig = Rig([bought])
    body = chat(max_tokens=100)
    async with rig.supervisor:
        first = await rig.ask({**body, "stream": first_streams}, dialect=dialect, cache=True)
        rig.flights._flights.clear()
        await asyncio.sleep(0)
        second = await rig.ask({**body, "stream": then_streams}, dialect=dialect, cache=True)
    assert len(rig.transport.requests) == 1
    if first_streams == then_streams and dialect == "openai":
        assert second == first
    elif dialect == "openai":
        said = texts(second) if then_streams else json.loads(second)["choices"][0]["message"]["content"]
        assert said == "w0 w1 w2 w3 w4 "
    else:
        assert (b"w4" in second, b"message_stop" in second) == (True, then_streams)
    bought_row, hit_row = rig.journal.settled
    assert (bought_row.status, bought_row.cost, bought_row.cache) == ("ok", 15_000, "miss")
    assert (hit_row.status, hit_row.cost, hit_row.cache, hit_row.cache_level) == ("cached", 0, "hit", "memory")
    assert hit_row.baseline_cost == bought_row.cost
    assert hit_row.usage == bought_row.usage


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (chat(), completion(finish="length")),
        (chat(), completion(finish="content_filter")),
        (chat(), completion(finish="tool_calls")),
        (chat(tools=[TOOL]), completion()),
    ],
)
async def test_what_is_not_a_complete_plain_answer_is_not_kept(body: dict[str, Any], said: bytes) -> None:
    """Cut off, filtered, or with tools: asked again, bought again."""
    rig = Rig(lambda _: answer(said))
    async with rig.supervisor:
        for _ in range(2):
            await rig.ask(body, cache=True)
    assert rig.cache.entries == {}
    assert len(rig.transport.requests) == 2


@pytest.mark.parametrize(
    ("dialect", "header", "by_key", "switch", "kept"),
    [
        ("native", None, None, True, True),
        ("native", False, None, True, False),
        ("native", None, None, False, False),
        ("openai", None, None, True, False),
        ("openai", True, None, True, True),
        ("openai", None, True, True, True),
        ("openai", False, True, True, False),
    ],
)
async def test_who_is_cached(dialect: str, header: bool | None, by_key: bool | None, switch: bool, kept: bool) -> None:
    """The request decides, then its key, then the route: native by default, vendors' dialects not."""
    rig = Rig(lambda _: answer(completion()), cache_native=switch)
    snapshot = rig.snapshots.current
    keys = {name: replace(key, caller=replace(key.caller, cache=by_key)) for name, key in snapshot.keys.items()}
    rig.snapshots.swap(replace(snapshot, keys=keys))
    async with rig.supervisor:
        await rig.ask({"prompt": "hi"} if dialect == "native" else chat(), dialect=dialect, cache=header)
    assert bool(rig.cache.entries) == kept
    assert rig.journal.settled[0].cache == ("miss" if kept else "off")


async def test_tenants_never_meet() -> None:
    """The same question of another tenant is another question, in the cache and in the air."""
    rig = Rig(lambda _: answer(completion()))
    other = Key(caller=Caller(tenant="globex", key_id="k2"), name="other", hint="…")
    snapshot = rig.snapshots.current
    rig.snapshots.swap(replace(snapshot, keys={**snapshot.keys, digest("sk-other"): other}))
    async with rig.supervisor:
        await asyncio.gather(rig.ask(chat(), cache=True), rig.ask(chat(), cache=True, key="sk-other"))
    assert len(rig.transport.requests) == 2
    assert {entry.tenant for entry in rig.cache.entries.values()} == {"acme", "globex"}


async def test_the_native_answer_tells_everything() -> None:
    """The fields of the contract, bought and replayed."""
    rig = Rig([answer(completion("forty-two"))])
    body = {"prompt": "What is the answer?", "tokenizer_id": "cl100k"}
    async with rig.supervisor:
        first = json.loads(await rig.ask(body, dialect="native"))
        rig.flights._flights.clear()
        second = json.loads(await rig.ask(body, dialect="native"))
    expected = {
        "response": "forty-two",
        "provider": "fake",
        "model": "small",
        "strategy_used": "complexity",
        "complexity": "simple",
        "tokens_in": 10,
        "tokens_out": 5,
        "cost": 0.000015,
        "total_cost_today": 0.000015,
        "cache_hit": False,
        "original_cost": 0.00015,
        "savings": 0.000135,
        "tokenizer_id": "cl100k",
        "experiment_assignment": None,
    }
    assert {name: first[name] for name in expected} == expected
    assert first["routing_metadata"]["attempts"] == [
        {"model": "small", "provider": "fake", "error": None, "outcome": None}
    ]
    assert first["routing_metadata"]["cascade"] is None
    changed = {"cost": 0.0, "cache_hit": True, "savings": 0.00015}
    assert {name: second[name] for name in expected} == expected | changed
    assert second["cache_key"] == first["cache_key"]
    assert second["routing_metadata"] == {"reason": "An earlier answer to the same question was kept."}


async def test_usage_that_nobody_reported_is_counted_here_and_marked() -> None:
    """A vendor without figures is billed by estimate, which the row says."""
    silent = json.loads(completion("four words are said"))
    del silent["usage"]
    rig = Rig([answer(json.dumps(silent).encode())])
    await rig.ask(chat())
    usage = rig.journal.settled[0].usage
    request = INBOUND["openai"].read_request(chat())
    assert (usage.prompt, usage.estimated) == (estimate_request(request), True)
    assert usage.completion > 0
    assert rig.journal.settled[0].cost == (usage.prompt + usage.completion) * 1000


async def test_what_cannot_be_kept_far_away_in_time_is_kept_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that would wait too long are held in memory alone: they can be bought again."""
    monkeypatch.setattr("farthing.gateway.answers.MOST_WAITING", 0)
    rig = Rig([answer(completion())])
    async with rig.supervisor:
        for _ in range(2):
            await rig.ask(chat(), cache=True)
    assert [exchange.status for exchange in rig.journal.settled] == ["ok", "cached"]
    assert rig.cache.kept == []


async def test_an_answer_that_surely_nobody_has_is_not_looked_for() -> None:
    """It is bought at once; one that somebody may have is looked for."""
    rig = Rig(lambda _: answer(completion()))
    looked: list[bool] = []

    async def look_up() -> None:
        looked.append(rig.cache.knows_all)

    rig.cache.look_up = look_up
    async with rig.supervisor:
        for rig.cache.knows_all in (True, False):
            await rig.ask(chat(f"Known: {rig.cache.knows_all}"), cache=True)
    assert looked == [False]
    assert [exchange.cache for exchange in rig.journal.settled] == ["miss", "miss"]

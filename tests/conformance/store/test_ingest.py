"""Every exchange becomes one row, and every sum says what the rows say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from farthing.background.clock import ManualClock
from farthing.domain.exchange import Exchange
from farthing.store import Store, open_store
from farthing.store.aggregates import GRAINS
from farthing.store.schema import COUNTERS, requests, value_metrics
from tests.conformance.store.samples import DAY_US, NOON_US, answer, exchange

SHOWN: dict[str, Any] = {
    "created_at": NOON_US,
    "status": "ok",
    "route": "/v1/chat/completions",
    "dialect": "openai",
    "tenant": "acme",
    "key_id": "key-1",
    "team": "support",
    "user": "ann",
    "session": "s-1",
    "tags": {"feature": "triage"},
    "app": "OpenAI/Python",
    "requested_model": "auto",
    "stream": False,
    "provider": "openai",
    "model": "small",
    "upstream_id": "chatcmpl-1",
    "strategy": "complexity",
    "tier": "simple",
    "score": 0.125,
    "confidence": "high",
    "reason": "Simple: 3 words.",
    "decision": {"candidates": [{"model": "small", "estimated_cost": 5}], "metadata": {"words": 3}},
    "experiment_id": "exp-1",
    "arm": "test",
    "attempts": [{"model": "small", "provider": "openai", "error": None, "duration_us": 7}],
    "calls": [
        {
            "model": "small",
            "provider": "openai",
            "outcome": "served",
            "why": "first of the plan",
            "error": None,
            "tokens_in": 32,
            "tokens_out": 34,
            "cost": 300,
            "latency_ms": 0.007,
        }
    ],
    "usage": {
        "prompt": 1,
        "cached": 2,
        "cached_audio": 11,
        "cache_write_5m": 3,
        "cache_write_1h": 4,
        "audio_in": 5,
        "image_in": 6,
        "completion": 7,
        "reasoning": 8,
        "audio_out": 9,
        "image_out": 10,
    },
    "tokens_in": 32,
    "tokens_out": 34,
    "estimated": False,
    "cost": 300,
    "baseline_cost": 1000,
    "savings": 700,
    "price_version": "genai-prices 1",
    "cache": "miss",
    "cache_level": None,
    "cache_key": "aa",
    "cache_hit": False,
    "http_status": 200,
    "error_code": None,
    "finish": "stop",
    "latency_ms": 2.5,
    "first_token_ms": 1.2,
    "upstream_ms": 2.0,
}
"""How the sample exchange reads back, but for its id."""


async def ledger_sums(store: Store) -> list[int]:
    """The counters as an independent statement over the rows finds them."""
    row = requests.c
    tokens = {
        "in": ("prompt", "cached", "cached_audio", "cache_write_5m", "cache_write_1h", "audio_in", "image_in"),
        "out": ("completion", "reasoning", "audio_out", "image_out"),
    }
    tokens_in, tokens_out = (sum((row[f"{name}_tokens"] for name in names), sa.literal(0)) for names in tokens.values())
    columns = [
        sa.func.count(),
        sa.func.count().filter(row.status.in_(["error", "interrupted"])),
        sa.func.count().filter(row.status == "cached"),
        sa.func.sum(tokens_in),
        sa.func.sum(tokens_out),
        sa.func.sum(row.cost),
        sa.func.count().filter(row.cost.is_(None)),
        sa.func.sum(row.baseline_cost),
        sa.func.sum(row.savings),
        sa.func.sum(row.duration_us),
    ]
    async with store._engines.reading() as connection:
        found = (await connection.execute(sa.select(*columns).select_from(requests))).one()
    return [int(value or 0) for value in found]


async def metric_sums(store: Store, dimension: str, grain: int) -> list[int]:
    """The counters of one dimension at one grain, all values together."""
    table = value_metrics.c
    statement = sa.select(*(sa.func.sum(table[name]) for name in COUNTERS))
    async with store._engines.reading() as connection:
        found = (await connection.execute(statement.where(table.dimension == dimension, table.grain == grain))).one()
    return [int(value or 0) for value in found]


async def assert_sums_agree(store: Store) -> None:
    """Whatever dimension every row has adds up to the rows, at every grain."""
    expected = await ledger_sums(store)
    for dimension in ("total", "status", "cache", "source"):
        for grain in GRAINS:
            assert await metric_sums(store, dimension, grain) == expected, (dimension, grain)


def random_exchange(source: random.Random) -> Exchange:
    """Any of the many kinds a day brings."""
    status = source.choice(["ok", "ok", "cached", "error", "cancelled", "interrupted", "rejected"])
    return exchange(
        created_at_us=NOON_US + source.randrange(-40 * DAY_US, 40 * DAY_US),
        status=status,
        tenant=source.choice(["acme", "bolt"]),
        team=source.choice([None, "support", "sales"]),
        tags=source.choice([{}, {"a": "1"}, {"a": "1", "b": "2"}]),
        model=source.choice([None, "small", "large"]),
        cost=source.choice([None, 0, source.randrange(10**12)]),
        baseline_cost=source.choice([None, source.randrange(10**12)]),
        cache="hit" if status == "cached" else "miss",
        cache_level=source.choice(["memory", "sql"]) if status == "cached" else None,
    )


async def test_a_row_holds_every_field(store: Store) -> None:
    """What was recorded reads back as it was."""
    one = exchange()
    assert await store.ingest.write([one]) == 1
    assert await store.queries.request("acme", one.request_id) == {"request_id": one.request_id, **SHOWN}


async def test_an_unpriced_row_stays_unknown(store: Store) -> None:
    """A cost that nobody knows is not zero, and is counted."""
    one = exchange(cost=None)
    await store.ingest.write([one])
    found = await store.queries.request("acme", one.request_id)
    assert (found["cost"], found["savings"]) == (None, 0)
    assert (await store.queries.stats(None))["overall"]["unpriced_requests"] == 1


async def test_each_id_counts_once(store: Store) -> None:
    """The same exchange twice in a batch, or in two batches, is one row, and is summed once."""
    first, second, third = exchange(), exchange(), exchange()
    assert await store.ingest.write([first, first, second]) == 2
    assert await store.ingest.write([second, third, first]) == 1
    assert await store.ingest.write([first, second, third]) == 0
    assert (await ledger_sums(store))[0] == 3
    await assert_sums_agree(store)


async def test_the_first_of_two_reports_stands(store: Store) -> None:
    """A row once written is never changed."""
    one = exchange(cost=1)
    other = exchange(request_id=one.request_id, cost=2)
    await store.ingest.write([one, other])
    await store.ingest.write([other])
    assert (await store.queries.request(None, one.request_id))["cost"] == 1


async def test_an_empty_batch_is_nothing(store: Store) -> None:
    """Nothing to write needs no transaction."""
    assert await store.ingest.write([]) == 0


@pytest.mark.parametrize("seed", range(3))
async def test_rows_and_sums_agree_to_the_nano_dollar(store: Store, seed: int) -> None:
    """Whatever is written in whatever batches, with repetitions, across months and tenants."""
    source = random.Random(seed)
    everything = [random_exchange(source) for _ in range(200)]
    new = 0
    for _ in range(10):
        new += await store.ingest.write(source.choices(everything, k=50))
    new += await store.ingest.write(everything)
    assert new == 200
    assert (await ledger_sums(store))[0] == 200
    await assert_sums_agree(store)


async def test_writers_at_once_neither_lose_nor_double_nor_deadlock(database_url: str, clock: ManualClock) -> None:
    """Four writers that hold the same exchanges in different orders end with each row once."""
    source = random.Random(7)
    everything = [random_exchange(source) for _ in range(120)]
    stores = [open_store(database_url, clock=clock) for _ in range(4)]

    async def write(store: Store, mine: Sequence[Exchange]) -> int:
        return sum([await store.ingest.write(mine[start : start + 30]) for start in range(0, len(mine), 30)])

    orders = [source.sample(everything, k=len(everything)) for _ in stores]
    new = await asyncio.gather(*(write(store, order) for store, order in zip(stores, orders, strict=True)))
    assert sum(new) == 120
    await assert_sums_agree(stores[0])
    for store in stores:
        await store.aclose()


@pytest.mark.parametrize(
    ("changes", "field", "kept"),
    [
        ({"user": "a\x00b"}, "user", None),
        ({"user": "a\ud800b"}, "user", "a?b"),
        ({"tags": {"t\ud800": "x\ud800"}}, "tags", {"t?": "x?"}),
        ({"cost": 2**63}, "cost", 10**13),
        ({"cost": 2**62}, "cost", 10**13),
        ({"duration_us": -(2**70)}, "latency_ms", -(10**10)),
    ],
)
async def test_a_value_no_column_holds_does_not_stop_the_rest(
    store: Store, changes: dict[str, Any], field: str, kept: object
) -> None:
    """Broken text and enormous numbers are mended, and everything in the batch is written."""
    broken, good = exchange(**changes), exchange()
    assert await store.ingest.write([broken, good]) == 2
    found = (await store.queries.request(None, broken.request_id))[field]
    if kept is None:
        assert found in {"a\x00b", "a\N{REPLACEMENT CHARACTER}b"}
    else:
        assert found == kept


async def test_a_decision_in_text_reads_as_one_given_as_a_tree(store: Store) -> None:
    """Also where it holds what a database refuses, which then does not stop the rest."""
    tree, text = exchange(decision={"a": 1}), exchange(decision='{"a":1}')
    broken = exchange(decision='{"a":"x\\u0000"}')
    assert await store.ingest.write([tree, text]) == 2
    assert await store.ingest.write([broken, exchange()]) == 2
    found = [(await store.queries.request(None, one.request_id))["decision"] for one in (tree, text, broken)]
    assert found[:2] == [{"a": 1}, {"a": 1}]
    assert found[2] in [{"a": "x\x00"}, {"a": "x\N{REPLACEMENT CHARACTER}"}]


async def test_a_clock_gone_mad_does_not_stop_the_rest(store: Store) -> None:
    """A moment that no calendar holds is booked on the end of 2099."""
    mad = exchange(request_id=exchange().request_id, created_at_us=2**62)
    assert await store.ingest.write([mad, exchange()]) == 2
    assert (await store.queries.request(None, mad.request_id))["created_at"] == 4_102_444_799_999_999


async def test_hits_are_booked_to_the_answer_that_made_them(store: Store) -> None:
    """Requests served by a kept answer count on it, with what they did not cost."""
    await store.cache_level.put("aa", answer())
    hit = {"status": "cached", "cache": "hit", "cache_level": "memory", "cost": 0}
    await store.ingest.write([exchange(**hit), exchange(**hit), exchange(), exchange(**hit, cache_key="other")])
    stats = await store.queries.cache_stats("acme", NOON_US)
    assert stats["popular_queries"] == [
        {"cache_key": "aa", "query": "What is a farthing?", "model": "small", "hits": 2, "savings": 2000}
    ]

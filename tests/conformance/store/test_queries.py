"""What the ledger tells, asked of every database."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from farthing.domain.budget import Budget
from farthing.domain.errors import NotFound
from farthing.domain.keys import ERRANDS
from farthing.ports import Filter, GroupBy, Stretch
from farthing.store import Store
from farthing.store.schema import requests
from tests.conformance.store.samples import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    NOON_US,
    TOKENS_IN,
    TOKENS_OUT,
    answer,
    exchange,
)

EVER = Stretch()
GROUPS: tuple[GroupBy, ...] = ("model", "hour", "day", "tag")
HIT = {"status": "cached", "cache": "hit", "cost": 0}
PASSED = {"strategy": "passthrough", "tier": None, "confidence": None}


def groups(usage: dict[str, Any] | Any, field: str = "requests") -> dict[Any, Any]:
    """One column of a usage table by group."""
    return {row["group"]: row[field] for row in usage["rows"]}


async def test_an_empty_ledger_answers_zero(store: Store) -> None:
    """Every question has an answer before the first request."""
    queries = store.queries
    assert (await queries.stats(None))["overall"]["total_requests"] == 0
    assert (await queries.routing_metrics(None))["cache"] == {"hits": 0, "misses": 0, "hit_rate": 0.0}
    assert (await queries.usage(None, "model", EVER))["rows"] == []
    assert (await queries.usage(None, "day", EVER))["total"]["cost"] == 0
    assert (await queries.savings(None, EVER))["percent"] == 0.0
    assert (await queries.requests(None, Filter())).data == []
    assert (await queries.cache_stats(None, NOON_US))["hit_rate_percent"] == 0.0
    assert (await queries.quality_stats(None))["by_model"] == []
    assert await queries.spent_today(NOON_US) == {}


async def test_stats(store: Store) -> None:
    """Totals, by provider and by complexity with the dearest first, and the newest requests."""
    batch = [
        exchange(created_at_us=NOON_US + place, provider=provider, tier=tier, cost=cost)
        for place, (provider, tier, cost) in enumerate(
            [("openai", "simple", 100), ("other", "complex", 500), ("openai", "complex", 300)] * 4
        )
    ]
    await store.ingest.write([*batch, exchange(created_at_us=NOON_US - 1, **HIT, baseline_cost=50)])
    stats = await store.queries.stats("acme")
    assert stats["overall"] == {
        "total_requests": 13,
        "total_cost": 3600,
        "total_tokens_in": 13 * TOKENS_IN,
        "total_tokens_out": 13 * TOKENS_OUT,
        "cache_hits": 1,
        "total_savings": 12 * 1000 - 3600 + 50,
        "unpriced_requests": 0,
    }
    assert [(row["provider"], row["requests"], row["cost"]) for row in stats["by_provider"]] == [
        ("other", 4, 2000),
        ("openai", 9, 1600),
    ]
    assert [(row["complexity"], row["requests"]) for row in stats["by_complexity"]] == [("complex", 8), ("simple", 5)]
    assert [row["request_id"] for row in stats["recent_requests"]] == [row.request_id for row in batch[::-1][:10]]


async def test_errands_are_no_routing_decisions(store: Store) -> None:
    """What they cost is overhead of the savings, and part of what a provider was used for."""
    errands = [exchange(strategy=name, tier=None, cost=50, baseline_cost=0, cache="off") for name in ERRANDS]
    await store.ingest.write([exchange(cost=100), *errands])
    metrics = await store.queries.routing_metrics("acme")
    assert (metrics["total_decisions"], list(metrics["strategy_performance"])) == (1, ["complexity"])
    assert metrics["confidence_distribution"] == {"high": 1, "medium": 0, "low": 0}
    assert metrics["provider_usage"] == {"openai": {"requests": 3, "cost": 200}}
    savings = await store.queries.savings("acme", Stretch())
    assert savings["by_source"] == {
        "routing": 900,
        "answer_cache": 0,
        "prompt_cache": 0,
        "batch": 0,
        "overhead": -100,
    }
    assert (savings["actual_cost"], savings["saved"]) == (200, 800)


async def test_routing_metrics(store: Store) -> None:
    """Strategies, confidence, providers, cache and savings."""
    await store.ingest.write(
        [
            exchange(cost=100, duration_us=1000),
            exchange(cost=300, duration_us=3000, confidence="low"),
            exchange(**PASSED, cost=1000, cache="off"),
            exchange(**HIT, cache_level="redis", baseline_cost=1000, duration_us=0),
            exchange(status="rejected", **{**PASSED, "strategy": None}, cost=0, baseline_cost=0, cache="off"),
        ]
    )
    assert await store.queries.routing_metrics("acme") == {
        "total_decisions": 4,
        "strategy_performance": {
            "complexity": {
                "decisions": 3,
                "total_cost": 400,
                "avg_cost": 400 / 3,
                "avg_latency_ms": 4 / 3,
                "avg_quality": None,
            },
            "passthrough": {
                "decisions": 1,
                "total_cost": 1000,
                "avg_cost": 1000.0,
                "avg_latency_ms": 2.5,
                "avg_quality": None,
            },
        },
        "confidence_distribution": {"high": 2, "medium": 0, "low": 1},
        "provider_usage": {"openai": {"requests": 5, "cost": 1400}},
        "cache": {"hits": 1, "misses": 2, "hit_rate": 1 / 3},
        "savings": {"actual_cost": 1400, "baseline_cost": 4000, "saved": 2600, "percent": 65.0},
    }


async def test_ratings_are_the_quality_of_a_strategy(store: Store) -> None:
    """A strategy's quality is the mean of what people thought of its answers."""
    first, second = exchange(), exchange()
    await store.ingest.write([first, second])
    await store.feedback.rate(first.request_id, 5, tenant="acme", principal=None)
    await store.feedback.rate(second.request_id, 2, tenant="acme", principal=None)
    found = await store.queries.routing_metrics("acme")
    assert found["strategy_performance"]["complexity"]["avg_quality"] == 0.625


@pytest.mark.parametrize(
    ("group_by", "field", "expected"),
    [
        ("model", "model", {"x": 2, "y": 1, None: 1}),
        ("provider", "provider", {"x": 2, "y": 1, None: 1}),
        ("key", "key_id", {"x": 2, "y": 1, None: 1}),
        ("team", "team", {"x": 2, "y": 1, None: 1}),
        ("user", "user", {"x": 2, "y": 1, None: 1}),
    ],
)
async def test_usage_by_whom_or_what(store: Store, group_by: Any, field: str, expected: dict[str | None, int]) -> None:
    """Each value is a group, those without a value are one too, and together they are the total."""
    await store.ingest.write([exchange(**{field: value}) for value in ("x", "x", "y", None)])
    usage = await store.queries.usage("acme", group_by, EVER)
    assert groups(usage) == expected
    assert sum(groups(usage, "cost").values()) == usage["total"]["cost"] == 1200
    assert usage["rows"][0] == {
        "group": "x",
        "requests": 2,
        "errors": 0,
        "cache_hits": 0,
        "tokens_in": 2 * TOKENS_IN,
        "tokens_out": 2 * TOKENS_OUT,
        "cost": 600,
        "unpriced_requests": 0,
        "baseline_cost": 2000,
        "savings": 1400,
        "avg_latency_ms": 2.5,
    }


async def test_usage_by_tag_counts_a_request_under_each(store: Store) -> None:
    """Two tags are two groups of one request, which the total holds once."""
    await store.ingest.write([exchange(tags={"a": "1", "b": "2"}), exchange(tags={"a": "1"}), exchange(tags={})])
    usage = await store.queries.usage("acme", "tag", EVER)
    assert groups(usage) == {"a=1": 2, "b=2": 1}
    assert usage["total"]["requests"] == 3


async def test_usage_of_one_value(store: Store) -> None:
    """Of its own tenant, by the same buckets as that of all; a long value is found under what is kept of it."""
    long = "t" * 300
    rows = [exchange(team="a", cost=100), exchange(team="a", tenant="bolt"), exchange(team="b"), exchange(team=long)]
    await store.ingest.write(rows)
    found = await store.queries.usage_of("acme", "day", EVER, ("team", "a"))
    assert groups(found, "cost") == {NOON_US - 12 * HOUR_US: 100}
    assert found["total"]["requests"] == 1
    assert (await store.queries.usage_of(None, "hour", EVER, ("team", "a")))["total"]["requests"] == 2
    assert (await store.queries.usage_of("acme", "hour", EVER, ("team", long)))["total"]["requests"] == 1
    assert (await store.queries.usage_of("acme", "hour", EVER, ("user", "a")))["rows"] == []


async def test_usage_by_hour_and_day(store: Store) -> None:
    """Groups are the starts of the buckets in order; those at the ends are as full as the stretch makes them."""
    moments = [NOON_US - 13 * HOUR_US, NOON_US, NOON_US + 59 * MINUTE_US, NOON_US + HOUR_US, NOON_US + 2 * HOUR_US]
    await store.ingest.write([exchange(created_at_us=moment) for moment in moments])
    stretch = Stretch(NOON_US - DAY_US, NOON_US + HOUR_US + MINUTE_US)
    hours = await store.queries.usage("acme", "hour", stretch)
    assert list(groups(hours).items()) == [(NOON_US - 13 * HOUR_US, 1), (NOON_US, 2), (NOON_US + HOUR_US, 1)]
    days = await store.queries.usage("acme", "day", stretch)
    assert groups(days) == {NOON_US - 36 * HOUR_US: 1, NOON_US - 12 * HOUR_US: 3}
    assert days["total"]["requests"] == hours["total"]["requests"] == 4


@pytest.mark.parametrize(
    ("stretch", "expected"),
    [
        (Stretch(), 6),
        (Stretch(NOON_US), 4),
        (Stretch(NOON_US + 1), 4),
        (Stretch(NOON_US + MINUTE_US), 3),
        (Stretch(None, NOON_US), 2),
        (Stretch(None, NOON_US + 1), 3),
        (Stretch(NOON_US - 12 * HOUR_US, NOON_US + 12 * HOUR_US), 4),
        (Stretch(NOON_US - 40 * DAY_US, NOON_US + 40 * DAY_US), 6),
        (Stretch(NOON_US, NOON_US), 0),
        (Stretch(NOON_US + DAY_US, NOON_US), 0),
        (Stretch(-(2**62), 2**62), 6),
    ],
)
async def test_a_stretch_takes_in_the_minutes_it_touches(store: Store, stretch: Stretch, expected: int) -> None:
    """From the minute that holds its start to the one that holds its end."""
    offsets = (-33 * DAY_US, -HOUR_US, 0, MINUTE_US, 3 * HOUR_US, 31 * DAY_US)
    await store.ingest.write([exchange(created_at_us=NOON_US + offset) for offset in offsets])
    assert (await store.queries.usage(None, "model", stretch))["total"]["requests"] == expected


async def test_figures_are_read_from_sums_not_from_rows(store: Store) -> None:
    """With every row gone the figures stand, so they cost the same however many rows there were."""
    await store.ingest.write([exchange(), exchange(**HIT)])

    async def figures() -> list[Any]:
        asked: list[Any] = [await store.queries.routing_metrics("acme"), await store.queries.savings(None, EVER)]
        asked += [await store.queries.usage("acme", group, EVER) for group in GROUPS]
        return [*asked, (await store.queries.stats(None))["overall"], await store.queries.spent_today(NOON_US)]

    before = await figures()
    async with store._engines.writing() as connection:
        await connection.execute(sa.delete(requests))
    assert await figures() == before


async def test_savings_by_source(store: Store) -> None:
    """What routing and kept answers saved; where a price is unknown, nothing is claimed."""
    await store.ingest.write(
        [
            exchange(cost=400, baseline_cost=1000),
            exchange(cost=1200, baseline_cost=1000),
            exchange(**HIT, baseline_cost=800),
            exchange(cost=None, baseline_cost=200),
        ]
    )
    assert await store.queries.savings("acme", EVER) == {
        "actual_cost": 1600,
        "baseline_cost": 3000,
        "saved": 1200,
        "percent": 40.0,
        "interval": [1200, 1200],
        "by_source": {"routing": 400, "answer_cache": 800, "prompt_cache": 0, "batch": 0, "overhead": 0},
        "sources": {
            "routing": {"saved": 400, "method": "counted", "requests": 3},
            "answer_cache": {"saved": 800, "method": "counted", "requests": 1},
            **{
                name: {"saved": 0, "method": "counted", "requests": 0} for name in ("prompt_cache", "batch", "overhead")
            },
        },
        "unpriced_requests": 1,
    }


async def test_tenants_do_not_see_one_another(store: Store) -> None:
    """Every figure of a tenant is of its own requests; who asks for no tenant in particular sees all."""
    theirs = exchange(tenant="bolt", cost=7, baseline_cost=10, tags={"t": "x"})
    await store.ingest.write([exchange(tags={"t": "x"}), theirs])
    queries = store.queries
    assert (await queries.stats("bolt"))["overall"]["total_cost"] == 7
    assert len((await queries.stats("bolt"))["recent_requests"]) == 1
    assert (await queries.routing_metrics("bolt"))["savings"]["saved"] == 3
    assert groups(await queries.usage("bolt", "tag", EVER), "cost") == {"t=x": 7}
    assert groups(await queries.usage("bolt", "day", EVER), "cost") == {NOON_US - 12 * HOUR_US: 7}
    assert (await queries.savings("bolt", EVER))["saved"] == 3
    assert len((await queries.requests("bolt", Filter())).data) == 1
    assert len((await queries.requests(None, Filter())).data) == 2
    assert (await queries.request("bolt", theirs.request_id))["cost"] == 7
    with pytest.raises(NotFound):
        await queries.request("acme", theirs.request_id)
    assert (await queries.stats(None))["overall"]["total_cost"] == 307


async def test_cache_stats(store: Store) -> None:
    """Entries that are alive, hits by level, and the most asked."""
    await store.cache_level.put("aa", answer(prompt="often"))
    await store.cache_level.put("bb", answer(prompt="once"))
    await store.cache_level.put("cc", answer(tenant="bolt"))
    await store.cache_level.put("dd", answer(expires_at_us=NOON_US + 1))
    hit = {**HIT, "baseline_cost": 10}
    await store.ingest.write(
        [
            exchange(**hit, cache_level="memory"),
            exchange(**hit, cache_level="memory"),
            exchange(**hit, cache_level="sql", cache_key="bb"),
            exchange(cache="miss"),
            exchange(cache="off"),
        ]
    )
    assert await store.queries.cache_stats("acme", NOON_US + 1) == {
        "total_entries": 2,
        "total_hits": 3,
        "total_savings": 30,
        "hit_rate_percent": 75.0,
        "by_level": {"memory": 2, "sql": 1},
        "popular_queries": [
            {"cache_key": "aa", "query": "often", "model": "small", "hits": 2, "savings": 20},
            {"cache_key": "bb", "query": "once", "model": "small", "hits": 1, "savings": 10},
        ],
    }


async def test_spent_by_budget(store: Store) -> None:
    """Each budget is told what its own subject spent in its own window."""
    await store.ingest.write(
        [
            exchange(cost=1),
            exchange(cost=10, key_id="key-2"),
            exchange(cost=100, team="sales"),
            exchange(cost=1000, created_at_us=NOON_US - DAY_US),
            exchange(cost=10_000, created_at_us=NOON_US - 40 * DAY_US),
            exchange(cost=100_000, tenant="bolt"),
        ]
    )

    def budget(name: str, scope: Any, subject: str, window: Any, tenant: str = "acme") -> Budget:
        return Budget(id=name, tenant=tenant, scope=scope, subject=subject, window=window, limit=1)

    budgets = [
        budget("key", "key", "key-1", "day"),
        budget("other key", "key", "key-2", "day"),
        budget("team", "team", "support", "day"),
        budget("week", "tenant", "acme", "week"),
        budget("month", "tenant", "acme", "month"),
        budget("total", "tenant", "acme", "total"),
        budget("bolt", "tenant", "bolt", "day", "bolt"),
        budget("nobody", "key", "key-9", "total"),
    ]
    assert await store.queries.spent(budgets, NOON_US) == {
        "key": 101,
        "other key": 10,
        "team": 11,
        "week": 111,
        "month": 111,
        "total": 11_111,
        "bolt": 100_000,
        "nobody": 0,
    }
    assert await store.queries.spent_today(NOON_US) == {"acme": 111, "bolt": 100_000}


async def test_what_is_routed_by_what_is_learned_is_told_by_the_minute(store: Store) -> None:
    """Of all tenants together, the oldest minute first; what others decide does not count."""
    rows = [
        exchange(created_at_us=NOON_US + minute * MINUTE_US, tenant=tenant, strategy=strategy, cost=cost)
        for minute, tenant, strategy, cost in (
            (1, "acme", "hybrid", 30),
            (0, "acme", "learning", 10),
            (0, "other", "hybrid", 5),
            (0, "acme", "complexity", 100),
            (2, "acme", "hybrid", 7),
        )
    ]
    await store.ingest.write(rows)
    assert await store.queries.routed_minutes(NOON_US, NOON_US + 2 * MINUTE_US) == [(2, 15), (1, 30)]

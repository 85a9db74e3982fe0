"""The live figures: computed once, shared, and the last ones known while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import msgspec
import pytest

from farthing.background.clock import ManualClock
from farthing.domain.errors import Unavailable
from farthing.insight.routing_metrics import FRESH_S, KEPT_S, NAME, RoutingMetrics
from farthing.ports import Queries


class CountingQueries:
    """Counts how often it is asked, and can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    async def routing_metrics(self, tenant: str | None) -> dict[str, Any]:
        """As many decisions as it was asked for."""
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("away")
        self.asked += 1
        return {
            "total_decisions": self.asked,
            "strategy_performance": {},
            "confidence_distribution": {"high": 1},
            "provider_usage": {tenant or "all": {"requests": 1, "cost": 2}},
            "cache": {"hits": 1, "misses": 1, "hit_rate": 0.5},
            "savings": {"baseline_cost": 4, "actual_cost": 3, "saved": 1, "percent": 25.0},
        }


class DictValues:
    """Shared values in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, int]] = {}

    async def get(self, name: str) -> bytes | None:
        """The value."""
        found = self.values.get(name)
        return found[0] if found else None

    async def put(self, name: str, value: bytes, ttl_s: int) -> None:
        """Keeps it with its time to live."""
        self.values[name] = value, ttl_s


@pytest.fixture
def clock() -> ManualClock:
    """Turned by hand."""
    return ManualClock()


@pytest.fixture
def queries() -> CountingQueries:
    """The database."""
    return CountingQueries()


def metrics(queries: CountingQueries, clock: ManualClock, shared: DictValues | None = None) -> RoutingMetrics:
    """Of one worker."""
    return RoutingMetrics(queries=cast("Queries", queries), shared=shared, clock=clock)


async def test_figures_are_computed_once_while_they_are_fresh(queries: CountingQueries, clock: ManualClock) -> None:
    """However many look, and at the same time; afterwards anew."""
    worker = metrics(queries, clock)
    seen = await asyncio.gather(*(worker.latest(None) for _ in range(5)))
    assert [each["total_decisions"] for each in seen] == [1] * 5
    clock.advance(FRESH_S)
    assert (await worker.latest(None))["total_decisions"] == 2


async def test_workers_share_them_where_there_is_a_redis(queries: CountingQueries, clock: ManualClock) -> None:
    """The second worker reads what the first has published for thirty seconds; a tenant's own apart."""
    shared = DictValues()
    for tenant, name in ((None, NAME), ("acme", f"{NAME}:acme")):
        first = await metrics(queries, clock, shared).latest(tenant)
        assert await metrics(queries, clock, shared).latest(tenant) == first
        assert shared.values[name][1] == KEPT_S
        kept = msgspec.json.decode(shared.values[name][0])
        assert {**kept, "age_seconds": 0.0, "stale": False} == first
    assert queries.asked == 2


@pytest.mark.parametrize(
    "change",
    [
        {"generated_at": "now"},
        {"generated_at": 9_000_000_000_000_000},
        {"savings": {"interval": ["x"]}},
        {"cache": None},
        {"more": 1},
    ],
)
async def test_garbage_in_redis_is_passed_over(
    queries: CountingQueries, clock: ManualClock, change: Mapping[str, Any]
) -> None:
    """And replaced: what is no JSON, has another shape, or comes from the future."""
    shared = DictValues()
    known = await metrics(queries, clock, shared).latest(None)
    kept = {name: value for name, value in known.items() if name not in ("age_seconds", "stale")}
    for bad in (msgspec.json.encode({**kept, **change}), b"{", b"[" * 100_000):
        await shared.put(NAME, bad, 30)
        before = queries.asked
        assert (await metrics(queries, clock, shared).latest(None))["total_decisions"] == before + 1


async def test_the_last_figures_outlive_the_database(queries: CountingQueries, clock: ManualClock) -> None:
    """With their age, and marked; without any there is an error."""
    worker = metrics(queries, clock)
    queries.is_away = True
    with pytest.raises(Unavailable):
        await worker.latest(None)
    queries.is_away = False
    known = await worker.latest(None)
    assert (known["age_seconds"], known["stale"]) == (0.0, False)
    queries.is_away = True
    clock.advance(3600)
    assert await worker.latest(None) == {**known, "age_seconds": 3600.0, "stale": True}


async def test_what_redis_has_outlives_the_database_too(queries: CountingQueries, clock: ManualClock) -> None:
    """A worker that has asked nothing yet shows what another one has published."""
    shared = DictValues()
    known = await metrics(queries, clock, shared).latest(None)
    queries.is_away = True
    clock.advance(20)
    assert await metrics(queries, clock, shared).latest(None) == {**known, "age_seconds": 20.0, "stale": True}

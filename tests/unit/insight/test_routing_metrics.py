"""The live figures: computed once, shared, and the last ones known while the database is away."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from farthing.background.clock import ManualClock
from farthing.domain.errors import Unavailable
from farthing.insight.routing_metrics import FRESH_US, KEPT_S, NAME, RoutingMetrics
from farthing.ports import Queries


class CountingQueries:
    """Counts how often it is asked, and can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    async def routing_metrics(self, tenant: str | None) -> dict[str, Any]:
        """How often it was asked."""
        if self.is_away:
            raise Unavailable("away")
        self.asked += 1
        return {"asked": self.asked, "tenant": tenant}


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


def metrics(queries: CountingQueries, clock: ManualClock, shared: DictValues | None = None) -> RoutingMetrics:
    """Of one worker."""
    return RoutingMetrics(queries=cast("Queries", queries), shared=shared, clock=clock)


async def test_figures_are_computed_once_while_they_are_fresh(clock: ManualClock) -> None:
    """However many look; afterwards anew."""
    queries = CountingQueries()
    worker = metrics(queries, clock)
    assert [(await worker.latest(None))["asked"] for _ in range(5)] == [1] * 5
    clock.advance(FRESH_US / 1e6)
    assert (await worker.latest(None))["asked"] == 2


async def test_workers_share_them_where_there_is_a_redis(clock: ManualClock) -> None:
    """The second worker reads what the first has published for thirty seconds."""
    queries, shared = CountingQueries(), DictValues()
    first = await metrics(queries, clock, shared).latest(None)
    assert await metrics(queries, clock, shared).latest(None) == first
    assert queries.asked == 1
    assert shared.values[NAME][1] == KEPT_S
    assert msgspec.json.decode(shared.values[NAME][0]) == first


async def test_garbage_in_redis_is_passed_over(clock: ManualClock) -> None:
    """And replaced."""
    queries, shared = CountingQueries(), DictValues()
    await shared.put(NAME, b"{", 30)
    assert (await metrics(queries, clock, shared).latest(None))["asked"] == 1


async def test_a_tenant_sees_its_own_and_shares_nothing(clock: ManualClock) -> None:
    """Only the figures of all together are published."""
    queries, shared = CountingQueries(), DictValues()
    assert (await metrics(queries, clock, shared).latest("acme"))["tenant"] == "acme"
    assert shared.values == {}


async def test_the_last_figures_outlive_the_database(clock: ManualClock) -> None:
    """Their age can be told by `generated_at`; without any there is an error."""
    queries = CountingQueries()
    worker = metrics(queries, clock)
    queries.is_away = True
    with pytest.raises(Unavailable):
        await worker.latest(None)
    queries.is_away = False
    known = await worker.latest(None)
    queries.is_away = True
    clock.advance(3600)
    assert await worker.latest(None) == known

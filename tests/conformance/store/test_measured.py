"""What savings are measured by and what forecasts go by, asked of every database."""

from __future__ import annotations

from farthing.domain.budget import Budget
from farthing.domain.routing.holdback import group_of, unit_of
from farthing.ports import Stretch
from farthing.store import Store
from tests.conformance.store.samples import DAY_US, HOUR_US, NOON_US, exchange

EVER = Stretch()


async def test_sides_are_summed_over_whole_days_with_what_people_said(store: Store) -> None:
    """By group of users' days; rows without a cost are no part of it, nor what programs say."""
    back = exchange(arm="hold_back", experiment_id=None, strategy="hold_back", cost=1_000)
    routed = [exchange(arm="routed", experiment_id=None, created_at_us=NOON_US + n) for n in range(2)]
    unpriced = exchange(arm="routed", experiment_id=None, cost=None, baseline_cost=None)
    later = exchange(arm="routed", experiment_id=None, created_at_us=NOON_US + DAY_US)
    await store.ingest.write([back, *routed, unpriced, later, exchange(arm="control", experiment_id="e1")])
    await store.feedback.rate(back.request_id, 5, tenant="acme", principal=None)
    await store.feedback.rate(routed[0].request_id, 2, tenant="acme", principal=None)
    group = group_of(unit_of("acme", "ann", "", NOON_US))
    found = await store.queries.sides("acme", Stretch(NOON_US, NOON_US + 1))
    held = found.held
    assert (held.requests[group], held.cost[group], held.baseline_cost[group]) == (1, 1_000, 1_000)
    assert (sum(held.requests), sum(found.routed.requests), sum(found.routed.cost)) == (1, 2, 600)
    ever = await store.queries.sides("acme", EVER)
    assert sum(ever.routed.requests) == 3
    assert (ever.held.ratings.sums[group], ever.held.ratings.counts[group]) == (1.0, 1)
    assert (ever.routed.ratings.sums[group], ever.routed.ratings.counts[group]) == (0.25, 1)
    assert sum((await store.queries.sides("other", EVER)).routed.requests) == 0


async def test_what_each_day_cost(store: Store) -> None:
    """In all and by budget, of the budget's tenant unless it is everybody's."""
    rows = [("acme", "small", 0, 100), ("acme", "large", 1, 300), ("other", "small", 1, 50), ("acme", "small", 0, 7)]
    await store.ingest.write(
        [
            exchange(tenant=tenant, model=model, created_at_us=NOON_US + day * DAY_US, cost=cost)
            for tenant, model, day, cost in rows
        ]
    )
    midnight = NOON_US - 12 * HOUR_US
    stretch = Stretch(midnight, midnight + 2 * DAY_US)
    queries = store.queries
    assert await queries.daily("acme", stretch) == {midnight: 107, midnight + DAY_US: 300}
    assert await queries.daily(None, stretch) == {midnight: 107, midnight + DAY_US: 350}
    assert await queries.daily(None, Stretch(midnight, midnight + DAY_US)) == {midnight: 107}
    small = Budget(id="small", tenant="acme", scope="model", subject="small", window="month", limit=1)
    large = Budget(id="large", tenant="other", scope="model", subject="large", window="month", limit=1)
    every = Budget(id="every", tenant="", scope="gateway", subject="", window="month", limit=1)
    assert await queries.daily_of([small, large, every], stretch) == {
        "small": {midnight: 107},
        "large": {},
        "every": {midnight: 107, midnight + DAY_US: 350},
    }

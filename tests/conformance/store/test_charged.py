"""What an invoice is compared with: the rows of a month at one provider, by day and model."""

from __future__ import annotations

from farthing.domain.chat import Usage
from farthing.domain.reconciliation import Booked
from farthing.store import Store
from tests.conformance.store.samples import DAY_US, NOON_US, TOKENS_IN, TOKENS_OUT, exchange


async def test_a_month_is_summed_by_day_and_model(store: Store) -> None:
    """Of one provider, whoever asked; months and days are those of UTC."""
    midnight = NOON_US - DAY_US // 2
    await store.ingest.write(
        [
            exchange(created_at_us=midnight, cost=10),
            exchange(created_at_us=midnight + DAY_US - 1, cost=20, tenant="bolt"),
            exchange(created_at_us=midnight + DAY_US, cost=40),
            exchange(created_at_us=midnight + 31 * DAY_US - 1, cost=80, model="large"),
            exchange(created_at_us=midnight - 1, cost=1),
            exchange(created_at_us=midnight + 31 * DAY_US, cost=1),
            exchange(cost=1, provider="elsewhere"),
        ]
    )
    tokens = TOKENS_IN + TOKENS_OUT
    assert await store.queries.charged("openai", NOON_US) == [
        Booked(day="2025-12-01", model="small", requests=2, tokens=2 * tokens, cost=30),
        Booked(day="2025-12-02", model="small", requests=1, tokens=tokens, cost=40),
        Booked(day="2025-12-31", model="large", requests=1, tokens=tokens, cost=80),
    ]


async def test_what_cost_nothing_is_on_no_invoice(store: Store) -> None:
    """Answers from a cache and refusals are left out; a request whose cost is unknown is counted."""
    await store.ingest.write(
        [
            exchange(cost=0, status="cached", cache="hit"),
            exchange(cost=0, status="rejected", usage=Usage()),
            exchange(cost=None, usage=Usage(prompt=5)),
        ]
    )
    assert await store.queries.charged("openai", NOON_US) == [
        Booked(day="2025-12-01", model="small", requests=1, tokens=5, cost=0, unpriced=1)
    ]

"""The month as reports tell it, on every database."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.budget import span
from farthing.domain.chat import Usage
from farthing.domain.exchange import Exchange
from farthing.domain.report import DIMENSIONS, Charge
from farthing.ports import Stretch
from farthing.store import Store
from farthing.store.queries import month as module
from tests.conformance.store.samples import DAY_US, NOON_US, TOKENS_IN, TOKENS_OUT, exchange

_SPAN = span("month", NOON_US)
DECEMBER = Stretch(_SPAN.start_us, _SPAN.end_us)
MIDNIGHT_US = NOON_US - DAY_US // 2


async def found(store: Store, tenant: str | None = None, stretch: Stretch = DECEMBER) -> list[Charge]:
    """Every charge of the month."""
    return [charge async for batch in store.queries.charges(tenant, stretch) for charge in batch]


def some(dice: random.Random, count: int) -> list[Exchange]:
    """Requests of all kinds, around the month's borders too, some of a price that is not known."""
    moments = [MIDNIGHT_US - 1, MIDNIGHT_US, MIDNIGHT_US + DAY_US, _SPAN.end_us or 0, NOON_US + 3 * DAY_US]
    return [
        exchange(
            created_at_us=dice.choice(moments) + dice.choice([0, dice.randrange(1000)]),
            tenant=dice.choice(["acme", "other"]),
            model=dice.choice(["small", "large", None]),
            team=dice.choice(["support", None]),
            tags=dice.choice([{}, {"a": "1", "b": "2"}, {"b": "2", "a": "1"}]),
            usage=Usage(prompt=dice.randrange(9), completion=dice.randrange(9), estimated=dice.random() < 0.3),
            cost=dice.choice([None, 0, dice.randrange(10**12)]),
            baseline_cost=dice.choice([None, dice.randrange(10**12)]),
        )
        for _ in range(count)
    ]


def within(rows: Sequence[Exchange]) -> list[Exchange]:
    """Those of the month."""
    return [row for row in rows if _SPAN.start_us <= row.created_at_us < (_SPAN.end_us or 0)]


def added(charges: Sequence[Charge]) -> tuple[int, ...]:
    """The sum of each figure."""
    names = ("requests", "tokens_in", "tokens_out", "cost", "baseline_cost", "savings")
    return tuple(sum(getattr(charge, name) for charge in charges) for name in names)


async def test_what_is_alike_on_a_day_is_one_charge(store: Store) -> None:
    """Whatever the order of its tags; another day, and another way in which the cost is known, is another charge."""
    tags = {"env": "prod", "feature": "triage"}
    again = exchange(created_at_us=NOON_US + DAY_US, tags={})
    rows = [exchange(tags=tags), exchange(tags=dict(reversed(tags.items()))), again, exchange(tags=tags, cost=None)]
    await store.ingest.write(rows)
    one = Charge(
        day_us=MIDNIGHT_US,
        tenant="acme",
        provider="openai",
        model="small",
        key_id="key-1",
        team="support",
        tags=(("env", "prod"), ("feature", "triage")),
        requests=2,
        tokens_in=2 * TOKENS_IN,
        tokens_out=2 * TOKENS_OUT,
        cost=600,
        baseline_cost=2000,
        savings=1400,
    )
    single: dict[str, Any] = {"requests": 1, "tokens_in": TOKENS_IN, "tokens_out": TOKENS_OUT, "baseline_cost": 1000}
    assert await found(store) == [
        one,
        replace(one, **single, basis="unpriced", cost=0, savings=0),
        replace(one, **single, day_us=MIDNIGHT_US + DAY_US, tags=(), cost=300, savings=700),
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_charges_sums_and_rows_agree_to_the_nano_dollar(
    store: Store, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """For one tenant as for all, however the rows fall on pages, and where a day has more charges than are held."""
    monkeypatch.setattr(module, "PAGE", 7)
    monkeypatch.setattr(module, "MOST", 5 if seed else 1000)
    rows = some(random.Random(seed), 100)
    await store.ingest.write(rows)
    for tenant in (None, "acme"):
        mine = [row for row in within(rows) if tenant in (None, row.tenant)]
        charges = await found(store, tenant)
        assert added(charges) == (
            len(mine),
            sum(row.usage.tokens_in for row in mine),
            sum(row.usage.tokens_out for row in mine),
            sum(row.cost or 0 for row in mine),
            sum(row.baseline_cost or 0 for row in mine),
            sum(row.savings for row in mine),
        )
        told = await store.queries.month(tenant, DECEMBER)
        for dimension in DIMENSIONS:
            assert told["usage"][dimension]["total"]["cost"] == sum(each.cost for each in charges)
        assert told["savings"]["saved"] == sum(each.savings for each in charges)
        estimated = [row.cost for row in mine if row.usage.estimated and row.cost is not None]
        assert told["estimated"] == {"requests": len(estimated), "cost": sum(estimated)}


async def test_charges_that_are_held_come_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a day with no more than that no two are alike."""
    monkeypatch.setattr(module, "PAGE", 10)
    await store.ingest.write(some(random.Random(9), 80))
    alike = [(c.day_us, c.tenant, c.provider, c.model, c.key_id, c.team, c.tags, c.basis) for c in await found(store)]
    assert len(alike) == len(set(alike))


async def test_an_empty_month_has_no_charges(store: Store) -> None:
    """Nor sums."""
    assert await found(store) == []
    assert (await store.queries.month(None, DECEMBER))["estimated"] == {"requests": 0, "cost": 0}

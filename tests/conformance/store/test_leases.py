"""What is spent and leased of a budget together never exceeds its limit, whoever asks at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from farthing.domain.budget import Budget, Place, Scope, Span, Standing, Window, span
from farthing.domain.exchange import Exchange
from farthing.store import Store
from farthing.store.leases import Lessee
from farthing.store.schema import budget_leases
from tests.conformance.store.samples import NOON_US, exchange

DAY = span("day", NOON_US)
PLACE = Place("b1", DAY.start_us)
BUDGET = Budget(id="b1", tenant="acme", scope="key", subject="k1", window="day", limit=1_000)


def row(number: int, cost: int) -> Exchange:
    """A row of the key's."""
    request_id = f"00000000-0000-7000-8000-{number:012d}"
    return exchange(request_id=request_id, tenant="acme", key_id="k1", cost=cost)


def charges(rows: object) -> Mapping[Place, int]:
    """What they cost the budget."""
    assert isinstance(rows, list | tuple)
    return {PLACE: sum(each.cost or 0 for each in rows)}


async def grant(store: Store, worker: str, amount: int, budget: Budget = BUDGET, window: Span = DAY) -> Standing | None:
    """Leases so much if it is free; how the budget stood before, None where it binds nobody."""
    place, seen = Place(budget.id, window.start_us), list[Standing]()

    def choose(standings: Mapping[Place, Standing]) -> Mapping[Place, int]:
        seen.extend(standings.values())
        return {place: amount} if place in standings and amount <= standings[place].free else {}

    await store.leases.grant(worker, {place: (budget, window)}, choose)
    return seen[0] if seen else None


@pytest.fixture
async def budgeted(store: Store) -> Store:
    """A store with one hard budget."""
    await store.budgets.create(BUDGET, created_at_us=NOON_US)
    return store


async def test_workers_that_ask_at_once_share_what_is_there(budgeted: Store) -> None:
    """Twelve ask for a hundred each, and ten get it."""
    await asyncio.gather(*(grant(budgeted, f"w{number}", 100) for number in range(12)))
    assert await budgeted.leases.held() == {PLACE: 1_000}
    owned = [await budgeted.leases.own(f"w{number}", renew=False) for number in range(12)]
    assert sorted(map(len, owned)) == [0, 0, *[1] * 10]


async def test_a_row_leaves_its_lease_when_it_reaches_the_ledger(budgeted: Store) -> None:
    """In the same transaction, once, by exactly what is new; and no lease gets below zero."""
    await grant(budgeted, "w1", 600)
    lessee = Lessee("w1", charges)
    assert await budgeted.ingest.write([row(1, 100), row(2, 50)], lessee) == 2
    assert await budgeted.ingest.write([row(2, 50), row(3, 30)], lessee) == 1
    assert await budgeted.ingest.write([row(1, 100), row(2, 50)], lessee) == 0
    assert await grant(budgeted, "w2", 0) == Standing(limit=1_000, spent=180, leased=420)
    await budgeted.ingest.write([row(4, 700)], lessee)
    assert await grant(budgeted, "w2", 0) == Standing(limit=1_000, spent=880, leased=0)


@pytest.mark.parametrize(
    ("scope", "tenant", "subject"),
    [
        ("team", "acme", "support"),
        ("tenant", "acme", "acme"),
        ("gateway", "", ""),
        ("gateway", "", "judge"),
        ("model", "acme", "small"),
    ],
)
@pytest.mark.parametrize("window", ["week", "month", "total"])
async def test_every_kind_of_budget_knows_how_it_stands(
    store: Store, scope: Scope, tenant: str, subject: str, window: Window
) -> None:
    """Whoever it is for and however long its window is."""
    budget = Budget(id="b2", tenant=tenant, scope=scope, subject=subject, window=window, limit=1_000)
    await store.budgets.create(budget, created_at_us=NOON_US)
    await store.ingest.write([replace(row(1, 70), team="support", model="small", strategy="judge")])
    assert await grant(store, "w1", 5, budget, span(window, NOON_US)) == Standing(limit=1_000, spent=70, leased=0)
    assert await grant(store, "w1", 6, budget, span(window, NOON_US)) == Standing(limit=1_000, spent=70, leased=5)
    assert sum((await store.leases.own("w1", renew=True)).values()) == 11


async def test_a_budget_that_binds_nobody_is_not_leased_from(store: Store) -> None:
    """A soft one, and one that is not there."""
    assert await grant(store, "w1", 1) is None
    await store.budgets.create(replace(BUDGET, is_hard=False), created_at_us=NOON_US)
    assert await grant(store, "w1", 1) is None
    assert await store.leases.held() == {}


async def test_leases_are_given_back_dropped_and_deleted_with_their_budget(budgeted: Store) -> None:
    """Each worker's for itself."""
    for worker in ("w1", "w2", "w3"):
        await grant(budgeted, worker, 100)
    await budgeted.leases.give_back("w1", {PLACE: 40})
    await budgeted.leases.drop("w2")
    assert await budgeted.leases.held() == {PLACE: 160}
    assert await budgeted.leases.own("w1", renew=False) == {PLACE: 60}
    await budgeted.budgets.delete("b1")
    assert await budgeted.leases.held() == {}


async def test_a_worker_that_renews_loses_only_what_is_used_up(budgeted: Store) -> None:
    """An empty lease is no lease."""
    await grant(budgeted, "w1", 100)
    await budgeted.leases.give_back("w1", {PLACE: 100})
    assert await budgeted.leases.own("w1", renew=False) == {PLACE: 0}
    assert await budgeted.leases.own("w1", renew=True) == {}


async def test_leases_that_nobody_renewed_are_ended(budgeted: Store) -> None:
    """By the database's own clock; the others stay."""
    await grant(budgeted, "dead", 100)
    await grant(budgeted, "alive", 200)
    assert await budgeted.leases.reap(600) == 0
    old = sa.update(budget_leases).where(budget_leases.c.worker == "dead").values(renewed_at=NOON_US)
    async with budgeted._engines.writing() as connection:
        await connection.execute(old)
    assert await budgeted.leases.reap(600) == 1
    assert await budgeted.leases.held() == {PLACE: 200}

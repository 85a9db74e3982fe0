"""F13 and F14: many requests, workers and hosts race for one budget; it is used up exactly, and never exceeded."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from farthing.background.clock import SystemClock
from farthing.domain.budget import Budget
from farthing.domain.pricing import NANO
from farthing.store import open_store
from tests.faults.rig.books import summed
from tests.faults.rig.cluster import workers
from tests.faults.rig.load import Ask, Heard, Holder, percentile, together, until
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Wish
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres

CENT = NANO // 100
TOKENS = 30
"""Of an answer, which costs a cent."""
CHUNKS = 5
MODEL = f"""
[[models]]
name = "cent"
provider = "a"
tier = "simple"
input_usd_per_mtok = 0
output_usd_per_mtok = {10_000 / TOKENS:.9f}
"""
TEXT = {"more": MODEL}
SOON_S = 40.0


def asks(holder: Holder, name: str, number: int, *, most: int | None = TOKENS, **wish: Any) -> list[Ask]:
    """Questions whose answers cost a cent each and may have `most` tokens; every other one streams."""
    return [
        Ask(
            user=f"{name}-{place}",
            wish=Wish(nonce=f"{name}-{place}", chunks=CHUNKS, **{"first_ms": 20, "every_ms": 2, **wish}),
            holder=holder,
            stream=place % 2 == 0,
            model="cent",
            max_tokens=most,
        )
        for place in range(number)
    ]


def dollar(holder: Holder, dollars: int = 1) -> Budget:
    """What its key may spend in a day."""
    return Budget(id="b1", tenant=holder.tenant, scope="key", subject=holder.key_id, window="day", limit=dollars * NANO)


async def leased(site: Site) -> int:
    """Nano-dollars that workers have set aside."""
    store = open_store(site.database, clock=SystemClock())
    try:
        return sum((await store.leases.held()).values())
    finally:
        await store.aclose()


async def spent(site: Site) -> int:
    """Nano-dollars in the ledger, rows and sums being the same."""
    rows = await site.books.rows()
    assert {place: (await site.books.sums(1440)).get(place) for place in summed(rows)} == summed(rows)
    return sum(row.cost or 0 for row in rows)


def statuses(heard: Sequence[Heard]) -> dict[int, int]:
    """How many answers of each status."""
    return dict(Counter(each.status for each in heard))


async def quiet(site: Site, rows: int) -> None:
    """Every row is in the ledger, and nothing is set aside any more."""
    await site.books.settled(rows)
    assert await until(lambda: nothing_leased(site), within_s=SOON_S) <= SOON_S


async def nothing_leased(site: Site) -> bool:
    """Whether that is so."""
    return await leased(site) == 0


def asked_vendor(rig: Rig, name: str) -> int:
    """Questions of this name that the vendor has seen."""
    return sum(entry.nonce.startswith(f"{name}-") for entry in rig.vendors.entries().values())


async def insistently(rig: Rig, asked: list[Ask], site: Site) -> list[Heard]:
    """All at once; who is told to wait, as a busy machine has to tell some, asks again."""
    heard, waited = await together(asked, site.ports), 0
    while again := [each.ask for each in heard if each.status == 503]:
        waited += len(again)
        heard = [each for each in heard if each.status != 503] + await together(again, site.ports)
    rig.gate("requests that are told to wait", waited, 0)
    return heard


async def race(rig: Rig, site: Site, holder: Holder, name: str) -> None:
    """Of 200 requests at once, exactly 100 get the cent they need; the others never reach the vendor."""
    heard = await insistently(rig, asks(holder, name, 200), site)
    assert statuses(heard) == {200: 100, 402: 100}
    assert all(each.is_complete for each in heard if each.status == 200)
    refused = [each for each in heard if each.status == 402]
    assert {each.headers["x-should-retry"] for each in refused} == {"false"}
    assert not any("retry-after" in each.headers for each in refused)
    assert asked_vendor(rig, name) == 100
    await quiet(site, 200)
    assert await spent(site) == NANO


@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["directly", pytest.param("through PgBouncer", marks=pytest.mark.long)])
async def test_a_dollar_is_spent_to_the_last_cent_and_not_a_nano_dollar_more(
    rig: Rig, postgres_database: str, pgbouncer: PgBouncer, way: str
) -> None:
    """F14: on 2 x 2 workers over one PostgreSQL."""
    via = postgres_database if way == "directly" else pgbouncer.url(postgres_database.rsplit("/", 1)[1])
    site = await rig.start(postgres_database, database=via, instances=2, workers=2, text=TEXT, budget=dollar)
    holder = site.holders[0]
    await race(rig, site, holder, "race")
    late = [each for place in range(50) for each in await insistently(rig, asks(holder, f"late{place}", 1), site)]
    assert statuses(late) == {402: 50}
    took = [each.seconds * 1000 for each in late]
    rig.tell(
        f"F14 {way}",
        "$1.00, 200 at once on 2x2 workers: 100 answered, $1.000000000 settled, 100 refused, vendor asked 100 times; "
        f"a refusal takes {percentile(took, 0.5):.1f} ms p50, {percentile(took, 0.99):.1f} ms p99",
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workers_", [pytest.param(1, marks=pytest.mark.long), 2])
async def test_the_embedded_database_is_as_exact(rig: Rig, workers_: int) -> None:
    """F14: one process that needs no lease, and two that do."""
    site = await rig.start(workers=workers_, text=TEXT, budget=dollar)
    await race(rig, site, site.holders[0], "embedded")


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_nearly_all_of_a_budget_can_be_used_where_more_is_held_than_spent(
    rig: Rig, postgres_database: str
) -> None:
    """F14: with reserves of five times the cost, 95 cents of a dollar are spent before the last refusal."""
    site = await rig.start(postgres_database, instances=2, workers=2, text=TEXT, budget=dollar)
    holder = site.holders[0]
    answered = waves = 0
    while waves < 60:
        heard = await together(asks(holder, f"wave{waves}", 8, most=5 * TOKENS), site.ports)
        assert set(statuses(heard)) <= {200, 402}
        answered += statuses(heard).get(200, 0)
        waves += 1
        if 200 not in statuses(heard):
            if await nothing_leased(site):
                break
            await asyncio.sleep(0.5)
    assert 95 <= answered <= 100
    await quiet(site, 1)
    assert await spent(site) == answered * CENT
    rig.tell(
        "F14 reserve 5x", f"$1.00 with 5 cents held for each cent spent: {answered} answered in {waves} waves of 8"
    )


@pytest.mark.timeout(120)
async def test_a_killed_worker_takes_no_money_along(rig: Rig, postgres_database: str) -> None:
    """F14: killed in the middle of the race, its requests are booked, its lease ends, and the budget still holds."""
    site = await rig.start(postgres_database, instances=2, workers=2, text=TEXT, budget=dollar)
    holder = site.holders[0]
    race = asyncio.ensure_future(together(asks(holder, "kill", 200, first_ms=2_000), site.ports))
    await asyncio.sleep(1.5)
    os.kill(workers(site.gateway)[0], signal.SIGKILL)
    heard = await race
    assert set(statuses(heard)) <= {0, 200, 402, 503}
    rig.gate("requests that are told to wait", statuses(heard).get(503, 0), 0)
    await quiet(site, 1)
    assert await spent(site) <= NANO
    answered = statuses(heard)[200]
    more = [each for place in range(100) for each in await insistently(rig, asks(holder, f"more{place}", 1), site)]
    answered += statuses(more).get(200, 0)
    await quiet(site, 1)
    assert await spent(site) == answered * CENT == NANO
    rig.tell("F14 kill -9", f"{statuses(heard)} in the race, the lease is free again, then {statuses(more)}: $1 in all")


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_while_the_database_is_down_what_was_leased_is_spent_and_not_more(
    rig: Rig, postgres: Postgres, postgres_database: str
) -> None:
    """F14: what a worker has leased ahead lasts on; who needs more is told to wait, and nothing is spent twice."""
    site = await rig.start(postgres_database, workers=2, text=TEXT, budget=partial(dollar, dollars=1_000))
    holder = site.holders[0]
    before = [each for wave in range(15) for each in await together(asks(holder, f"a{wave}", 8), site.ports)]
    assert statuses(before) == {200: 120}
    await asyncio.sleep(1)
    await asyncio.to_thread(postgres.kill)
    during = [each for wave in range(10) for each in await together(asks(holder, f"b{wave}", 4), site.ports)]
    assert statuses(during) == {200: 40}
    await asyncio.to_thread(postgres.mend)
    await quiet(site, 160)
    assert await spent(site) == 160 * CENT
    rig.tell("F14 database down", "a busy budget of $1,000: 40 of 40 answered from leases while PostgreSQL was down")


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_small_budget_waits_for_its_database(rig: Rig, postgres: Postgres, postgres_database: str) -> None:
    """F14: nothing is leased ahead of a dollar, so it refuses nobody and lets nobody in while that cannot be told."""
    site = await rig.start(postgres_database, instances=2, workers=2, text=TEXT, budget=dollar)
    holder = site.holders[0]
    assert statuses(await together(asks(holder, "a", 40), site.ports)) == {200: 40}
    await asyncio.to_thread(postgres.kill)
    during = await together(asks(holder, "b", 40), site.ports)
    told = [each for each in during if each.status == 503]
    assert set(statuses(during)) <= {200, 503}
    assert all(b"accounting_unavailable" in each.body and "retry-after" in each.headers for each in told)
    await asyncio.to_thread(postgres.mend)
    await asyncio.sleep(3)
    after = await together(asks(holder, "c", 200), site.ports)
    assert set(statuses(after)) <= {200, 402}
    await quiet(site, 1)
    assert await spent(site) <= NANO
    rig.tell(
        "F14 database stopped", f"$1.00: 40 answered before, {statuses(during)} without it, {statuses(after)} after"
    )

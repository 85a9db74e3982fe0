"""F22 and F23: identical requests share one purchase, whoever leaves, and no part of an answer passes for the whole."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from tests.faults.rig.books import check
from tests.faults.rig.load import Ask, canary, percentile, send, together
from tests.faults.rig.site import Rig
from tests.faults.rig.words import Mood, Wish, text

TOGETHER = 60
WORKERS = 2
ADDED_S = 0.05


def same(number: int, name: str, tenant: str = "tenant0") -> Wish:
    """One question for all who ask by this name."""
    del number
    return Wish(nonce=f"{name}-{tenant}", canary=canary(tenant), first_ms=300, every_ms=5)


@pytest.mark.timeout(120)
async def test_a_crowd_buys_one_answer(rig: Rig, redis_database: str, postgres_database: str) -> None:
    """F22: a tenant's whole answer is bought once, a stream once a worker, also where the first to ask leaves."""
    site = await rig.start(postgres_database, redis=redis_database, workers=WORKERS)
    number = 500 if rig.is_full else TOGETHER
    asks = []
    for place in range(number):
        holder = site.holders[place % 2]
        wish = same(place, "calm", holder.tenant)
        asks.append(Ask(user=f"c{place}", wish=wish, holder=holder, cache=True, stream=place % 4 < 2))
    calm = await together(asks, site.ports)
    leaving = [
        replace(ask, user=f"l{place}", wish=replace(ask.wish, nonce=f"left-{ask.holder.tenant if ask.holder else ''}"))
        for place, ask in enumerate(asks)
    ]
    first = [replace(ask, user=f"f{place}", leave_after_s=0.3) for place, ask in enumerate(leaving[:20])]
    gone = asyncio.ensure_future(together(first, site.ports))
    await asyncio.sleep(0.05)
    left = await together(leaving, site.ports)
    heard = [*calm, *left, *await gone]
    await site.books.settled(len(heard) - len(first))
    entries = rig.vendors.entries()
    # Where all who had asked have left before the others come, their purchase ends and is none of the others'.
    bought = [entry.nonce for entry in entries.values() if entry.event == "ended"]
    tenants, most = 2, 1 + WORKERS
    for name in ("calm", "left"):
        times = len([nonce for nonce in bought if nonce.startswith(name)])
        # A Redis that a busy machine keeps from answering in time is away: each worker then buys for itself.
        assert times <= tenants * 2 * WORKERS
        rig.gate(f"purchases where all are {name}", times, tenants * most)
    assert len(entries) - len(bought) <= tenants * most
    assert all(each.is_complete for each in [*calm, *left])
    verdict = await check(site.books, heard, entries, attempts=False)
    whole = 0.3 + 20 * 0.005
    took_s = {row.user: row.duration_us / 1e6 for row in await site.books.rows()}
    added = percentile([took_s[each.ask.user] - whole for each in calm], 0.99)
    heard_s = percentile([each.seconds - whole for each in calm], 0.99)
    rig.tell(
        "F22",
        f"2 x {number} identical requests of 2 tenants, half streaming, 2 workers: {len(bought)} purchases "
        f"({tenants * most} at most each), {verdict.by_status['cached']} shared or kept; all answered, p99 "
        f"{1000 * added:.0f} ms after the vendor's end at the gateway, {1000 * heard_s:.0f} ms for one process that "
        "reads them all",
    )
    rig.gate("seconds from the vendor's end to the last answers", added, ADDED_S)


@pytest.mark.timeout(120)
async def test_a_failed_purchase_fails_nobody_else_for_long(rig: Rig) -> None:
    """F22: where the vendor fails the leader, all are told; who asks next is answered."""
    site = await rig.start()
    holder = site.holders[0]
    rig.vendors.be(a=Mood(status=500, after_ms=2_000))
    asks = [Ask(user=f"e{place}", wish=same(place, "error"), holder=holder, cache=True) for place in range(50)]
    failed = await together(asks, site.ports)
    assert {each.status for each in failed} == {503}
    assert len(rig.vendors.entries()) <= 2
    rig.vendors.be(a=Mood())
    answered = await send(replace(asks[0], user="next"), site.gateway.port)
    assert answered.is_complete
    heard = [*failed, answered]
    await site.books.settled(len(heard))
    await check(site.books, heard, rig.vendors.entries(), allowed=frozenset({503}), attempts=False)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_no_part_of_an_answer_is_kept_for_the_whole(
    rig: Rig, redis_database: str, postgres_database: str
) -> None:
    """F23: streams that the client or the vendor breaks off at any chunk are never served from a cache."""
    site = await rig.start(
        postgres_database, redis=redis_database, text={"ports": {"a": rig.vendors.port}, "timeouts": "idle_s = 0.5"}
    )
    dice, holder, number = rig.dice, site.holders[0], 200
    wishes = [Wish(nonce=f"p{place}", canary=canary(holder.tenant), first_ms=5, every_ms=5) for place in range(number)]
    asks = []
    for place, wish in enumerate(wishes):
        is_left = place % 2 == 0
        asks.append(
            Ask(
                user=f"b{place}",
                wish=wish if is_left else replace(wish, silent_after=1 + dice.randrange(19)),
                holder=holder,
                cache=True,
                leave_after_s=dice.random() * 0.12 if is_left else None,
            )
        )
    broken = [heard for start in range(0, number, 20) for heard in await together(asks[start : start + 20], site.ports)]
    again = await together(
        [
            replace(ask, user=f"a{ask.user}", wish=wish, leave_after_s=None)
            for ask, wish in zip(asks, wishes, strict=True)
        ],
        site.ports,
    )
    assert all(each.text == text(each.ask.wish) for each in again)
    await site.books.settled(sum(each.is_complete for each in [*broken, *again]))
    await check(site.books, [*broken, *again], rig.vendors.entries(), allowed=frozenset({504}), attempts=False)
    kept = sum(each.headers["x-farthing-cache"] == "hit" for each in again)
    rig.tell(
        "F23",
        f"{number} streams broken off, half by the client, half by the vendor; asked again all whole, {kept} hits",
    )

"""F16 and F24: clients that leave at any moment leave a row, and nothing of theirs reaches anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import ceil
from random import Random

import pytest

from farthing.domain.tokens import estimate
from tests.faults.rig.books import Row, check, check_estimate
from tests.faults.rig.cluster import callers_of, vitals, workers
from tests.faults.rig.load import Ask, Heard, canary, percentile, send, together, until
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Entry, Wish, text

AT_ONCE = 40
FILES = 8
ABORTED_S = 1.0
EVERY_S = 0.025
"""Between two chunks of the streams that are left."""


async def crowd(asks: Sequence[Ask], ports: Sequence[int]) -> list[Heard]:
    """All of them, so many at once."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(ask: Ask, port: int) -> Heard:
        async with turns:
            return await send(ask, port)

    return await asyncio.gather(*(one(ask, ports[place % len(ports)]) for place, ask in enumerate(asks)))


def leavers(site: Site, dice: Random, number: int) -> list[Ask]:
    """Clients of every kind, who leave at any moment."""
    asks = []
    for place in range(number):
        holder = site.holders[dice.randrange(len(site.holders))]
        is_cached = dice.random() < 0.5
        name = f"c{dice.randrange(50)}" if is_cached else f"r{place}"
        wish = Wish(nonce=f"{name}-{holder.tenant}", canary=canary(holder.tenant), first_ms=5, every_ms=5, chunks=10)
        asks.append(
            Ask(
                user=f"u{place}",
                wish=wish,
                holder=holder,
                stream=dice.random() < 0.6,
                cache=is_cached,
                leave_after_s=dice.random() ** 2 * 0.12,
            )
        )
    return asks


@pytest.mark.timeout(600)
async def test_cancellations_mix_nobody_up(
    rig: Rig,
    redis_database: str,
    postgres_database: str,
) -> None:
    """F16: no byte of another tenant, every connection given back, and every question answered rightly afterwards."""
    number = 10_000 if rig.is_full else 300
    site = await rig.start(postgres_database, redis=redis_database, workers=2)
    warm = [
        Ask(user=f"w{place}", wish=Wish(nonce=f"w{place}", first_ms=1), holder=site.holders[0])
        for place in range(2 * AT_ONCE)
    ]
    heard = await together(warm, site.ports)
    pids = workers(site.gateway)
    before = vitals(pids)
    left = await crowd(leavers(site, rig.dice, number), site.ports)
    after = [
        Ask(user=f"x{place}", wish=Wish(nonce=f"x{place}-{holder.tenant}", first_ms=1), holder=holder, cache=True)
        for place, holder in enumerate(site.holders[:8] * 5)
    ]
    heard += left + await together(after, site.ports)
    unanswered = [each for each in heard if each.ask.leave_after_s is None and not each.is_complete]
    assert [(each.status, each.problem, each.body[:200]) for each in unanswered] == []
    await site.books.settled(sum(each.is_complete for each in heard))
    verdict = await check(site.books, heard, rig.vendors.entries(), attempts=False)
    await until(lambda: vitals(pids).files - before.files <= FILES * len(pids), within_s=60)
    files = vitals(pids).files - before.files
    cancelled = verdict.by_status.get("cancelled", 0)
    assert cancelled > number // 10
    rig.tell(
        "F16",
        f"{number} leave at random moments, {cancelled} cancelled rows of {verdict.rows}, 0 foreign bytes, open files "
        f"{files:+d} in {len(pids)} workers, all {len(after)} asked afterwards answered rightly",
    )


@pytest.mark.timeout(300)
async def test_who_leaves_is_charged_for_what_was_said(rig: Rig) -> None:
    """F24: one row each, input always counted, output between what was heard and what was said."""
    number = 1_500 if rig.is_full else 100
    site, dice = await rig.start(workers=1), rig.dice
    asks = []
    for place in range(number):
        holder = site.holders[place % len(site.holders)]
        wish = Wish(
            nonce=f"r{place}-{holder.tenant}",
            canary=canary(holder.tenant),
            first_ms=50,
            every_ms=round(1000 * EVERY_S),
            chunks=10,
        )
        leave = 0.03 + dice.random() * 0.3
        asks.append(Ask(user=f"u{place}", wish=wish, holder=holder, stream=place % 3 < 2, leave_after_s=leave))
    heard = await crowd(asks, site.ports)
    await until(lambda: not _open(site, rig.vendors.port), within_s=60)
    await site.books.settled(len(rig.vendors.entries()))
    entries = rig.vendors.entries()
    verdict = await check(site.books, heard, entries)
    rows = {row.user: row for row in await site.books.rows()}
    by_nonce = {entry.nonce: entry for entry in entries.values()}
    left = [
        (each, rows[each.ask.user], by_nonce.get(each.ask.wish.nonce))
        for each in heard
        if each.left and each.ask.user in rows
    ]
    delays = [_checked(*each) for each in left]
    surplus = [_surplus(*each) for each in left]
    rig.tell(
        "F24",
        f"{number} clients, {len(delays)} left; {verdict.rows} rows, each of what its client heard at least and of "
        f"what the vendor said at most, {sum(each <= 0 for each in surplus)} to the chunk; vendor dropped "
        f"{1000 * percentile(delays, 0.5):.0f} ms after (most {1000 * max(delays):.0f} ms)",
    )
    rig.gate("seconds until the vendor is dropped", max(delays), ABORTED_S)
    rig.gate("chunks not counted beyond what the vendor said after its listener had left", max(surplus), 0)


def _checked(heard: Heard, row: Row, entry: Entry | None) -> float:
    """Seconds after which the vendor heard that its listener had left.

    The row counts every chunk that the client has heard, and none that the vendor has not said; between the two lies
    what was on the wire when the client left.
    """
    if entry is None:
        assert row.status == "cancelled", row
        return 0.0
    if row.status == "ok":
        assert row.cost == heard.ask.wish.cost
        return 0.0
    assert row.status == "cancelled", row
    assert row.prompt_tokens > 0
    check_estimate(row)
    if heard.ask.stream:
        said = estimate(text(heard.ask.wish, entry.chunks))
        assert estimate(heard.text) <= row.completion_tokens <= said, f"{row} against {heard.text!r} and {entry}"
    return entry.at - heard.ended


def _surplus(heard: Heard, row: Row, entry: Entry | None) -> int:
    """Chunks that the row lacks, beside one and those that the vendor said before it knew of the leaving."""
    if entry is None or row.status == "ok" or not heard.ask.stream:
        return 0
    unheard = 1 + ceil(max(0.0, entry.at - heard.ended) / EVERY_S)
    counted = [estimate(text(heard.ask.wish, chunks)) <= row.completion_tokens for chunks in range(entry.chunks + 1)]
    return entry.chunks - (sum(counted) - 1) - unheard


def _open(site: Site, vendor: int) -> list[int]:
    """Connections of clients that are still open."""
    return [port for pid in workers(site.gateway) for port in callers_of(pid) if port not in {0, vendor}]

"""F01: workers that are killed at any moment lose nothing, double nothing, and harm nobody but their own callers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from random import Random

import pytest

from farthing.domain.tokens import estimate
from tests.faults.rig.books import Row, check, check_estimate, is_near
from tests.faults.rig.cluster import callers_of, workers
from tests.faults.rig.load import Ask, Heard, Load, send, standard
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Entry, Wish, text
from tests.servers.gateway import Gateway

RESTART_S = 3.0
RATE = 50.0
PROBES = 10
STREAMS = 50
LATER_MS, EVERY_MS = 30, 40
"""Between the first words of one stream and the next, and between a stream's chunks."""
CHUNK = 3
"""Tokens of a chunk as they are counted here."""


async def kill_one(gateway: Gateway, dice: Random) -> tuple[set[int], float]:
    """Kills a worker: the ports of its callers, and the seconds until everybody who calls then is answered."""
    victim = dice.choice(workers(gateway))
    os.kill(victim, signal.SIGSTOP)
    callers = callers_of(victim)
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    await asyncio.gather(*(_probe(gateway.port) for _ in range(PROBES)))
    return callers, time.monotonic() - began


async def _probe(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"200"
    writer.transport.abort()


async def kills(site: Site, load: Load, dice: Random, number: int) -> tuple[set[int], list[float]]:
    """Kills so many workers while the load runs: everybody who was being served, and how long each restart took."""
    victims, restarts = set[int](), list[float]()
    async with load.running():
        for _ in range(number):
            await asyncio.sleep(0.4 + dice.random() * 0.6)
            callers, seconds = await kill_one(site.gateway, dice)
            victims |= callers
            restarts.append(seconds)
        await asyncio.sleep(0.5)
    return victims, restarts


def failed(heard: list[Heard]) -> list[Heard]:
    """Those that heard no whole answer."""
    return [each for each in heard if not each.is_complete]


async def test_a_killed_stream_is_charged_for_what_it_had_said(rig: Rig) -> None:
    """To the chunk by the vendor's own ledger, flagged as an estimate, and to the nano-dollar what its tokens cost."""
    site = await rig.start(workers=1)
    asks = [
        Ask(
            user=f"u{place}",
            wish=Wish(nonce=f"k{place}", chunks=1_000, first_ms=LATER_MS * place, every_ms=EVERY_MS),
            holder=site.holders[place % len(site.holders)],
        )
        for place in range(STREAMS)
    ]
    streams = asyncio.gather(*(send(ask, site.gateway.port) for ask in asks))
    await asyncio.sleep(LATER_MS * STREAMS / 1000 + rig.dice.random())
    site.gateway.kill()
    heard = await streams
    await asyncio.to_thread(site.gateway.start)
    await site.books.settled(STREAMS)
    entries = rig.vendors.entries()
    verdict = await check(site.books, heard, entries)
    assert verdict.by_status == {"interrupted": STREAMS}
    rows = {row.user: row for row in await site.books.rows()}
    said = {entry.nonce: entry for entry in entries.values()}
    near = sum(_is_booked(each, rows[each.ask.user], said[each.ask.wish.nonce]) for each in heard)
    chunks = [entry.chunks for entry in entries.values()]
    rig.tell(
        "F01 streams",
        f"{STREAMS} streams killed after {min(chunks)} to {max(chunks)} chunks, each booked with what its client had "
        f"heard at least and the vendor had said at most, {near} within a chunk of the latter",
    )
    rig.gate("streams that are booked with less than the vendor had said but for a chunk", STREAMS - near, 0)


def _is_booked(heard: Heard, row: Row, entry: Entry) -> bool:
    """Whether the row has what the vendor had said to the chunk; it must have what was heard, and no more than said."""
    check_estimate(row)
    most = estimate(text(heard.ask.wish, entry.chunks))
    assert estimate(heard.text) - CHUNK <= row.completion_tokens <= most + CHUNK, f"{row} against {entry}"
    return is_near(row, heard.ask.wish, entry, slack=1)


@pytest.mark.alone
@pytest.mark.timeout(600)
async def test_killed_workers_lose_and_double_nothing(rig: Rig, postgres_database: str) -> None:
    """O1 to O3 hold, only callers of a killed worker are cut off, and its place is taken within three seconds."""
    number = 50 if rig.is_full else 3
    site = await rig.start(postgres_database, workers=2)
    load = Load(site.ports, standard(site.holders), rate=RATE, seed=rig.seed)
    victims, restarts = await kills(site, load, rig.dice, number)
    innocent = [each for each in failed(load.heard) if each.port not in victims]
    assert not innocent, f"{innocent[0].problem} {innocent[0].status} {innocent[0].body[:200]!r}"
    recovered = await site.books.settled(sum(each.is_complete for each in load.heard))
    verdict = await check(site.books, load.heard, rig.vendors.entries())
    quick = sorted(restarts)[len(restarts) // 2]
    rig.tell(
        "F01",
        f"{number} kills, {len(load.heard)} requests, {len(failed(load.heard))} cut off with their worker, 0 others; "
        f"{verdict.rows} rows, 0 lost, 0 doubled, {verdict.by_status.get('interrupted', 0)} interrupted; restart to "
        f"first answer {quick:.2f} s median, {max(restarts):.2f} s most; all rows {recovered:.1f} s after the end",
    )
    rig.gate("seconds from a kill until everybody is answered", max(restarts), RESTART_S)

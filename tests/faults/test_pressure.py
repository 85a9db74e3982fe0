"""F25, F29, F30 and F31: slow readers, more than can be carried, too few files, and everything at once."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.rig.books import check
from tests.faults.rig.cluster import vitals, workers
from tests.faults.rig.load import Ask, Load, percentile, send, standard, together, until
from tests.faults.rig.site import Rig
from tests.faults.rig.words import Wish
from tests.faults.test_kill import kill_one
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

SLOW_READERS = 100
ANSWER_CHUNKS = 40_000
MEMORY_MOST = 150 * 1024 * 1024
SOAK_S = 60.0


async def read_slowly(ask: Ask, port: int, seconds: float) -> int:
    """Reads 1 KiB a second, then leaves; the bytes read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(ask.head_and_body())
    read, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        read += len(await reader.read(1024))
        await asyncio.sleep(1)
    writer.transport.abort()
    return read


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_slow_readers_hold_up_the_vendor_and_not_the_gateway(rig: Rig) -> None:
    """F25: a hundred read 1 KiB a second of long answers: memory is bounded, and others are served as ever."""
    site = await rig.start(keys=0)
    await together([Ask(user=f"w{place}", wish=Wish(nonce=f"w{place}")) for place in range(20)], site.ports)
    before = vitals(workers(site.gateway)).memory
    wish = Wish(nonce="long", chunks=ANSWER_CHUNKS, first_ms=1, every_ms=0)
    slow = [Ask(user=f"s{place}", wish=wish) for place in range(SLOW_READERS)]
    reading = asyncio.gather(*(read_slowly(ask, site.gateway.port, 20) for ask in slow))
    await asyncio.sleep(8)
    others = [
        await send(Ask(user=f"o{place}", wish=Wish(nonce=f"o{place}", first_ms=1)), site.gateway.port)
        for place in range(20)
    ]
    grown = vitals(workers(site.gateway)).memory - before
    assert all(each.is_complete for each in others)
    rig.gate("bytes it grew by", grown, MEMORY_MOST)
    assert min(await reading) > 0
    usual = percentile([each.seconds for each in others], 0.5)
    rig.tell(
        "F25",
        f"{SLOW_READERS} readers of long streams at 1 KiB/s: memory {grown / 2**20:+.0f} MiB; "
        f"others answered in {1000 * usual:.0f} ms",
    )


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_too_few_files_are_waited_for_without_spinning(rig: Rig) -> None:
    """F30: 400 callers where 256 files may be open: nobody spins, and all is well when they have gone."""
    site = await rig.start(keys=0, runner=("prlimit", "--nofile=256:256"))
    [pid] = workers(site.gateway)
    held = [await asyncio.open_connection("127.0.0.1", site.gateway.port) for _ in range(400)]
    before, began = vitals([pid]).cpu_s, time.monotonic()
    await asyncio.sleep(5)
    share = (vitals([pid]).cpu_s - before) / (time.monotonic() - began)
    for _, writer in held:
        writer.transport.abort()
    released = time.monotonic()

    async def is_served() -> bool:
        return (await send(Ask(user="after", wish=Wish(nonce="after", first_ms=1)), site.gateway.port)).is_complete

    await until(is_served, within_s=5)
    healed = time.monotonic() - released
    rig.gate("share of a core", share, 0.5)
    rig.tell("F30 files", f"400 callers, 256 files: {100 * share:.0f}% of a core while short, healed in {healed:.1f} s")


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_everything_at_once_leaves_the_ledger_whole(
    rig: Rig, postgres: Postgres, postgres_database: str, redis_server: Redis, redis_database: str
) -> None:
    """F31, short: kills, a frozen Redis and a database that is down, in an order of the seed, under load."""
    site, dice = await rig.start(postgres_database, redis=redis_database, workers=2), rig.dice
    load = Load(site.ports, standard(site.holders), rate=40, seed=rig.seed)
    victims, played = set[int](), list[str]()
    end = time.monotonic() + SOAK_S
    async with load.running():
        await asyncio.sleep(1)
        while time.monotonic() < end:
            play = dice.choice(["kill", "redis", "database"])
            played.append(play)
            if play == "kill":
                callers, _ = await kill_one(site.gateway, dice)
                victims |= callers
            server: Postgres | Redis = redis_server if play == "redis" else postgres
            if play != "kill":
                await asyncio.to_thread(server.freeze if play == "redis" else server.kill)
                await asyncio.sleep(2)
                await asyncio.to_thread(server.mend)
            await asyncio.sleep(dice.random() * 3)
    innocent = [each for each in load.heard if not each.is_complete and each.port not in victims]
    assert not innocent, f"{innocent[0].problem} {innocent[0].status} {innocent[0].body[:200]!r}"
    await site.books.settled(sum(each.is_complete for each in load.heard))
    verdict = await check(site.books, load.heard, rig.vendors.entries())
    cut_off = sum(not each.is_complete for each in load.heard)
    rig.tell(
        "F31",
        f"{SOAK_S:.0f} s, {len(played)} faults in an order of the seed: {len(load.heard)} requests, {cut_off} cut off "
        f"with their worker, 0 others; {verdict.rows} rows, 0 lost, 0 doubled",
    )

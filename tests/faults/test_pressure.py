"""F25, F29, F30 and F31: slow readers, more than can be carried, too few files, and everything at once."""

from __future__ import annotations

import asyncio
import http.client
import re
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import closing, suppress
from random import Random

import pytest
from msgspec.structs import replace

from tests.faults.rig.books import check, check_sums
from tests.faults.rig.cluster import vitals, workers
from tests.faults.rig.load import Ask, Holder, Load, Maker, percentile, send, standard, together, until
from tests.faults.rig.phases import Phase
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Mood, Wish, whole
from tests.faults.test_kill import kill_one
from tests.faultserver.server import FaultServer, Peer, answer
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

LONG = "long"
"""What is asked by those who read slowly."""
ANSWER_CHUNKS = 40_000
PICTURE_BYTES = 7_500_000
"""In base64 10 MB."""
MASTER = "the-master-key-of-this-row"
LATE_S = 0.1
MEMORY_MOST = 150 * 1024 * 1024
EACH_BYTES = 256 * 1024
BESIDE_MS = 20.0
"""What readers of one tenant may add to the 99th percentile of another."""
SOAK_S = 60.0
LEAVING = 0.1
MOODS = frozenset({500, 502, 503, 529})
"""With which a vendor refuses, and its callers are told so."""
BEFORE_S, AFTER_S = 1.0, 5.0
"""Around a bad mood: a request that had begun, and the time for which the vendor is let alone afterwards."""


class Readers:
    """One tenant's clients that read long streams, 1 KiB a second each; whoever is refused asks again."""

    def __init__(self, port: int, holder: Holder) -> None:
        self.reading = 0
        """How many have been let in."""
        self.least = ANSWER_CHUNKS
        """The fewest KiB that one has read."""
        self._port = port
        self._holder = holder

    async def read(self, number: int, over: asyncio.Event) -> None:
        """So many of them until it is `over`."""
        wish = Wish(nonce=LONG, chunks=ANSWER_CHUNKS, first_ms=1, every_ms=0)
        asks = [Ask(user=f"s{place}", wish=wish, holder=self._holder) for place in range(number)]
        await asyncio.gather(*(self._read(ask, over) for ask in asks))

    async def _read(self, ask: Ask, over: asyncio.Event) -> None:
        while not over.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1024)
            writer.write(ask.head_and_body())
            if is_let_in := b" 200 " in await reader.readline():
                self.reading += 1
                await self._read_slowly(reader, over)
            writer.transport.abort()
            if not is_let_in:
                await paused(1, over)

    async def _read_slowly(self, reader: asyncio.StreamReader, over: asyncio.Event) -> None:
        read = 0
        while not over.is_set() and await reader.read(1024):
            read += 1
            await paused(1, over)
        self.least = min(self.least, read)


async def paused(seconds: float, over: asyncio.Event) -> None:
    """So many seconds later, or when it is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()


@pytest.mark.timeout(120)
async def test_slow_readers_hold_up_the_vendor_and_not_the_gateway(rig: Rig) -> None:
    """F25: 500 read 1 KiB a second of long answers: memory is bounded, and no other tenant is refused."""
    number, seconds = (500, 30.0) if rig.is_full else (40, 2.0)
    site = await rig.start(keys=2)
    reader, other = site.holders

    def usual(name: str) -> Maker:
        return lambda place, _: Ask(
            user=f"{name}{place}", wish=Wish(nonce=f"{name}{place}", chunks=3, first_ms=1), holder=other
        )

    before = Load(site.ports, usual("before"), rate=20, seed=rig.seed)
    async with before.running():
        await asyncio.sleep(1)
    small = vitals(workers(site.gateway)).memory
    readers, over = Readers(site.gateway.port, reader), asyncio.Event()
    others = Load(site.ports, usual("beside"), rate=5, seed=rig.seed)
    reading = asyncio.ensure_future(readers.read(number, over))
    async with others.running():
        await asyncio.sleep(seconds)
    grown = vitals(workers(site.gateway)).memory - small
    over.set()
    await reading
    assert {each.status for each in others.heard} == {200}
    assert all(each.is_complete for each in [*before.heard, *others.heard])
    assert readers.least > 0
    heard = [*before.heard, *others.heard]
    mine = {name: entry for name, entry in rig.vendors.entries().items() if entry.nonce != LONG}
    await site.books.settled(len(heard))
    await check(site.books, heard, mine)
    alone_s, beside_s = ([each.seconds for each in load.heard] for load in (before, others))
    rig.tell(
        "F25",
        f"{readers.reading} of {number} readers of long streams at 1 KiB/s: memory {grown / 2**20:+.0f} MiB; "
        f"{len(others.heard)} requests of another tenant at 5 a second, 0 refused, median "
        f"{1000 * percentile(alone_s, 0.5):.0f} ms alone, {1000 * percentile(beside_s, 0.5):.0f} ms beside them, p99 "
        f"{1000 * percentile(alone_s, 0.99):.0f} and {1000 * percentile(beside_s, 0.99):.0f} ms",
    )
    rig.gate("readers that were not let in", number - readers.reading, 0)
    rig.gate("bytes it grew by", grown, MEMORY_MOST)
    rig.gate("bytes for each reader", grown / number, EACH_BYTES)
    added_ms = 1000 * (percentile(beside_s, 0.99) - percentile(alone_s, 0.99))
    rig.gate("ms added to the 99th percentile of others", added_ms, BESIDE_MS)


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_large_pictures_hold_up_nobody_for_long(rig: Rig) -> None:
    """F30: 20 prompts with a picture of 10 MB at once: they are taken in one by one, and others in between."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(whole(Wish(nonce="picture"))))

    async with FaultServer(script) as vendor:
        ports = {"a": rig.vendors.port, "b": vendor.port}
        site = await rig.start(keys=1, text={"ports": ports}, environment={"FARTHING_MASTER_KEY": MASTER})
        [holder] = site.holders
        picture = b64encode(rig.dice.randbytes(PICTURE_BYTES)).decode()
        wishes = [Wish(nonce=f"p{place}") for place in range(20)]
        shown = [
            Ask(user=wish.nonce, wish=wish, holder=holder, stream=False, model="model-b", picture=picture)
            for wish in wishes
        ]

        def usual(place: int, _dice: object) -> Ask:
            return Ask(user=f"o{place}", wish=Wish(nonce=f"o{place}", chunks=3, first_ms=1), holder=holder)

        others = Load(site.ports, usual, rate=20, seed=rig.seed)
        late_s = await asyncio.to_thread(lateness, site)
        small = vitals(workers(site.gateway)).memory
        async with others.running():
            heard = asyncio.ensure_future(together(shown, site.ports))
            while not heard.done():
                late_s = max(late_s, await asyncio.to_thread(lateness, site))
                await asyncio.sleep(0.2)
        grown = vitals(workers(site.gateway)).memory - small
    failed = [each for each in [*await heard, *others.heard] if not each.is_complete]
    assert [(each.ask.user, each.status, each.problem, each.body[:100]) for each in failed] == []
    await site.books.settled(len(shown) + len(others.heard))
    await check_sums(site.books, await site.books.rows())
    beside = [each.seconds for each in others.heard]
    rig.tell(
        "F30 pictures",
        f"20 pictures of 10 MB at once: all answered within {max(each.seconds for each in await heard):.1f} s; loop "
        f"late by {1000 * late_s:.0f} ms at most; {len(beside)} others answered, median "
        f"{1000 * percentile(beside, 0.5):.0f} ms, slowest {1000 * max(beside):.0f} ms; "
        f"memory {grown / 2**20:+.0f} MiB",
    )
    rig.gate("seconds of lateness", late_s, LATE_S)


def lateness(site: Site) -> float:
    """The most that the loop was late of late, in seconds."""
    headers = {"authorization": f"Bearer {MASTER}"}
    with closing(http.client.HTTPConnection("127.0.0.1", site.gateway.port, timeout=10)) as connection:
        connection.request("GET", "/metrics", headers=headers)
        text = connection.getresponse().read().decode()
    return max(float(found) for found in re.findall(r"^farthing_loop_lag_seconds\S* (\S+)", text, re.MULTILINE))


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
    """F31: kills, a frozen Redis, no database, a vendor in a bad mood, in an order of the seed; some callers leave."""
    site, dice = await rig.start(postgres_database, redis=redis_database, workers=2), rig.dice
    load = Load(site.ports, restless(site.holders), rate=40, seed=rig.seed)
    victims, played, moody = set[int](), list[str](), list[Phase]()
    seconds = SOAK_S * rig.longer
    end = time.monotonic() + seconds
    async with load.running():
        await asyncio.sleep(1)
        while time.monotonic() < end:
            play = dice.choice(["kill", "redis", "database", "vendor"])
            played.append(play)
            if play == "vendor":
                moody.append(await bad_mood(rig, dice))
            if play == "kill":
                callers, _ = await kill_one(site.gateway, dice)
                victims |= callers
            server: Postgres | Redis = redis_server if play == "redis" else postgres
            if play in {"redis", "database"}:
                await asyncio.to_thread(server.freeze if play == "redis" else server.kill)
                await asyncio.sleep(2)
                await asyncio.to_thread(server.mend)
            await asyncio.sleep(dice.random() * 3)
    refused = [each for each in load.heard if b'"overloaded"' in each.body]
    failed = [each for each in load.heard if not each.is_complete and not each.left and each not in refused]
    sold_out = [each for each in failed if each.status in MOODS and any(phase.of([each]) for phase in moody)]
    innocent = [each for each in failed if each.port not in victims and each not in sold_out]
    assert not innocent, f"{innocent[0].problem} {innocent[0].status} {innocent[0].body[:200]!r}"
    await site.books.settled(sum(each.is_complete for each in load.heard))
    # A machine that is busy with something else may leave the gateway too little; a quiet one never does.
    rig.gate("requests refused for want of room", len(refused), 0)
    verdict = await check(site.books, load.heard, rig.vendors.entries(), allowed=MOODS, attempts=False)
    rig.tell(
        "F31",
        f"{seconds:.0f} s, {len(played)} faults in an order of the seed: {len(load.heard)} requests, "
        f"{sum(each.left for each in load.heard)} left by their callers, {len(sold_out)} failed with their vendor, "
        f"{len(failed) - len(sold_out)} cut off with their worker, {len(refused)} refused for want of room, 0 others; "
        f"{verdict.rows} rows, 0 lost, 0 doubled",
    )


def restless(holders: Sequence[Holder]) -> Maker:
    """The standard mix; one caller in ten leaves at some moment."""
    usual = standard(holders)

    def make(number: int, dice: Random) -> Ask:
        ask = usual(number, dice)
        return replace(ask, leave_after_s=dice.random() * 0.4) if dice.random() < LEAVING else ask

    return make


async def bad_mood(rig: Rig, dice: Random) -> Phase:
    """The vendor refuses some, or all, for two seconds; who began then, or a moment before or after, may be told so."""
    began = time.monotonic()
    rig.vendors.be(a=Mood(status=dice.choice(sorted(MOODS)), percent=dice.choice([30, 100])))
    await asyncio.sleep(2)
    rig.vendors.be(a=Mood())
    return Phase(began - BEFORE_S, time.monotonic() + AFTER_S)

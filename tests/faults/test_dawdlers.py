"""F26: thousands who send a byte now and then are let go in time, cost little, and hold up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest
from msgspec import Struct

from tests.faults.rig.books import check
from tests.faults.rig.cluster import callers_of, vitals, workers
from tests.faults.rig.load import Ask, Heard, percentile, send
from tests.faults.rig.site import Rig
from tests.faults.rig.words import Wish

NUMBER = 2_000
KEPT = 5_000
AT_ONCE = 200
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
BODY = HEAD + b"content-type: application/json\r\ncontent-length: 100000\r\n\r\n"
HEAD_S = 11.0
BODY_S = 31.0
EACH_BYTES = 30 * 1024
SLOWER = 2.0


class Dawdler(Struct, frozen=True):
    """How one was let go."""

    after_s: float
    said: bytes


async def dawdle(port: int, begin: bytes, every_s: float, door: asyncio.Semaphore) -> Dawdler:
    """Says how it begins, then a byte from time to time, until the gateway hangs up."""
    async with door:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    began = time.monotonic()
    writer.write(begin)
    heard = asyncio.ensure_future(reader.read())
    with suppress(OSError):
        while not (await asyncio.wait([heard], timeout=every_s))[0]:
            writer.write(b"x")
            await writer.drain()
    said = b""
    with suppress(OSError):
        said = await heard
    writer.transport.abort()
    return Dawdler(time.monotonic() - began, said)


async def usual(port: int, name: str, number: int) -> list[Heard]:
    """What others hear who ask for short answers, one after the other."""
    heard = []
    for place in range(number):
        heard.append(await send(Ask(user=f"{name}{place}", wish=Wish(nonce=f"{name}{place}", first_ms=1)), port))
        await asyncio.sleep(0.05)
    assert all(each.is_complete for each in heard)
    return heard


def p99(heard: Sequence[Heard]) -> float:
    """Seconds that all but one in a hundred waited at most."""
    return percentile([each.seconds for each in heard], 0.99)


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_thousands_who_dawdle_are_let_go(rig: Rig) -> None:
    """2,000 heads of a byte every five seconds, 2,000 bodies of a byte a second: each is told that it took too long."""
    site = await rig.start(keys=0)
    port, door = site.gateway.port, asyncio.Semaphore(AT_ONCE)
    before = await usual(port, "b", 100)
    small = vitals(workers(site.gateway)).memory
    heads = asyncio.gather(*(dawdle(port, HEAD, 5, door) for _ in range(NUMBER)))
    bodies = asyncio.gather(*(dawdle(port, BODY, 1, door) for _ in range(NUMBER)))
    await asyncio.sleep(4)
    meanwhile = await usual(port, "m", 60)
    grown = vitals(workers(site.gateway)).memory - small
    head_s, body_s = [[each.after_s for each in await group] for group in (heads, bodies)]
    told = [each.said for group in (heads, bodies) for each in group.result()]
    assert [said for said in told if said and not said.startswith(b"HTTP/1.1 408 ")] == []
    rig.tell(
        "F26",
        f"{NUMBER} heads let go after {min(head_s):.1f} to {max(head_s):.1f} s, as many bodies after "
        f"{min(body_s):.1f} to {max(body_s):.1f} s, {sum(map(bool, told))} of {2 * NUMBER} told 408; "
        f"memory {grown / 2**20:+.0f} MiB, {grown / 2 / NUMBER / 1024:.0f} KiB each; "
        f"others p99 {1000 * p99(before):.0f} ms before, {1000 * p99(meanwhile):.0f} ms meanwhile",
    )
    rig.gate("seconds until a head is let go", max(head_s), HEAD_S)
    rig.gate("seconds until a body is let go", max(body_s), BODY_S)
    rig.gate("bytes of memory each", grown / 2 / NUMBER, EACH_BYTES)
    rig.gate("times slower for others", p99(meanwhile) / p99(before), SLOWER)
    heard = [*before, *meanwhile]
    await site.books.settled(len(heard))
    await check(site.books, heard, rig.vendors.entries())


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_thousands_who_keep_their_connection_cost_little(rig: Rig) -> None:
    """5,000 ask once and then say nothing more: they keep their connections, and nobody feels it."""
    site = await rig.start(keys=0)
    port, door, kept = site.gateway.port, asyncio.Semaphore(AT_ONCE), list[asyncio.StreamWriter]()

    async def keep() -> None:
        async with door:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
            writer.write(b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            kept.append(writer)

    before = await usual(port, "b", 100)
    small = vitals(workers(site.gateway)).memory
    await asyncio.gather(*(keep() for _ in range(KEPT)))
    meanwhile = await usual(port, "m", 100)
    grown, open_ = vitals(workers(site.gateway)).memory - small, len(callers_of(workers(site.gateway)[0], at=port))
    for writer in kept:
        writer.transport.abort()
    rig.tell(
        "F26 idle",
        f"{open_} connections kept open by callers who say nothing: memory {grown / 2**20:+.0f} MiB, "
        f"{grown / KEPT / 1024:.0f} KiB each; others p99 {1000 * p99(before):.0f} ms before, "
        f"{1000 * p99(meanwhile):.0f} ms meanwhile",
    )
    assert open_ == KEPT
    rig.gate("bytes of memory each", grown / KEPT, EACH_BYTES)
    rig.gate("times slower for others", p99(meanwhile) / p99(before), SLOWER)
    heard = [*before, *meanwhile]
    await site.books.settled(len(heard))
    await check(site.books, heard, rig.vendors.entries())

"""F03: told to end, a gateway says so at once, finishes what it can, cuts the rest short and loses no row."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable

import pytest

from tests.faults.rig.books import check
from tests.faults.rig.load import Ask, Heard, send, until
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Wish
from tests.servers.gateway import Gateway

UNREADY_S = 0.1
TRIALS = 5
MARGIN_S = 0.7
"""Streams that would end so near to the end of the grace may go either way."""


def asks(site: Site, number: int, longest_s: float, *, tag: str = "") -> list[Ask]:
    """Streams of all lengths from 0.1 s."""
    made = []
    for place in range(number):
        seconds = 0.1 + (longest_s - 0.1) * place / (number - 1)
        chunks = max(2, round(seconds / 0.1))
        wish = Wish(
            nonce=f"n{tag}{place}", chunks=chunks, first_ms=50, every_ms=round((seconds - 0.05) * 1000 / chunks)
        )
        made.append(Ask(user=f"u{place}", wish=wish, holder=site.holders[place % len(site.holders)]))
    return made


def lasts(ask: Ask) -> float:
    """Seconds that the vendor takes."""
    return (ask.wish.first_ms + ask.wish.chunks * ask.wish.every_ms) / 1000


async def answers_readiness(port: int) -> int:
    """The status of `/readyz`, asked on a new connection; 0 where nobody takes it."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0
    writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    line = await reader.readline()
    writer.transport.abort()
    return int(line.split()[1]) if line else 0


async def until_unready(gateway: Gateway) -> float:
    """Seconds until `/readyz` says no. Every worker is asked, by as many connections as make that certain."""

    async def is_unready() -> bool:
        return set(await asyncio.gather(*(answers_readiness(gateway.port) for _ in range(8)))) == {503}

    return await until(is_unready, within_s=30)


async def ended(gateway: Gateway) -> tuple[int, float]:
    """Its status, and the seconds it took to end."""
    process = gateway._process
    assert process is not None
    seconds = await until(lambda: process.poll() is not None, within_s=60)
    return process.returncode, seconds


def cut(heard: Heard) -> bool:
    """Whether a stream was told that there was no time for its end."""
    return heard.status == 200 and heard.is_ended and b"shutting_down" in heard.body and b"[DONE]" not in heard.body


@pytest.mark.timeout(150)
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
async def test_what_fits_the_grace_is_finished_and_the_rest_is_told(rig: Rig, workers: int) -> None:
    """Nobody is cut off in silence; the process ends well and in time; every request has its row."""
    number, longest_s, grace_s, lame_duck_s = (200, 40.0, 30, 0.5) if rig.is_full else (30, 5.5, 1, 3.0)
    more = f"lame_duck_s = {lame_duck_s}\n"
    site = await rig.start(workers=workers, text={"drain_s": grace_s, "more": more})
    gateway = site.gateway
    streams = [asyncio.ensure_future(send(ask, gateway.port)) for ask in asks(site, number, longest_s)]
    await asyncio.sleep(0.5)
    os.kill(gateway.pid, signal.SIGTERM)
    told = time.monotonic()
    end: Awaitable[tuple[int, float]] = asyncio.ensure_future(ended(gateway))
    unready_s = await until_unready(gateway)
    late = await send(Ask(user="late", wish=Wish(nonce="late"), holder=site.holders[0]), gateway.port)
    assert late.is_complete, late
    status, seconds = await end
    heard = [*await asyncio.gather(*streams), late]
    end_s = told + lame_duck_s + grace_s - MARGIN_S
    broken = [each for each in heard if each.began + lasts(each.ask) < end_s and not each.is_complete]
    assert any(map(cut, heard))
    assert [each for each in heard if not (each.is_complete or cut(each))] == []
    assert status == 0
    await asyncio.to_thread(gateway.start)
    await site.books.settled(len(heard))
    verdict = await check(site.books, heard, rig.vendors.entries())
    assert verdict.by_status["interrupted"] == sum(map(cut, heard))
    rig.tell(
        f"F03 {workers} workers",
        f"{number} streams of 0.1 to {longest_s:g} s, grace {grace_s} s: not ready after {unready_s * 1000:.0f} ms, "
        f"{sum(each.is_complete for each in heard)} whole, {sum(map(cut, heard))} with an error event, 0 cut off, "
        f"{verdict.rows} rows; ended with status 0 {seconds - lame_duck_s - grace_s:.2f} s after the grace",
    )
    rig.gate("streams that would have fitted the grace", len(broken), 0)
    rig.gate("seconds until it is not ready", unready_s, UNREADY_S)
    rig.gate("seconds until the end", seconds, lame_duck_s + grace_s + 1)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGKILL])
async def test_a_second_signal_loses_nothing(rig: Rig, second: signal.Signals) -> None:
    """At any moment: SIGTERM hurries, SIGKILL ends; whatever a client heard whole is in the books, once."""
    dice = rig.dice
    for trial in range(TRIALS):
        site = await rig.start(workers=2, text={"drain_s": 5, "more": "lame_duck_s = 2\n"})
        streams = [asyncio.ensure_future(send(ask, site.gateway.port)) for ask in asks(site, 20, 3.0, tag=f"{trial}-")]
        await asyncio.sleep(0.3 + dice.random())
        os.kill(site.gateway.pid, signal.SIGTERM)
        for _ in range(2):
            await asyncio.sleep(dice.random() * 0.5)
            if second is signal.SIGTERM:
                os.kill(site.gateway.pid, second)
        if second is signal.SIGKILL:
            await asyncio.to_thread(site.gateway.kill)
        else:
            status, seconds = await ended(site.gateway)
            assert (status, seconds < 2) == (0, True)
        heard = await asyncio.gather(*streams)
        await asyncio.to_thread(site.gateway.start)
        await site.books.settled(sum(each.is_complete for each in heard))
        mine = {name: entry for name, entry in rig.vendors.entries().items() if entry.nonce.startswith(f"n{trial}-")}
        await check(site.books, heard, mine)
        await asyncio.to_thread(site.gateway.stop)
    rig.tell(
        f"F03 second {second.name}",
        f"{TRIALS} times at random moments of 20 streams on 2 workers: 0 rows lost, 0 doubled",
    )

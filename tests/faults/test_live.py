"""F27: strangers, the mute and the loud on the live figures' socket harm nobody who watches, and nobody who asks."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import time
from collections import Counter
from datetime import datetime
from random import Random

import pytest
from msgspec import Struct
from websockets.asyncio.client import connect

from tests.faults.rig.cluster import vitals, workers
from tests.faults.rig.load import percentile
from tests.faults.rig.site import Rig, Site

PATH = "/metrics/live"
PING = b"\x89\x80\x00\x00\x00\x00"
STRANGER_S = 5.0
MEMORY_MB = 250
API_MS = 10.0
LAG_S = 1.0
ADDRESSES = 200
"""From which the attack comes: no address holds more sockets than it may."""
SECONDS = 10.0
MB = 1024 * 1024

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Crowd(Struct):
    """The attack, and what became of it."""

    port: int
    secrets: list[str]
    dice: Random
    door: asyncio.Semaphore
    """As many come at the same moment as the kernel lets wait."""
    closed_s: list[float] = []
    """How long each stranger was kept."""
    heard: Counter[str] = Counter()

    async def reach(self, number: int, secret: str | None = None, *, speak: bool = True) -> Ends:
        """A connection from one of many addresses, with the handshake begun."""
        host = f"127.0.{1 + number % ADDRESSES}.1"
        async with self.door:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(host, 0), limit=2**12)
        if speak:
            key = f"Authorization: Bearer {secret}\r\n" if secret else ""
            writer.write(
                f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{key}Connection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
        return reader, writer

    async def stranger(self, number: int) -> None:
        """Shows no key, or says nothing at all, and stays as long as it may."""
        reader, writer = await self.reach(number, speak=number % 2 == 0)
        began = time.monotonic()
        status = (await reader.read(100))[9:12].decode() or "silent"
        with contextlib.suppress(ConnectionError):
            await reader.read()
        self.closed_s.append(time.monotonic() - began)
        self.heard[f"stranger {status}"] += 1
        writer.close()

    async def mute(self, number: int) -> None:
        """Is let in, and then reads nothing and answers no ping."""
        reader, writer = await self.reach(number, self.secrets[number % len(self.secrets)])
        self.heard["mute " + (await reader.readexactly(12))[9:].decode()] += 1
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(STRANGER_S)
        writer.transport.abort()

    async def loud(self, number: int) -> None:
        """Is let in, and sends a thousand frames a second for as long as it can."""
        reader, writer = await self.reach(number, self.secrets[number % len(self.secrets)])
        await reader.readexactly(12)
        code = "open"
        for _ in range(100):
            writer.write(PING * 10)
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(0.01):
                    if b"\x88\x02\x03\xf0" in await reader.read(2**16):
                        code = "1008"
                        break
            if reader.at_eof():
                code = "cut"
                break
        self.heard[f"loud {code}"] += 1
        writer.close()


class Caller(threading.Thread):
    """Asks for the figures over HTTP all the time."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(daemon=True)
        self.is_over = False
        self.failed = 0
        self.took: list[tuple[float, float]] = []
        """When each request began, and its seconds."""
        self._port = port
        self._headers = {"Authorization": f"Bearer {secret}"}

    def run(self) -> None:
        """Until told."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        while not self.is_over:
            began = time.monotonic()
            connection.request("GET", "/routing/metrics", headers=self._headers)
            answer = connection.getresponse()
            answer.read()
            self.failed += answer.status != 200
            self.took.append((began, time.monotonic() - began))
            time.sleep(0.01)
        connection.close()

    def p99_ms(self, since: float, until: float) -> float:
        """Of the requests that began meanwhile."""
        return percentile([1000 * seconds for began, seconds in self.took if since <= began < until], 0.99)


async def watch(site: Site, secret: str, lags: list[float]) -> None:
    """A healthy dashboard, which notes how late its figures are."""
    headers = {"Authorization": f"Bearer {secret}"}
    last = 0
    async with connect(
        f"ws://127.0.0.1:{site.gateway.port}{PATH}", additional_headers=headers, proxy=None, open_timeout=SECONDS
    ) as socket:
        async for text in socket:
            figures = json.loads(text)
            assert figures["sequence"] > last
            last = figures["sequence"]
            lags.append(time.time() - datetime.fromisoformat(figures["timestamp"]).timestamp())


@pytest.mark.timeout(200)
async def test_a_crowd_at_the_live_figures_harms_nobody(rig: Rig) -> None:
    """F27: strangers are let go, the loud hear 1008, and healthy dashboards and requests go on."""
    strangers, mutes, louds = (9000, 500, 500) if rig.is_full else (120, 40, 40)
    site = await rig.start(keys=8)
    secrets = [holder.secret for holder in site.holders]
    crowd = Crowd(site.gateway.port, secrets[2:], rig.dice, asyncio.Semaphore(200))
    caller, lags = Caller(site.gateway.port, secrets[0]), list[float]()
    caller.start()
    watching = [asyncio.ensure_future(watch(site, secrets[1], lags)) for _ in range(3)]
    await asyncio.sleep(5 if rig.is_full else 0.5)
    pids = workers(site.gateway)
    began, before, most = time.monotonic(), vitals(pids).memory, 0
    kinds = [crowd.stranger] * strangers + [crowd.mute] * mutes + [crowd.loud] * louds
    rig.dice.shuffle(kinds)
    attack = asyncio.gather(*(kind(number) for number, kind in enumerate(kinds)), return_exceptions=True)
    while not attack.done():
        most = max(most, vitals(pids).memory)
        await asyncio.wait([attack], timeout=0.2)
    ended = time.monotonic()
    caller.is_over = True
    await asyncio.to_thread(caller.join)
    assert not any(each.done() for each in watching)
    for each in watching:
        each.cancel()
    await asyncio.wait(watching)
    broken = Counter(repr(found) for found in await attack if found is not None)
    assert (caller.failed, crowd.heard["mute 101"]) == (0, mutes), (crowd.heard, broken)
    assert crowd.heard["stranger 401"] + crowd.heard["stranger silent"] == strangers, (crowd.heard, broken)
    assert crowd.heard["loud 1008"] + crowd.heard["loud cut"] == louds, (crowd.heard, broken)
    assert len(lags) >= 3
    quiet, under = caller.p99_ms(0, began), caller.p99_ms(began, ended)
    grown = (most - before) / MB
    rig.tell(
        "F27",
        f"{strangers} strangers, {mutes} mute, {louds} loud: the last stranger gone after {max(crowd.closed_s):.1f} s; "
        f"{crowd.heard['loud 1008']} loud heard 1008; {grown:+.0f} MB; p99 of a request {quiet:.1f} ms before, "
        f"{under:.1f} ms meanwhile; figures at most {max(lags):.2f} s late",
    )
    rig.gate("seconds until strangers are let go", max(crowd.closed_s), STRANGER_S + 0.5)
    rig.gate("MB of memory", grown, MEMORY_MB)
    rig.gate("ms added to the p99 of a request", under - quiet, API_MS)
    rig.gate("seconds of lag", max(lags), LAG_S)

"""Measures the memory of an open stream: one worker that holds few streams, then many."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import aiohttp
from msgspec import Struct

from benchmarks.accounting import account
from benchmarks.mocked import MOCKED
from benchmarks.scale.vendor import WORDS, Vendor
from tests.servers.gateway import Gateway

FEW, MANY = 100, 900
HELD_SECONDS = 2.0


class Held(Struct, frozen=True):
    """Resident memory of the gateway with so many streams open, in MiB."""

    few: int
    many: int
    rest_mib: float
    few_mib: float
    many_mib: float

    @property
    def kib_each(self) -> float:
        """What one more stream takes, in KiB."""
        return (self.many_mib - self.few_mib) * 1024 / (self.many - self.few)


def hold(vendor: Vendor, vendor_url: str) -> Held:
    """Opens the streams and reads each until the vendor falls silent."""
    gateway = Gateway(MOCKED.format(url=vendor_url), environment={"TEST_VENDOR_KEY": "any"})
    try:
        gateway.start()
        return asyncio.run(_hold(gateway, vendor))
    finally:
        gateway.remove()


async def _hold(gateway: Gateway, vendor: Vendor) -> Held:
    found = []
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        opened = 0
        for wanted in (0, FEW, MANY):
            for number in range(opened, wanted):
                await _open(stack, session, f"{gateway.url}/v1/chat/completions", number)
            opened = wanted
            await asyncio.sleep(HELD_SECONDS)
            assert vendor.held == wanted
            found.append(account(gateway.pid).resident_mib)
    return Held(FEW, MANY, *found)


async def _open(stack: AsyncExitStack, session: aiohttp.ClientSession, url: str, number: int) -> None:
    body = {"model": "mock", "stream": True, "messages": [{"role": "user", "content": f"Question {number}"}]}
    response = await stack.enter_async_context(session.post(url, json=body))
    assert response.status == 200, await response.text()
    for _ in range(WORDS):
        while (line := await response.content.readline()) and not line.startswith(b"data:"):
            pass
        assert line, "the stream ended"

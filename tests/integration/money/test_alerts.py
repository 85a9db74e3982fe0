"""Budgets of a running gateway tell a webhook, once each however many workers notice and however often it fails."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter

import aiohttp
from aiohttp import web

from farthing.background.clock import SystemClock
from farthing.domain.budget import Budget
from farthing.store import open_store
from tests.servers.application import Served
from tests.servers.gateway import StartGateway

QUESTION = {"model": "demo/large", "messages": [{"role": "user", "content": "What is a farthing?"}]}
LIMIT = 1
"""A nano-dollar: the first answer comes to every threshold at once."""


class Receiver:
    """Refuses the first notices, then takes all."""

    def __init__(self, *, refusals: int) -> None:
        self.taken: list[tuple[str, int]] = []
        self.refusals = refusals
        self.has_all = threading.Event()
        self.application = web.Application()
        self.application.router.add_post("/hook", self._hear)

    async def _hear(self, request: web.Request) -> web.Response:
        notice = json.loads(await request.read())
        if self.refusals:
            self.refusals -= 1
            raise web.HTTPInternalServerError
        self.taken.append((request.headers["webhook-id"], notice["data"]["threshold_percent"]))
        if len(self.taken) == 4:
            self.has_all.set()
        return web.Response()


async def ask(url: str) -> None:
    """Twenty questions at once, which both workers get some of; none is refused and none waits for an alert."""
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(force_close=True)) as client:

        async def one(number: int) -> int:
            body = {**QUESTION, "user": f"u{number}"}
            async with client.post("/v1/chat/completions", json=body) as response:
                await response.read()
                return response.status

        assert await asyncio.gather(*map(one, range(20))) == [200] * 20


async def limit(database: str) -> None:
    """A soft budget of everything, without end."""
    store = open_store(database, clock=SystemClock())
    budget = Budget(
        id="b1", tenant="local", scope="tenant", subject="local", window="total", limit=LIMIT, is_hard=False
    )
    await store.budgets.create(budget, created_at_us=0)
    await store.aclose()


def test_every_threshold_is_told_once(start_gateway: StartGateway) -> None:
    """By two workers, to a receiver that first refuses; afterwards nothing is told again."""
    receiver = Receiver(refusals=3)
    with Served(receiver.application) as served:
        gateway = start_gateway(
            "",
            workers=2,
            environment={
                "FARTHING_DEMO": "1",
                "FARTHING_ALERTS__WEBHOOK_URL": f"{served.url}/hook",
                "FARTHING_WEBHOOK_SECRET": "a secret of the test",
            },
        )
        asyncio.run(limit(f"sqlite:///{gateway.folder}/farthing/farthing-demo.db"))
        asyncio.run(ask(gateway.url))
        assert receiver.has_all.wait(30)
        asyncio.run(asyncio.sleep(2.5))
        assert Counter(percent for _, percent in receiver.taken) == {50: 1, 80: 1, 90: 1, 100: 1}
        assert len({event for event, _ in receiver.taken}) == 4

"""A report that is due is sent once, however many hosts there are and whichever of them dies."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

import pytest
from aiohttp import web

from farthing.background.clock import ManualClock
from farthing.domain.alerts import Notice
from farthing.domain.months import last_due
from farthing.insight.scheduling import PACE, Rounds, Schedule
from farthing.store import Store, migrate, open_store
from tests.integration.notify.letterbox import Letterbox
from tests.servers.application import Served
from tests.servers.gateway import StartGateway

START_US = 1_796_104_800_000_000
"""6 o'clock on 1 December 2026, UTC: the report of November is due."""


class Host:
    """One gateway's rounds, over a store of its own, with a channel that may hang."""

    name = "finance:email"

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.heard: list[str] = []
        self.hangs = False
        self.began = asyncio.Event()
        self.rounds = Rounds(outbox=store.report_outbox, tracker=store.report_outbox, clock=clock)
        self.rounds.configure([Schedule(name="finance", tenant=None, day=1, hour=6, channels=(self,))])

    async def send(self, notice: Notice) -> None:
        """As a channel does."""
        self.began.set()
        if self.hangs:
            await asyncio.Event().wait()
        self.heard.append(notice.event_id)


@asynccontextmanager
async def hosts(url: str, clock: ManualClock) -> AsyncIterator[tuple[Host, Host]]:
    """Two that share a database."""
    await migrate(url)
    stores = [open_store(url, clock=clock) for _ in range(2)]
    try:
        yield Host(stores[0], clock), Host(stores[1], clock)
    finally:
        for store in stores:
            await store.aclose()


async def test_of_two_hosts_one_sends(postgres_database: str) -> None:
    """Both look at the same moment, and again, and next month."""
    clock = ManualClock(START_US)
    async with hosts(postgres_database, clock) as (one, other):
        for month in ("2026-11", "2026-12"):
            for _ in range(3):
                await asyncio.gather(one.rounds.tend(), other.rounds.tend())
                clock.advance(3_600)
            assert max(one.heard + other.heard) == f"report:finance:{month}"
            clock.advance(31 * 86_400)
        assert len(one.heard + other.heard) == 2


async def test_what_a_host_dies_over_another_sends(postgres_database: str) -> None:
    """Once the first one's time is up, and not before."""
    clock = ManualClock(START_US)
    async with hosts(postgres_database, clock) as (one, other):
        one.hangs = True
        work = asyncio.create_task(one.rounds.tend())
        await one.began.wait()
        work.cancel()
        await asyncio.wait([work])
        clock.advance(PACE.lease_us / 1e6 - 1)
        await other.rounds.tend()
        assert other.heard == []
        clock.advance(1)
        await other.rounds.tend()
        await other.rounds.tend()
        assert (one.heard, other.heard) == ([], ["report:finance:2026-11"])


SETTINGS = """
[alerts]
webhook_url = "{url}/hook"

[alerts.smtp]
host = "127.0.0.1"
port = {port}
security = "none"

[[reports]]
name = "finance"
email_to = ["cfo@example.com"]
formats = ["csv"]
webhook = true
"""


class Receiver:
    """Keeps what is posted."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.has_some = threading.Event()
        self.application = web.Application()
        self.application.router.add_post("/hook", self._hear)

    async def _hear(self, request: web.Request) -> web.Response:
        self.taken.append(await request.json())
        self.has_some.set()
        return web.Response()


@pytest.fixture
def outside() -> Iterator[tuple[Receiver, Letterbox, str]]:
    """A receiver, a mail server, and settings that name both."""
    receiver, letterbox = Receiver(), Letterbox()
    with ExitStack() as stack:
        served = stack.enter_context(Served(receiver.application))
        port = stack.enter_context(letterbox.serving())
        yield receiver, letterbox, SETTINGS.format(url=served.url, port=port)


def standing(url: str) -> list[dict[str, Any]]:
    """What `GET /reports` tells."""
    with urllib.request.urlopen(f"{url}/reports", timeout=10) as answer:  # noqa: S310 (our own gateway)
        found: list[dict[str, Any]] = json.load(answer)["data"]
    return found


# Reports are written at the lowest priority, so that on a busy machine they take their time.
@pytest.mark.timeout(300)
def test_a_gateway_of_two_workers_sends_what_is_due(
    start_gateway: StartGateway, outside: tuple[Receiver, Letterbox, str]
) -> None:
    """By mail and to the webhook, once each, files and all; afterwards it tells so."""
    receiver, letterbox, settings = outside
    month = last_due(int(datetime.now(UTC).timestamp()) * 1_000_000, day=1, hour=6)
    gateway = start_gateway(
        settings,
        workers=2,
        environment={"FARTHING_DEMO": "1", "FARTHING_WEBHOOK_SECRET": "a secret of the test"},
    )
    assert receiver.has_some.wait(250)
    assert letterbox.has_some.wait(250)
    told = standing(gateway.url)
    while any(one["status"] != "sent" for one in told):
        told = standing(gateway.url)
    assert sorted((one["report"], one["month"], one["channel"], one["attempts"]) for one in told) == [
        ("finance", month, "email", 1),
        ("finance", month, "webhook", 1),
    ]
    [envelope], [posted] = letterbox.envelopes, receiver.taken
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content)
    files = {part.get_filename(): part.get_payload(decode=True) for part in mail.walk() if part.get_filename()}
    assert set(files) == {f"farthing-{month}.csv"}
    assert bytes(files[f"farthing-{month}.csv"] or b"").startswith(b"day,tenant,")
    assert posted["data"]["summary"]["month"] == month
    assert posted["data"]["summary"]["is_demo"] is True

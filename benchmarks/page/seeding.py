"""A ledger of many requests up to last night, and a few of somebody who hardly ever asks."""

from __future__ import annotations

import random

from msgspec.structs import replace

from benchmarks.queries.days import FIRST_HOUR, HOUR_US, exchange_at, fill, settle
from farthing.background.clock import SystemClock
from farthing.domain.budget import DAY_US
from farthing.domain.secrecy import Secret
from farthing.store import Store, migrate
from farthing.store.engine import Engines

DAYS = 100
RARE = "rare"
"""A user and a session with one request a day."""


async def seed(url: str, count: int) -> None:
    """So many requests in the empty database, and the rare ones."""
    await migrate(url)
    clock, dice = SystemClock(), random.Random(count)
    engines = Engines(url)
    store = Store(engines, clock, Secret(b"known to all workers"))
    try:
        yesterday_us = clock.now_us() // DAY_US * DAY_US - DAY_US
        await fill(store, engines, midnight_us=yesterday_us, count=count // DAYS, days=DAYS)
        mornings = [yesterday_us - back * DAY_US + FIRST_HOUR * HOUR_US for back in range(DAYS)]
        moments = [morning + dice.randrange(HOUR_US) for morning in mornings]
        await store.ingest.write([replace(exchange_at(moment, dice), user=RARE, session=RARE) for moment in moments])
        await settle(engines, url)
    finally:
        await store.aclose()

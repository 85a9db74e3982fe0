"""F08: every line between any two processes is slow, uneven, sliced and sometimes torn, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.faults.rig.books import check
from tests.faults.rig.load import Heard, Load, standard
from tests.faults.rig.proxy import FaultProxy, Faults
from tests.faults.rig.site import Rig
from tests.faults.rig.words import text
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

SECONDS = 30.0
RATE = 40.0
BAD = Faults(latency_s=0.005, jitter_s=0.02, reset=0.002, slice=200)
"""One piece in 500 ends the connection that it was sent on."""
ANSWERED = 0.75
TORN = frozenset({502, 503, 504})
"""What callers are told of a line to the vendor that was torn."""


@asynccontextmanager
async def bouncer(postgres: Postgres, through: int) -> AsyncIterator[PgBouncer]:
    """One that reaches PostgreSQL by another port."""
    server = PgBouncer(postgres, through=through)
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.remove)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_bad_lines_between_all_lose_and_double_nothing(
    rig: Rig, postgres: Postgres, postgres_database: str, redis_server: Redis, redis_database: str
) -> None:
    """Client, gateway, vendor, Redis, PgBouncer, PostgreSQL: who is cut off knows it, and the ledger is exact."""
    async with AsyncExitStack() as stack:

        async def line(port: int) -> FaultProxy:
            return await stack.enter_async_context(FaultProxy(port, seed=rig.seed + port))

        lines = [await line(postgres.port), await line(redis_server.port), await line(rig.vendors.port)]
        pool = await stack.enter_async_context(bouncer(postgres, lines[0].port))
        lines.append(await line(pool.port))
        name = postgres_database.rsplit("/", 1)[1]
        site = await rig.start(
            postgres_database,
            database=f"postgresql://farthing@127.0.0.1:{lines[-1].port}/{name}",
            redis=f"redis://127.0.0.1:{lines[1].port}/0",
            workers=2,
            text={"ports": {"a": lines[2].port}},
        )
        lines.append(await line(site.gateway.port))
        load = Load([lines[-1].port], standard(site.holders), rate=RATE, seed=rig.seed)
        async with load.running():
            await asyncio.sleep(1)
            spoil(lines, BAD)
            await asyncio.sleep(SECONDS)
            spoil(lines, Faults())
            await asyncio.sleep(2)
        drained = await site.books.settled(sum(each.is_complete for each in load.heard))
        verdict = await check(site.books, load.heard, rig.vendors.entries(), allowed=TORN, attempts=False)
        await asyncio.to_thread(site.gateway.stop)
    answered = verdict.complete / len(load.heard)
    told = [each for each in load.heard if each.status in TORN or each.has_error_event]
    assert [each for each in load.heard if not is_honest(each)] == []
    rig.tell(
        "F08 every line",
        f"{SECONDS:.0f} s with {len(lines)} lines between all processes that add 5 to 25 ms, slice and reset: "
        f"{len(load.heard)} requests, {100 * answered:.0f}% answered, {len(told)} told of a torn line to the vendor, "
        f"{len(load.heard) - verdict.complete - len(told)} cut off on their own; {verdict.rows} rows, 0 lost, 0 "
        f"doubled, all there {drained:.1f} s after",
    )
    assert answered >= ANSWERED


def spoil(lines: Sequence[FaultProxy], faults: Faults) -> None:
    """From now on they are like this."""
    for each in lines:
        each.faults = faults


def is_honest(heard: Heard) -> bool:
    """Whether what was heard is a beginning of the answer, and no end was told that was none."""
    if heard.status != 200:
        return True
    whole = text(heard.ask.wish)
    return whole.startswith(heard.text) and (heard.text == whole or not heard.is_complete)

"""F05: several processes start at once on an empty or an old schema, and one that migrates may be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from farthing.store import is_current, migrate
from tests.faults.rig.cluster import gateway, settings, workers
from tests.faults.rig.load import until
from tests.faults.rig.site import Rig
from tests.servers.gateway import Gateway

NUMBER = 4
KILLS = 5
OLD = "0002"
BEHIND_S = 5.0
ALIEN = (
    "CREATE SCHEMA theirs; CREATE TABLE theirs.requests (id int); INSERT INTO theirs.requests VALUES (1); "
    "CREATE TABLE alien (id int PRIMARY KEY, text text); INSERT INTO alien SELECT n, 'row ' || n FROM "
    "generate_series(1, 100) n"
)
LOOK = (
    "SELECT (SELECT md5(string_agg(id || text, ',' ORDER BY id)) FROM alien) || (SELECT sum(id) FROM theirs.requests)"
)
MIGRATING = (
    "SELECT a.client_port FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND"
    " l.granted AND a.datname = current_database() AND EXISTS (SELECT FROM pg_locks w WHERE w.pid = a.pid AND"
    " NOT w.granted)"
)


def instances(rig: Rig, database: str, number: int = NUMBER) -> list[Gateway]:
    """So many gateways over one database, not started yet."""
    text = settings({"a": rig.vendors.port})
    return [gateway(text, database=database) for _ in range(number)]


async def boot(gateways: list[Gateway]) -> float:
    """Starts all at once: the seconds between the first that is ready and the last."""
    moments = []

    async def start(each: Gateway) -> None:
        await asyncio.to_thread(each.start)
        moments.append(time.monotonic())

    await asyncio.gather(*map(start, gateways))
    return max(moments) - min(moments)


def complaints(gateways: list[Gateway]) -> list[str]:
    """What they have logged beside their banner."""
    lines = [line for each in gateways for line in each.log.read_text().splitlines()]
    return [line for line in lines if "deadlock" in line or "[error" in line or "does not answer" in line]


async def schema(database: str, name: str | None) -> None:
    """An empty database, or one with an old schema."""
    await migrate(database, "base")
    if name is not None:
        await migrate(database, name)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [pytest.param(None, marks=pytest.mark.long, id="empty"), pytest.param(OLD, id="old")])
async def test_four_start_at_once(rig: Rig, postgres_database: str, name: str | None) -> None:
    """All become ready one soon after the other, without a deadlock; other people's tables stay as they are."""
    longest, times = 0.0, 10 * rig.longer if rig.is_full else 1
    watcher: Any = await asyncpg.connect(postgres_database)
    await watcher.execute(ALIEN)
    before = await watcher.fetchval(LOOK)
    for _ in range(times):
        await schema(postgres_database, name)
        gateways = instances(rig, postgres_database)
        longest = max(longest, await boot(gateways))
        assert complaints(gateways) == []
        assert await is_current(postgres_database)
        assert await watcher.fetchval(LOOK) == before
        await asyncio.gather(*(asyncio.to_thread(each.remove) for each in gateways))
    await watcher.close()
    rig.tell(
        f"F05 {name or 'empty'}",
        f"{times} rounds of {NUMBER}: ready within {longest:.1f} s of the first, 0 deadlocks, alien tables as before",
    )
    rig.gate("seconds between the first that is ready and the last", longest, BEHIND_S)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_one_that_migrates_is_killed(rig: Rig, postgres_database: str) -> None:
    """In the middle of it: another takes over, and nobody has to help."""
    longest = 0.0
    for _ in range(KILLS):
        await schema(postgres_database, OLD)
        holder: Any = await asyncpg.connect(postgres_database)
        watcher: Any = await asyncpg.connect(postgres_database)
        gateways = instances(rig, postgres_database)
        async with holder.transaction():
            # Whoever migrates has to wait for this table, again and again, so that it can be caught.
            await holder.execute("LOCK TABLE keys IN ACCESS SHARE MODE")
            starting = [asyncio.ensure_future(asyncio.to_thread(each.start)) for each in gateways]
            victim = await caught(watcher, gateways)
            os.kill(victim.pid, signal.SIGKILL)
        began = time.monotonic()
        others = [task for task, each in zip(starting, gateways, strict=True) if each is not victim]
        await asyncio.gather(*others)
        longest = max(longest, time.monotonic() - began)
        await asyncio.gather(*starting, return_exceptions=True)
        assert await is_current(postgres_database)
        assert complaints([each for each in gateways if each is not victim]) == []
        await asyncio.gather(*(asyncio.to_thread(each.remove) for each in gateways))
        await holder.close()
        await watcher.close()
    rig.tell(
        "F05 killed",
        f"{KILLS} times one of {NUMBER} killed as it migrates: the others ready {longest:.1f} s later, by themselves",
    )
    rig.gate("seconds until the others are ready", longest, BEHIND_S)


async def caught(watcher: Any, gateways: list[Gateway]) -> Gateway:
    """The one that migrates, found by its connection."""
    found: list[Gateway] = []

    async def is_found() -> bool:
        if port := await watcher.fetchval(MIGRATING):
            found.extend(each for each in gateways if each._process is not None and port in own_ports(each))
        return bool(found)

    await until(is_found, within_s=30)
    return found[0]


def own_ports(serving: Gateway) -> set[int]:
    """The local ports of its connections."""
    ports: set[int] = set()
    for pid in workers(serving):
        with suppress(OSError):
            ports |= local_ports(pid)
    return ports


def local_ports(pid: int) -> set[int]:
    """The local ports of a process's connections."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = (line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes}

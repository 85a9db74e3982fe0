"""F31: what a worker holds does not grow with what it has answered."""

from __future__ import annotations

import asyncio
import time
from statistics import linear_regression

import pytest

from tests.faults.rig.cluster import Vitals, vitals, workers
from tests.faults.rig.load import Load, standard
from tests.faults.rig.site import Rig

RATE = 100
WARM_UP_S = 45.0
SECONDS = 90.0
MIB = 2**20


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_memory_does_not_follow_what_was_answered(rig: Rig, postgres_database: str, redis_database: str) -> None:
    """F31: a worker that has warmed up keeps its memory and its open files while it answers thousands more."""
    site = await rig.start(postgres_database, redis=redis_database)
    pids = workers(site.gateway)
    warm, load = (
        Load(site.ports, standard(site.holders, tag=tag), rate=RATE, seed=rig.seed + place)
        for place, tag in enumerate("wl")
    )
    async with warm.running():
        await asyncio.sleep(WARM_UP_S)
    await site.books.settled(len(warm.heard))
    before = vitals(pids)
    seen: list[tuple[int, Vitals]] = []
    async with load.running():
        end = time.monotonic() + SECONDS * rig.longer
        while time.monotonic() < end:
            seen.append((len(load.heard), vitals(pids)))
            await asyncio.sleep(0.5)
    assert all(each.is_complete for each in [*warm.heard, *load.heard])
    await site.books.settled(len(warm.heard) + len(load.heard))
    files = vitals(pids).files - before.files
    slope, _ = linear_regression([number for number, _ in seen], [held.memory / MIB for _, held in seen])
    rig.tell(
        "F31 memory",
        f"{len(load.heard)} requests after the first {len(warm.heard)}: memory {10_000 * slope:+.2f} MiB in 10,000 "
        f"requests, from {before.memory / MIB:.0f} MiB; open files {files:+d}",
    )
    rig.gate("MiB in 10,000 requests", 10_000 * slope, 1.0)
    rig.gate("open files more than before", files, 5)

"""Load before, during and after something goes wrong beside the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

from msgspec import Struct

from tests.faults.rig.books import Verdict, check
from tests.faults.rig.cluster import vitals, workers
from tests.faults.rig.load import Load, standard
from tests.faults.rig.phases import Stopwatch
from tests.faults.rig.site import Rig, Site

RATE = 50.0
MEMORY_MOST = 50 * 1024 * 1024
DRAINED_S = 15.0
PATIENCE_S = 90.0
"""For rows, on the busiest machine."""
ADDED_MS = 5.0
"""What a trouble may add to the 99th percentile of an undisturbed phase of the same run."""

Act = Callable[[], Awaitable[object]]


class Trouble(Struct, frozen=True):
    """What was seen of a site in trouble."""

    site: Site
    load: Load
    watch: Stopwatch
    memory: int
    """Bytes by which the workers grew."""
    cpu_ms: tuple[float, float]
    """Of the workers, for a request before and during the trouble."""
    drained_s: float
    """Seconds from the end of the trouble until the ledger had every row."""
    verdict: Verdict

    def rise_ms(self, share: float) -> float:
        """By how many milliseconds this percentile of what is added is higher than in the calm before."""
        calm, trouble = (self.watch[name].added_ms(self.load.heard, share) for name in ("calm", "trouble"))
        return trouble - calm

    def summary(self) -> str:
        """For the table of results."""
        calm, trouble = self.watch["calm"], self.watch["trouble"]
        heard = self.load.heard
        return (
            f"{trouble.seconds:.0f} s, {len(heard)} requests, 0 failed; first byte {calm.summary(heard)} before, "
            f"{trouble.summary(heard)} during (median/p99 added); {self.verdict.rows} rows, 0 lost, all there "
            f"{self.drained_s:.1f} s after; memory {self.memory / 2**20:+.0f} MiB"
        )


async def through(
    rig: Rig, site: Site, *, begin: Act, during: Act, end: Act, added_ms: float | None = ADDED_MS
) -> Trouble:
    """Load before, during and after a trouble: nobody notices, and every row arrives.

    `added_ms` is what the whole matrix allows the 99th percentile to rise by; None is as much as it likes.
    """
    load, watch = Load(site.ports, standard(site.holders), rate=RATE, seed=rig.seed), Stopwatch()
    async with load.running():
        await asyncio.sleep(0.5)
        pids = workers(site.gateway)
        held = [vitals(pids)]
        with watch.during("calm"):
            await asyncio.sleep(5.0 if rig.is_full else 1.0)
        held.append(vitals(pids))
        await begin()
        with watch.during("trouble"):
            await during()
        held.append(vitals(pids))
        await end()
        expected = len(load.heard)
        drained = await site.books.reached(expected, within_s=PATIENCE_S)
    failed = [each for each in load.heard if not each.is_complete]
    assert not failed, f"{len(failed)} failed: {failed[0].problem} {failed[0].status} {failed[0].body[:200]!r}"
    await site.books.settled(len(load.heard))
    verdict = await check(site.books, load.heard, rig.vendors.entries())
    grown, used = held[2].memory - held[1].memory, [1000 * (b.cpu_s - a.cpu_s) for a, b in pairwise(held)]
    calm, trouble = (len(watch[name].of(load.heard)) for name in ("calm", "trouble"))
    seen = Trouble(site, load, watch, grown, (used[0] / calm, used[1] / trouble), drained, verdict)
    rig.gate("seconds until every row is there", drained, DRAINED_S)
    rig.gate("bytes the workers grew by", grown, MEMORY_MOST)
    if added_ms is not None:
        rig.gate("ms added to the 99th percentile", seen.rise_ms(0.99), added_ms)
    return seen

"""One measurement of one contestant: as fast as it can, then at a fixed pace, with its cost by the kernel's account."""

from __future__ import annotations

from functools import partial

import msgspec

from benchmarks.accounting import account, core_seconds, proportional_mib
from benchmarks.gateways.contestant import Contestant
from benchmarks.gateways.rig import LOAD_CORE, SERVED_CORE, pinned
from benchmarks.gateways.rows import ROWS, Row
from benchmarks.native import LoadResult, Upstream

WARMUP_SECONDS = 1.0
BEHIND, BEHIND_SECONDS = 1.1, 0.5
"""How much longer than asked a paced load may take, streams under way included, before it is a queue that grows."""
LOAD = pinned(LOAD_CORE)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What one contestant did in one row in one round."""

    per_second: float
    """Answers a second, as many as it could."""
    events_per_second: float
    cpu_us: float
    """Processor time of the whole process tree for one answer, µs, what it does afterwards included."""
    event_cpu_us: float
    """The same for one streamed event; 0 where nothing streams."""
    mib: float
    """Proportional memory of the process tree when the load ended."""
    p50_us: float
    """From the moment a request was due to the end of its answer, at the fixed pace."""
    p99_us: float
    first_p50_us: float
    """The same to the first byte of the body."""
    first_p99_us: float
    keeps_pace: bool
    reached: float
    """Requests that came to the vendor for each one that was answered, at full load."""
    foreign: float
    """What other processes took of its core at full load, as a share of the time."""
    errors: int
    first_error: str = ""


def measure(contestant: Contestant, row: Row, *, vendor: Upstream, seconds: float) -> Sample:
    """Thaws it, loads it, freezes it again. Raises `ServerFailed` where the load generator fails."""
    contestant = contestant.on(row)
    load = partial(contestant.call(row).load, ROWS[row], awake=vendor.awake)
    contestant.wake()
    warm = load(seconds=min(WARMUP_SECONDS, seconds)).put(runner=LOAD)
    contestant.settle(warm.requests)
    vendor.reset()
    before, core_before = account(contestant.pid).cpu_seconds, core_seconds(SERVED_CORE)
    full = load(seconds=seconds).put(runner=LOAD)
    foreign = core_seconds(SERVED_CORE) - core_before - (account(contestant.pid).cpu_seconds - before)
    mib = proportional_mib(contestant.pid)
    contestant.settle(full.requests)
    spent, reached = account(contestant.pid).cpu_seconds - before, vendor.count()
    paced = load(seconds=seconds, paced=True).put(runner=LOAD)
    contestant.settle(paced.requests)
    contestant.rest()
    return Sample(
        per_second=full.per_second,
        events_per_second=full.events / full.seconds,
        cpu_us=spent / max(1, full.requests) * 1e6,
        event_cpu_us=spent / full.events * 1e6 if full.events else 0,
        mib=mib,
        p50_us=paced.latency_us.p50,
        p99_us=paced.latency_us.p99,
        first_p50_us=paced.first_byte_us.p50,
        first_p99_us=paced.first_byte_us.p99,
        keeps_pace=paced.seconds <= seconds * BEHIND + BEHIND_SECONDS,
        reached=reached / max(1, full.requests),
        foreign=max(0.0, foreign / full.seconds) if contestant.alone else 0.0,
        errors=_errors(warm, full, paced),
        first_error=next((one.first_error for one in (warm, full, paced) if one.errors), ""),
    )


def _errors(*loads: LoadResult) -> int:
    return sum(load.errors for load in loads)

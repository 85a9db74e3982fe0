"""Prints how throughput grows with a second worker where nothing else is short: `python -m benchmarks.scaling`."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks.accounting import account
from benchmarks.gateways.ours import BOOKED_SECONDS, FarthingServer
from benchmarks.gateways.rig import LOAD_CORE, Rig, pinned
from benchmarks.gateways.rows import ROWS
from benchmarks.machine import store
from benchmarks.shares import NoShares, shares
from benchmarks.tables import aligned
from tests.servers.postgres import Postgres

SHARE = 0.2
"""Of the served core, for each worker: so little that everything else has head-room, even beside other work."""
CONNECTIONS = 64
WARMUP_SECONDS = 1.0
GOAL = 1.8
HEAD = ("", "answers/s", "x", "with their rows/s", "x", "share used")


class Crew:
    """A gateway of some workers; `booked` counts the rows in its ledger."""

    def __init__(self, title: str, gateway: FarthingServer, booked: Callable[[], int], workers: int) -> None:
        self.title = title
        self.gateway = gateway
        self.booked = booked
        self.workers = workers

    def pids(self) -> list[int]:
        """The processes that serve: itself, or those below it that are no helpers of Python's own."""
        if self.workers == 1:
            return [self.gateway.pid]
        children = Path(f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children").read_text(encoding="ascii")
        return [pid for pid in map(int, children.split()) if b"spawn_main" in _command(pid)]


class Sample(msgspec.Struct, frozen=True):
    """One load on one crew."""

    per_second: float
    booked_per_second: float
    """The same, but the clock stops when every row stands in the ledger."""
    used: float
    """Of what the workers may use, while they were loaded."""


def measure(crew: Crew, seconds: float, share: float) -> Sample:
    """Thaws it, loads it, freezes it again. Raises `AssertionError` for an error or a row that is missing."""
    crew.gateway.thaw()
    load = crew.gateway.asked().load(msgspec.structs.replace(ROWS["forwarded"], connections=CONNECTIONS), seconds=1)
    pids = crew.pids()
    assert len(pids) == crew.workers, f"{len(pids)} workers instead of {crew.workers}"
    with shares(pids, share):
        expected = crew.booked()
        expected += msgspec.structs.replace(load, seconds=WARMUP_SECONDS).put(runner=pinned(LOAD_CORE)).requests
        _until(lambda: crew.booked() >= expected)
        before, began = _spent(pids), time.monotonic()
        done = msgspec.structs.replace(load, seconds=seconds).put(runner=pinned(LOAD_CORE))
        used = (_spent(pids) - before) / (time.monotonic() - began) / (share * crew.workers)
        assert not done.errors, done.first_error
        _until(lambda: crew.booked() >= expected + done.requests)
        took = time.monotonic() - began
    crew.gateway.freeze()
    return Sample(per_second=done.per_second, booked_per_second=done.requests / took, used=used)


def table(found: dict[str, list[Sample]], *, share: float, rounds: int, seconds: float) -> str:
    """Medians, each second line beside the one above it."""
    lines, before = [HEAD], None
    for title, samples in found.items():
        answered, booked, used = (
            statistics.median(getattr(one, field) for one in samples)
            for field in ("per_second", "booked_per_second", "used")
        )
        first = before or (answered, booked)
        before = None if before else first
        ratios = [f"{value / base:.2f}" for value, base in zip((answered, booked), first, strict=True)]
        lines.append((title, f"{answered:,.0f}", ratios[0], f"{booked:,.0f}", ratios[1], f"{used:.0%}"))
    return "\n".join(
        [
            *aligned(lines),
            "",
            f"Goal: {GOAL} x. Each worker may use {share:.0%} of one core, by the kernel's bandwidth control; all are",
            "on the first core, the mock, the load and PostgreSQL on the second. `share used` near 100 % says that",
            "the workers were the limit. `with their rows`: the clock stops when every row stands in the ledger.",
            f"{rounds} interleaved rounds of {seconds:g} s, medians; {CONNECTIONS} connections, prompts all different,",
            "everything on.",
        ]
    )


def crews(rig: Rig, stack: ExitStack, postgres: Postgres | None) -> list[Crew]:
    """One and two workers on SQLite, and on PostgreSQL where there is one, started and frozen."""
    made = []
    for server in (None, postgres) if postgres else (None,):
        for workers in (1, 2):
            made.append(_crew(rig, server, workers))
            stack.callback(made[-1].gateway.remove)
            made[-1].gateway.start()
            made[-1].gateway.freeze()
    return made


def _crew(rig: Rig, postgres: Postgres | None, workers: int) -> Crew:
    if postgres is None:
        gateway = FarthingServer(rig, workers=workers)
        return Crew(f"SQLite, --workers {workers}", gateway, gateway.booked, workers)
    database = f"workers{workers}"
    postgres.execute(f"CREATE DATABASE {database}")
    gateway = FarthingServer(rig, workers=workers, database=postgres.url(database))
    counted = "SELECT count(*) FROM requests"
    return Crew(f"PostgreSQL, --workers {workers}", gateway, lambda: int(postgres.execute(counted, database)), workers)


def compete(standing: Sequence[Crew], *, rounds: int, seconds: float, share: float) -> dict[str, list[Sample]]:
    """What each crew did in turns, round after round, by its title. Raises `NoShares`."""
    found: dict[str, list[Sample]] = {crew.title: [] for crew in standing}
    for _ in range(rounds):
        for crew in standing:
            found[crew.title].append(measure(crew, seconds, share))
    return found


def scale(rig: Rig, *, rounds: int, seconds: float) -> tuple[float, float] | None:
    """Answers a second of one worker and of two on SQLite, medians; None where nobody may give processes a share."""
    try:
        with ExitStack() as stack:
            standing = crews(rig, stack, None)
            found = compete(standing, rounds=rounds, seconds=seconds, share=SHARE)
    except NoShares:
        return None
    one, two = (statistics.median(each.per_second for each in samples) for samples in found.values())
    return one, two


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _spent(pids: Sequence[int]) -> float:
    return sum(account(pid).cpu_seconds for pid in pids)


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + BOOKED_SECONDS
    while not done():
        assert time.monotonic() < end, "answered requests are not in the ledger"
        time.sleep(0.02)


def main() -> int:
    """The exit code; prints the table and stores it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--share", type=float, default=SHARE, help="of a core, for each worker")
    chosen = options.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        with Rig() as rig, ExitStack() as stack:
            postgres = Postgres()
            stack.callback(postgres.remove)
            postgres.start()
            standing = crews(rig, stack, postgres)
            found = compete(standing, rounds=chosen.rounds, seconds=chosen.seconds, share=chosen.share)
    except NoShares as error:
        print(f"Nothing measured: {error}.")
        return 1
    text = table(found, share=chosen.share, rounds=chosen.rounds, seconds=chosen.seconds)
    print(text)
    store("scaling", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

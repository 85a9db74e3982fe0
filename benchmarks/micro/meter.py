"""How a benchmark is timed: processor time, in rounds that take turns with the calibration."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.micro import calibration

T = TypeVar("T")
Items = Sequence[T] | Callable[[], Sequence[T]]
"""What a round goes through, or what makes it afresh before each round, untimed."""

PROC = Path("/proc")


class Meter:
    """Times one benchmark; the figures go with the benchmark's own into the stored file."""

    def __init__(self, benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop, rounds: int) -> None:
        self.loop = loop
        self._benchmark = benchmark
        self._rounds = rounds

    def run(self, work: Awaitable[T]) -> T:
        """Its result; untimed."""
        return self.loop.run_until_complete(work)

    def each(self, call: Callable[[T], object], items: Items[T], **facts: Any) -> None:  # noqa: ANN401
        """Times `call` for every item of a round. `facts` as in `_time`."""

        def round_of(chosen: Sequence[T]) -> None:
            for item in chosen:
                call(item)

        self._time(round_of, items, **facts)

    def each_awaited(
        self,
        call: Callable[[T], Awaitable[object]],
        items: Items[T],
        at_once: int = 1,
        **facts: Any,  # noqa: ANN401
    ) -> None:
        """The same for a coroutine function; so many calls are under way at once."""

        async def work(waiting: Iterator[T]) -> None:
            for item in waiting:
                await call(item)

        async def all_of(chosen: Sequence[T]) -> None:
            waiting = iter(chosen)
            if at_once == 1:
                await work(waiting)
            else:
                await asyncio.gather(*(work(waiting) for _ in range(at_once)))

        self._time(lambda chosen: self.loop.run_until_complete(all_of(chosen)), items, **facts)

    def _time(
        self,
        round_of: Callable[[Sequence[T]], None],
        items: Items[T],
        *,
        goal_us: float | None = None,
        parts: int = 1,
        server: int | None = None,
    ) -> None:
        """`goal_us` is printed beside; an item counts as `parts` calls; `server` is a process whose share is told."""
        machine: list[float] = []
        used: list[int] = []
        calls = 0

        def prepare() -> tuple[tuple[Sequence[T]], dict[str, object]]:
            nonlocal calls
            chosen = items() if callable(items) else items
            calls = len(chosen) * parts
            machine.append(calibration.seconds())
            used.append(on_processor(server) if server else 0)
            return (chosen,), {}

        gc.collect()
        gc.freeze()
        self._benchmark.pedantic(  # type: ignore[no-untyped-call]
            round_of, setup=prepare, rounds=self._rounds, iterations=1, warmup_rounds=2
        )
        facts = {"calls": calls, "goal_us": goal_us, "calibration_s": [min(machine), statistics.median(machine)]}
        if server:
            spent = [after - before for before, after in pairwise(used)]
            facts["server_us"] = statistics.median(spent or [0]) / calls / 1000
        self._benchmark.extra_info.update(facts)


def on_processor(ancestor: int) -> int:
    """Nanoseconds on a processor of a process and everything below it, since each began.

    Children of the family that have ended count as well, to the kernel's hundredth of a second: without them the sum
    would fall whenever a server's helper process goes.
    """
    stats = {int(path.name): _stat(path) for path in PROC.iterdir() if path.name.isdecimal()}
    family, fresh = {ancestor}, {ancestor}
    while fresh := {pid for pid, stat in stats.items() if int(stat[_PARENT]) in fresh} - family:
        family |= fresh
    ended = sum(sum(map(int, stats.get(pid, _GONE)[_CHILDREN])) for pid in family)
    living = sum(_of_task(task) for pid in family for task in (PROC / str(pid) / "task").glob("*"))
    return living + ended * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


_PARENT, _CHILDREN = 1, slice(13, 15)
"""Places in proc(5)'s stat from the state on: the parent, and the time in user and kernel of children waited for."""
_GONE = ["0"] * 50


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return _GONE


def _of_task(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text(encoding="ascii").split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0

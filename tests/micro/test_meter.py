"""How the parts of a request are timed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.micro import calibration
from benchmarks.micro.meter import Meter, on_processor


class Recorded:
    """Stands for pytest-benchmark: runs every round and keeps what it was told."""

    def __init__(self) -> None:
        self.extra_info: dict[str, Any] = {}

    def pedantic(
        self,
        target: Callable[..., object],
        *,
        setup: Callable[[], Any],
        rounds: int,
        iterations: int,
        warmup_rounds: int,
    ) -> None:
        """As the real one, untimed."""
        for _ in range(rounds + warmup_rounds):
            arguments, named = setup()
            for _ in range(iterations):
                target(*arguments, **named)


@pytest.fixture
def loop() -> Any:
    """A loop of the test's own."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def test_every_item_of_a_round_is_called(loop: asyncio.AbstractEventLoop) -> None:
    """Two rounds and two to warm up, and the figures say how many calls a round had."""
    benchmark, called = Recorded(), list[int]()
    Meter(benchmark, loop, rounds=2).each(called.append, [1, 2, 3], goal_us=5)  # type: ignore[arg-type]
    assert called == [1, 2, 3] * 4
    facts = benchmark.extra_info
    assert (facts["calls"], facts["goal_us"], "server_us" in facts) == (3, 5, False)
    least, median = facts["calibration_s"]
    assert 0 < least <= median


def test_items_can_be_made_afresh_for_each_round(loop: asyncio.AbstractEventLoop) -> None:
    """And an item can stand for several calls."""
    benchmark, called, rounds = Recorded(), list[int](), iter(range(100))
    Meter(benchmark, loop, rounds=1).each(called.append, lambda: [next(rounds)] * 2, parts=10)  # type: ignore[arg-type]
    assert called == [0, 0, 1, 1, 2, 2]
    assert benchmark.extra_info["calls"] == 20


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (4, 4)])
def test_coroutines_are_awaited_so_many_at_once(loop: asyncio.AbstractEventLoop, at_once: int, most: int) -> None:
    """Each item is worked on once a round."""
    under_way, seen, called = 0, list[int](), list[int]()

    async def call(item: int) -> None:
        nonlocal under_way
        under_way += 1
        seen.append(under_way)
        await asyncio.sleep(0)
        called.append(item)
        under_way -= 1

    Meter(Recorded(), loop, rounds=1).each_awaited(call, range(8), at_once)  # type: ignore[arg-type]
    assert sorted(called) == sorted([*range(8)] * 3)
    assert max(seen) == most


def test_the_calibration_is_the_same_work_every_time() -> None:
    """And takes processor time."""
    assert calibration.work() == calibration.work()
    assert calibration.seconds() > 0


def test_time_on_a_processor_is_the_kernels_account() -> None:
    """Of this very process it only grows, and by what it has worked."""
    before, began = on_processor(os.getpid()), time.process_time_ns()
    while time.process_time_ns() - began < 20_000_000:
        pass
    assert on_processor(os.getpid()) - before > 10_000_000


def test_the_work_of_children_that_have_ended_is_kept() -> None:
    """The sum does not fall when one goes."""
    before = on_processor(os.getpid())
    subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)
    assert on_processor(os.getpid()) - before > 50_000_000

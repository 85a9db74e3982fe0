"""Whoever hears whom and when, workers together never grant much more than a limit at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from farthing.background.clock import ManualClock
from farthing.domain.errors import RateLimited
from farthing.money.limiter import Allowance, Limiter
from tests.unit.money.sharing import SharedInMemory, limited, needs

WORKERS = 4
RATE = 48
PLACES = 50
WHO = limited(requests_per_minute=RATE, concurrent_requests=PLACES)
_T = TypeVar("_T")


class Crowd(RuleBasedStateMachine):
    """Four workers, each of which may grow deaf, and one caller who asks all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.clock = ManualClock()
        self.shared = SharedInMemory(self.clock)
        spawn = self.loop.create_task
        self.workers = [
            Limiter(
                clock=self.clock,
                spawn=lambda work, name: spawn(work, name=name),
                worker=f"w{number}",
                workers=WORKERS,
                shared=self.shared,
            )
            for number in range(WORKERS)
        ]
        self.open: list[Allowance] = []
        self.filled = 0.0
        """Of a bucket that leaks twice as fast as the limit refills: the deaf and those who hear go on side by side."""

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs to its end, and what it has started."""

        async def whole() -> _T:
            found = await work
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
            return found

        return self.loop.run_until_complete(whole())

    @rule(which=st.integers(0, WORKERS - 1), times=st.integers(1, 60))
    def ask(self, which: int, times: int) -> None:
        """Some requests at once at one worker; those that were granted end soon, but for a few."""
        worker = self.workers[which]

        async def all_of_them() -> list[Allowance | BaseException]:
            return await asyncio.gather(*(worker.take(WHO, needs()) for _ in range(times)), return_exceptions=True)

        for answer in self.run(all_of_them()):
            if isinstance(answer, Allowance):
                self.filled += 1
                self.open.append(answer)
            else:
                assert isinstance(answer, RateLimited)
                assert 0 < (answer.retry_after or 0) <= 60
        self.end(len(self.open) - 3)

    @rule(number=st.integers(1, 3))
    def end(self, number: int) -> None:
        """Requests end."""
        for _ in range(min(number, len(self.open))):
            self.open.pop(0).settle(10)

    @rule(seconds=st.sampled_from([0.1, 1, 5, 20, 60]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        self.filled = max(0.0, self.filled - 2 * seconds * RATE / 60)

    @rule()
    def beat(self) -> None:
        """Every worker looks after what it knows."""

        async def all_of_them() -> None:
            for worker in self.workers:
                await worker.beat()

        self.run(all_of_them())

    @rule(deaf=st.sets(st.integers(0, WORKERS - 1)))
    def part(self, deaf: set[int]) -> None:
        """These workers hear nothing from now on, and the others do."""
        self.shared.deaf = {f"w{number}" for number in deaf}

    @invariant()
    def little_is_granted_beyond_the_limit(self) -> None:
        """A quarter at most, at any moment, whoever is deaf."""
        assert self.filled <= RATE * 1.25 + 0.001

    def teardown(self) -> None:
        """When all hear again and everything has ended, the whole limit is to be had, once."""
        try:
            self.end(len(self.open))
            self.shared.deaf.clear()
            for _ in range(2):
                self.beat()
                self.clock.advance(120)
            self.filled = 0.0
            for which in range(WORKERS):
                for _ in range(4):
                    self.ask(which, PLACES)
            assert self.filled == RATE
            self.end(len(self.open))
            self.beat()
            assert all(not self.shared.taken(name) for name in self.shared.slots)
        finally:
            self.loop.close()
            asyncio.set_event_loop(None)


TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)

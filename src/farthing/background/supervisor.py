"""Owns every task that outlives a request: watches it fail, starts it again, and lets it finish when we stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, Self, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

JITTER = 0.1
"""Share of a period by which each round is moved, so that workers do not march in step."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 30.0


class Supervisor:
    """One group of tasks, entered when the application starts and left when it stops."""

    def __init__(self, *, grace_s: float = 30.0, dice: Random | None = None) -> None:
        """`grace_s`: seconds that tasks have to finish when we stop. `dice` moves the rounds of periodic jobs."""
        self._grace_s = grace_s
        self._dice = dice or Random()  # noqa: S311 - spreads load, guards nothing
        self._tasks: set[asyncio.Task[Any]] = set()
        self._jobs: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        """The supervisor itself."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """As `stop`."""
        await self.stop()

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Starts something that ends by itself. Its failure belongs to whoever awaits the task."""
        return self._start(work, name, self._tasks)

    def every(self, period_s: float, job: Callable[[], Awaitable[object]], name: str) -> None:
        """Calls `job` at once and then about every `period_s` seconds until we stop; after failures more rarely."""
        self._start(self._rounds(period_s, job, name), name, self._tasks)

    def keep(self, job: Callable[[], Awaitable[object]], name: str) -> None:
        """Keeps `job` going until we stop, when it is cancelled; begins it anew, ever more slowly, when it ends."""
        self._start(self._rounds(0.0, job, name), name, self._jobs)

    async def stop(self, grace_s: float | None = None) -> None:
        """Begins no further round, waits for what is under way, and cancels what has not ended after the grace."""
        self._stopping.set()
        for task in self._jobs:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_s if grace_s is None else grace_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        late = [*self._tasks, *self._jobs]
        for task in self._tasks:
            logger.warning("%s did not end in time and was cancelled", task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, T], name: str, group: set[asyncio.Task[Any]]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        group.add(task)
        task.add_done_callback(group.discard)
        return task

    async def _rounds(self, period_s: float, job: Callable[[], Awaitable[object]], name: str) -> None:
        failures, now = 0, asyncio.get_running_loop().time
        while not self._stopping.is_set():
            began = now()
            try:
                await job()
                has_failed = not period_s
            except Exception:
                has_failed = True
                logger.exception("%s failed and is tried again", name)
            has_lasted = now() - began > LONGEST_PAUSE_S
            failures = int(has_failed) if has_lasted or not has_failed else failures + 1
            rest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures, 10)) if failures else 0.0
            await self._pause(max(period_s, rest))

    async def _pause(self, seconds: float) -> None:
        """Until the next round, or until we stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds * self._dice.uniform(1 - JITTER, 1 + JITTER)):
                await self._stopping.wait()

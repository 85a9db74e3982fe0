"""`make bench-watchers`: what everybody who watches the live figures costs a worker, by the kernel's own account."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.accounting import account
from benchmarks.gateways.rig import LOAD_CORE, SERVED_CORE, pinned
from benchmarks.machine import store
from benchmarks.micro.meter import on_processor
from benchmarks.tables import aligned
from tests.servers.gateway import Gateway, running

WATCHERS = 500
"""As many as one key may have on a worker unless it is told otherwise."""
GOAL = 0.02
"""Of the worker's core, for all who watch."""
LAG_GOAL_S = 1.0
SETTLED_S = 3.0
PATIENCE_S = 30.0
RATES = {"nothing asked": None, "a request a second": 1.0, "ten requests a second": 0.1}
"""Seconds between two requests."""


class Sample(msgspec.Struct, frozen=True):
    """Of one stretch: the worker's share of its core, its MiB, messages to each watcher a second, and the latest."""

    share: float
    mib: float
    per_second: float = 0.0
    lag_s: float = 0.0


class Crowd:
    """Everybody who watches, and what they were told."""

    def __init__(self) -> None:
        self.messages = 0
        self.lag_s = 0.0
        """Of the message that came latest after its figures were made."""

    async def watch(self, socket: ClientConnection) -> None:
        """Until the socket ends. Raises `AssertionError` for a sequence that does not rise."""
        last = 0
        async for text in socket:
            figures = json.loads(text)
            assert figures["sequence"] > last, "a sequence number came twice"
            last = figures["sequence"]
            self.messages += 1
            self.lag_s = max(self.lag_s, time.time() - datetime.fromisoformat(figures["timestamp"]).timestamp())

    def forget(self) -> None:
        """Begins to count anew."""
        self.messages, self.lag_s = 0, 0.0


@asynccontextmanager
async def watching(gateway: Gateway, count: int) -> AsyncIterator[Crowd]:
    """So many sockets while the block runs. Raises `AssertionError` where one was let go meanwhile."""
    crowd, url = Crowd(), f"ws://127.0.0.1:{gateway.port}/metrics/live"
    sockets = [await connect(url, proxy=None, compression=None, open_timeout=PATIENCE_S) for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(crowd.watch(socket)) for socket in sockets]
        yield crowd
        assert not any(task.done() for task in tasks), "a watcher was let go"
        await asyncio.gather(*(socket.close() for socket in sockets))


async def asking(gateway: Gateway, every_s: float | None) -> None:
    """A question each so many seconds, or with None none, until it is cancelled."""
    if every_s is None:
        return
    async with aiohttp.ClientSession(gateway.url) as session:
        for number in range(sys.maxsize):
            async with session.post("/complete", json={"prompt": f"Question {number}"}) as answer:
                assert answer.status == 200, await answer.text()
            await asyncio.sleep(every_s)


async def measure(gateway: Gateway, *, watchers: int, every_s: float | None, seconds: float) -> Sample:
    """One stretch of so many seconds, once what came before it is over."""
    questions = asyncio.ensure_future(asking(gateway, every_s))
    try:
        async with watching(gateway, watchers) as crowd:
            await asyncio.sleep(SETTLED_S)
            crowd.forget()
            before, began = on_processor(gateway.pid), time.monotonic()
            await asyncio.sleep(seconds)
            used, took = (on_processor(gateway.pid) - before) / 1e9, time.monotonic() - began
            told = crowd.messages / took / watchers if watchers else 0.0
            return Sample(used / took, account(gateway.pid).resident_mib, told, crowd.lag_s)
    finally:
        questions.cancel()
        await asyncio.wait([questions])


async def compare(gateway: Gateway, *, watchers: int, rounds: int, seconds: float) -> dict[str, tuple[Sample, Sample]]:
    """Without watchers and with them, by what is asked meanwhile: medians of the rounds, in turns."""
    found: dict[str, list[tuple[Sample, Sample]]] = {title: [] for title in RATES}
    for _ in range(rounds):
        for title, every_s in RATES.items():
            alone, watched = [
                await measure(gateway, watchers=count, every_s=every_s, seconds=seconds) for count in (0, watchers)
            ]
            found[title].append((alone, watched))
    return {
        title: (median([one for one, _ in pairs]), median([one for _, one in pairs])) for title, pairs in found.items()
    }


def median(samples: list[Sample]) -> Sample:
    """Of each figure, but the longest lag."""
    found = {field: statistics.median(getattr(one, field) for one in samples) for field in Sample.__struct_fields__}
    return msgspec.structs.replace(Sample(**found), lag_s=max(one.lag_s for one in samples))


def told(found: dict[str, tuple[Sample, Sample]], *, watchers: int, rounds: int, seconds: float) -> str:
    """The table."""
    head = (
        "share of the worker's core",
        "nobody",
        f"{watchers} watch",
        "they cost",
        "goal",
        "messages/s to each",
        "latest",
        "goal",
    )
    lines = [
        (
            title,
            f"{alone.share:.2%}",
            f"{watched.share:.2%}",
            f"{watched.share - alone.share:.2%}",
            f"{GOAL:.0%}",
            f"{watched.per_second:.2f}",
            f"{1000 * watched.lag_s:.0f} ms",
            f"{1000 * LAG_GOAL_S:.0f} ms",
        )
        for title, (alone, watched) in found.items()
    ]
    most_mib = max(watched.mib for _, watched in found.values())
    return "\n".join(
        [
            *aligned([head, *lines]),
            "",
            f"Resident memory with all of them: at most {most_mib:.0f} MiB.",
            f"Medians of {rounds} rounds of {seconds:g} s, in turns: one worker in demo mode, pinned, by the kernel's",
            "account; pings, and what computes the figures, included. `latest`: the longest from figures to a watcher",
            "who has decoded them, all of them on one core.",
        ]
    )


def main() -> int:
    """The exit code, 1 where the goal is missed; prints the table and stores it."""
    options = argparse.ArgumentParser(prog="benchmarks.watchers", description=__doc__)
    options.add_argument("--watchers", type=int, default=WATCHERS)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=12)
    chosen = options.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with running("", runner=pinned(SERVED_CORE)) as gateway:
        found = asyncio.run(compare(gateway, watchers=chosen.watchers, rounds=chosen.rounds, seconds=chosen.seconds))
    text = told(found, watchers=chosen.watchers, rounds=chosen.rounds, seconds=chosen.seconds)
    print(text)
    store("watchers", text)
    return 0 if all(watched.share - alone.share <= GOAL for alone, watched in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

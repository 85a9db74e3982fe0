"""Prints what a row of the ledger costs after its request has ended, in µs of CPU: `python -m benchmarks.ingest`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import uvloop

from benchmarks.accounting import account
from benchmarks.machine import store as keep
from benchmarks.routing_decision import LONG, SHORT, catalogue, chat
from benchmarks.tables import aligned
from farthing.background.clock import SystemClock
from farthing.domain.budget import DAY_US
from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Exchange, Intent
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.domain.routing import STRATEGIES, concrete
from farthing.domain.routing.plan import Plan
from farthing.money.bookkeeper import Bookkeeper
from farthing.money.journal import Journal
from farthing.ports.answers import CacheEntry
from farthing.store import Store, migrate, open_store
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres

ROWS, ROUNDS = 10_000, 3
GOAL = "10.0"
READ, WRITTEN, ROW, SERVER = "journal read", "ledger written", "a row in all", "the server's part"
KEPT = "an answer kept"
KINDS = {False: "asked by name", True: "routed among six"}
CALLERS = 32
"""Requests in flight that ask the answer cache for answers and keep theirs."""
BODY = b'{"id":"chatcmpl-0123456789","object":"chat.completion","choices":[{"index":0,"message":' + b"x" * 400 + b"}]}"


def exchanges(count: int, source: random.Random, now_us: int, *, routed: bool) -> list[Exchange]:
    """Requests that came 100 µs apart and took up to 0.3 s, a fifth cached; all by name, or most for `auto` of six."""
    models = catalogue(6)
    plans = [STRATEGIES["complexity"].plan(chat(text), models) for text in (SHORT, LONG, "What is a farthing?")]
    named = concrete(chat(SHORT), models.models["demo/3"], models)
    moments = [now_us + 100 * place - source.randrange(300_000) for place in range(count)]
    return [
        _exchange(source, moment, source.choice(plans) if routed and place % 5 else named)
        for place, moment in enumerate(moments)
    ]


def _exchange(source: random.Random, created_us: int, plan: Plan) -> Exchange:
    model, is_hit = plan.models[0], source.random() < 0.2
    cost, key = source.randrange(10_000, 5_000_000), source.randrange(5)
    return Exchange(
        request_id=uuid7(created_us, source.getrandbits(RANDOM_BITS)),
        created_at_us=created_us,
        status="cached" if is_hit else "ok",
        route="/v1/chat/completions",
        dialect="openai",
        tenant="default",
        key_id=f"key_{key}",
        team=("support", "search", None)[key % 3],
        user=f"user-{source.randrange(50)}",
        app="OpenAI/Python 2.11.0",
        requested_model="auto" if plan.score is not None else model.name,
        stream=source.random() < 0.3,
        provider=model.provider,
        model=model.name,
        upstream_id=f"chatcmpl-{source.getrandbits(96):024x}",
        strategy=plan.strategy,
        tier=plan.tier,
        score=plan.score,
        confidence=plan.confidence,
        reason=None if is_hit else plan.reason,
        decision=None
        if is_hit
        else {"candidates": msgspec.to_builtins(plan.candidates), "metadata": dict(plan.metadata)},
        attempts=() if is_hit else (Attempt(model=model.name, provider=model.provider, duration_us=421_337),),
        usage=Usage(prompt=source.randrange(20, 2_000), cached=source.choice([0, 0, 512]), completion=250),
        cost=0 if is_hit else cost,
        baseline_cost=4 * cost,
        price_version="genai-prices 2025-11-20",
        cache="hit" if is_hit else "miss",
        cache_level="memory" if is_hit else None,
        cache_key=f"{source.getrandbits(12):064x}",
        finish="stop",
        duration_us=source.randrange(200_000, 3_000_000),
        first_token_us=190_000,
        upstream_us=421_337,
    )


@contextmanager
def journalled(rows: Sequence[Exchange]) -> Iterator[tuple[Journal, Path]]:
    """A journal in which these requests were opened and, sixteen requests later, settled."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(root=Path(folder), name="benchmark")
        for place, row in enumerate([*rows, *[None] * 16]):
            if row is not None:
                intent = msgspec.structs.replace(row, status="interrupted", http_status=0, finish=None)
                journal.open(Intent(exchange=intent))
            if place >= 16:
                journal.settle(rows[place - 16])
        # Bringing the journal to the disk is the request's cost, and must not go on while the ledger's is measured.
        os.sync()
        time.sleep(0.1)
        try:
            yield journal, Path(folder)
        finally:
            journal.close()


class Meter:
    """Processor time of this process, and of a server beside it, since the last reading."""

    def __init__(self, server: Postgres | None) -> None:
        self._server = server
        self._last = self._now()

    def read(self) -> tuple[float, float]:
        """Seconds of ours and of the server's."""
        last, self._last = self._last, self._now()
        return self._last[0] - last[0], self._last[1] - last[1]

    def _now(self) -> tuple[float, float]:
        return time.process_time(), account(self._server.pid).cpu_seconds if self._server else 0.0


async def ingest(store: Store, rows: Sequence[Exchange], meter: Meter) -> dict[str, float]:
    """µs per row: reading the journal, writing the ledger, both together with all that is between them."""
    with journalled(rows) as (journal, root):
        writing = 0.0

        async def write(batch: Sequence[Exchange], _worker: str) -> int:
            nonlocal writing
            began = time.process_time()
            try:
                return await store.ingest.write(batch)
            finally:
                writing += time.process_time() - began

        bookkeeper = Bookkeeper(journal=journal, root=root, write=write, clock=SystemClock())
        # What is only there to be measured would otherwise be searched for garbage again and again.
        gc.collect()
        gc.freeze()
        meter.read()
        assert await bookkeeper.flush() == len(rows)
        total, server = meter.read()
        gc.unfreeze()
    micro = 1e6 / len(rows)
    return {READ: (total - writing) * micro, WRITTEN: writing * micro, ROW: total * micro, SERVER: server * micro}


async def answers(store: Store, count: int, meter: Meter) -> dict[str, float]:
    """µs for an answer that is kept, by many callers at once."""
    level, now = store.cache_level, SystemClock().now_us()
    waiting = iter([f"{random.getrandbits(256):064x}" for _ in range(count)])
    entry = CacheEntry(
        dialect="openai",
        stream=False,
        body=BODY,
        provider="demo",
        model="demo/0",
        cost=100,
        created_at_us=now,
        expires_at_us=now + DAY_US,
        tenant="default",
        prompt=SHORT,
    )

    async def caller() -> None:
        for key in waiting:
            await level.put(key, entry)
            await asyncio.sleep(0.002)

    meter.read()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await level.flush()
    kept, stored = meter.read()
    return {KEPT: kept / count * 1e6, f"{KEPT}: {SERVER}": stored / count * 1e6}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """A migrated store."""
    await migrate(url)
    store = open_store(url, clock=SystemClock())
    try:
        yield store
    finally:
        await store.aclose()


async def measure(url: str, server: Postgres | None, rounds: int, rows: int) -> dict[str, float]:
    """The least of several rounds, each of which makes the ledger longer."""
    source, clock = random.Random(7), SystemClock()
    found: dict[str, float] = {}
    async with opened(url) as store:
        for _ in range(rounds + 1):
            one: dict[str, float] = {}
            for routed, kind in KINDS.items():
                fresh = exchanges(rows, source, clock.now_us(), routed=routed)
                stages = await ingest(store, fresh, Meter(server))
                one |= {f"{kind}: {stage}": figure for stage, figure in stages.items()}
            one |= await answers(store, rows // 5, Meter(server))
            found = {name: min(found.get(name, value), value) for name, value in one.items()}
    return found


def main() -> int:
    """The exit code; prints the table and stores it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--rows", type=int, default=ROWS)
    options.add_argument("--only", choices=("SQLite", "PostgreSQL", "PgBouncer"))
    chosen = options.parse_args()
    found: dict[str, dict[str, float]] = {}

    def run(name: str, url: str, server: Postgres | None) -> None:
        if chosen.only in {None, name}:
            found[name] = uvloop.run(measure(url, server, chosen.rounds, chosen.rows))

    with tempfile.TemporaryDirectory() as folder:
        run("SQLite", f"sqlite:///{folder}/ledger.db", None)
    if chosen.only != "SQLite":
        postgres = Postgres()
        try:
            postgres.start()
            postgres.execute("CREATE DATABASE ledger")
            postgres.execute("CREATE DATABASE bounced")
            run("PostgreSQL", postgres.url("ledger"), postgres)
            bouncer = PgBouncer(postgres)
            try:
                bouncer.start()
                run("PgBouncer", bouncer.url("bounced"), postgres)
            finally:
                bouncer.remove()
        finally:
            postgres.remove()
    text = table(found)
    print(text)
    if chosen.only is None:
        keep("ingest", text)
    return 0


def table(found: dict[str, dict[str, float]]) -> str:
    """µs by stage and database."""
    stages = list(next(iter(found.values())))
    lines = [
        (stage, *(f"{figures[stage]:.1f}" for figures in found.values()), GOAL if stage.endswith((ROW, KEPT)) else "")
        for stage in stages
    ]
    notes = [
        "Least of all rounds. A row is read from the journal where it was noted twice, and written in batches of 500",
        f"with its sums. All processor time of our process counts, threads included; {SERVER} is PostgreSQL's,",
        "by the kernel's account in steps of 10 ms, and not in the row above it.",
    ]
    return "\n".join([*aligned([("µs of CPU", *found, "goal"), *lines]), "", *notes])


if __name__ == "__main__":
    sys.exit(main())

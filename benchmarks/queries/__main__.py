"""`make bench-queries`: the ledger's questions over ever more rows, on SQLite and PostgreSQL."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks.machine import RESULTS, described
from benchmarks.machine import store as keep
from benchmarks.micro import calibration
from benchmarks.micro.figures import Run, save
from benchmarks.micro.figures import load as load_run
from benchmarks.micro.samples import NOON_US
from benchmarks.queries.days import HOUR_US, fill, settle
from benchmarks.queries.questions import Took, ask, found, questions
from benchmarks.queries.tables import Filled, Goals, figures, told
from benchmarks.queries.trials import begin
from farthing.background.clock import ManualClock
from farthing.domain.secrecy import Secret
from farthing.store import Store, migrate
from farthing.store.engine import Engines
from farthing.store.schema import value_metrics
from tests.servers.postgres import Postgres

STORED = RESULTS / "queries.json"
DATABASES = ("sqlite", "postgresql")
MIDNIGHT_US = NOON_US - 12 * HOUR_US
NOW_US = MIDNIGHT_US + 16 * HOUR_US + 123_456_789
"""After work, at no whole minute."""
SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}
"""What tells a database's bytes."""
MIB = 1 << 20
BYTES_A_ROW = 5_000
"""Room that the largest database may need, sums and indices included."""


async def measure(url: str, server: int | None, *, rows: int, days: int) -> tuple[Filled, Goals]:
    """Fills the empty database and asks everything; the second part is every question's goal."""
    await migrate(url)
    engines = Engines(url)
    store = Store(engines, ManualClock(NOW_US), Secret(b"known to all workers"))
    try:
        started = time.monotonic()
        await fill(store, engines, midnight_us=MIDNIGHT_US, count=rows // days, days=days)
        await begin(store, engines, rows=rows, now_us=NOW_US)
        await settle(engines, url)
        seconds = time.monotonic() - started
        stats = await store.queries.stats(None)
        assert found(stats) == rows // days * days, "the sums do not count every row"
        asked = await questions(store, NOW_US)
        took, fixed = dict[str, Took | None](), list[float]()
        for question in asked:
            fixed.append(calibration.seconds())
            took[question.name] = await ask(question, server)
        async with engines.reading("migration") as connection:
            sums = await connection.scalar(sa.select(sa.func.count()).select_from(value_metrics))
            size = await connection.scalar(sa.text(SIZES[engines.backend.name]))
    finally:
        await store.aclose()
    name = engines.backend.name
    filled = Filled(
        database=name,
        rows=rows,
        sums=sums or 0,
        mib=(size or 0) / MIB,
        seconds=seconds,
        took=took,
        calibration_us=min(fixed) * 1e6,
        load=os.getloadavg()[0],
    )
    return filled, {question.name: question.goal_ms for question in asked}


def main() -> int:
    """The exit code; prints the tables and stores them."""
    options = argparse.ArgumentParser(prog="benchmarks.queries", description=__doc__)
    options.add_argument("rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--days", type=int, default=100, help="days over which the rows are spread")
    options.add_argument("--databases", nargs="*", default=DATABASES, choices=DATABASES)
    chosen = options.parse_args()
    room = shutil.disk_usage(tempfile.gettempdir()).free
    if max(chosen.rows) * BYTES_A_ROW > room:
        print(f"{max(chosen.rows):,} rows need about {max(chosen.rows) * BYTES_A_ROW >> 30} GiB of disk.")
        return 1
    databases: list[Filled] = []
    goals: Goals = {}
    for kind in chosen.databases:
        for rows in chosen.rows:
            filled, goals = one(kind, rows, chosen.days)
            print(f"{filled.head}: filled in {filled.seconds:.0f} s", flush=True)
            databases.append(filled)
    load = " ".join(f"{each.load:.1f}" for each in databases)
    busy = (
        f"Load of the {os.cpu_count()} cores while each was asked: {load}. Where it is over 1, others were at work too,"
    )
    shared = "and the wall's time is theirs as well as ours: judge by the processor's."
    note = f"The rows are spread over {chosen.days} days, of 3 tenants, 40 users, 10 keys, 6 models; each day 8 hours."
    stored = load_run(STORED)
    known = stored.figures if stored else {}
    text = "\n".join([told(goals, databases, known), "", note, busy, shared])
    print(text)
    keep("queries", text)
    save(STORED, Run(described(), {**known, **figures(databases)}))
    return 0


def one(kind: str, rows: int, days: int) -> tuple[Filled, Goals]:
    """A database of this kind from its making to its end."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="farthing-queries-") as folder:
            return asyncio.run(measure(f"sqlite:///{Path(folder) / 'farthing.db'}", None, rows=rows, days=days))
    server = Postgres()
    try:
        server.start()
        return asyncio.run(measure(server.url(), server.pid, rows=rows, days=days))
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())

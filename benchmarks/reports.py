"""`make bench-reports`: how much memory and time a month of so many rows takes as a file."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE

import msgspec
import sqlalchemy as sa

from benchmarks.machine import store as keep
from benchmarks.queries.days import fill
from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US, span
from farthing.domain.secrecy import Secret
from farthing.ports import Stretch
from farthing.ports.reports import Order
from farthing.reports import FORMATS
from farthing.store import Store, migrate
from farthing.store.engine import Engines
from farthing.store.schema import requests

NOVEMBER_US = 1_793_491_200_000_000
DAYS = 30
_PROGRAM = "from farthing.app.reporting import main; main()"
_encode = msgspec.msgpack.Encoder().encode


async def filled(url: str, rows: int) -> None:
    """The month with so many rows, as many each day."""
    await migrate(url)
    engines = Engines(url)
    last_us = NOVEMBER_US + (DAYS - 1) * DAY_US
    store = Store(engines, ManualClock(last_us + DAY_US), Secret(b"known to all workers"))
    await fill(store, engines, midnight_us=last_us, count=rows // DAYS, days=DAYS)
    await store.aclose()


async def made_different(url: str) -> None:
    """No two rows are alike any more: each charge stands for one request."""
    engines = Engines(url)
    async with engines.writing("migration") as connection:
        tags = sa.func.json_object("session", requests.c.request_id)
        await connection.execute(sa.update(requests).values(tags=tags))
    await engines.aclose()


def month(name: str) -> Order:
    """What asks for all of it in the format of this name."""
    within = span("month", NOVEMBER_US)
    return Order(
        month="2026-11",
        stretch=Stretch(within.start_us, within.end_us),
        tenant=None,
        format=name,
        is_demo=True,
        now_us=within.end_us or 0,
    )


def measured(url: str, name: str) -> tuple[float, float, int]:
    """Seconds, peak MiB of the process, and bytes of the file."""
    program = (
        f"{_PROGRAM}\nimport resource, sys\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    begun = time.monotonic()
    with tempfile.TemporaryFile() as file:
        sent = _encode((url, month(name)))
        done = subprocess.run([sys.executable, "-c", program], input=sent, stdout=file, stderr=PIPE, check=True)
        return time.monotonic() - begun, int(done.stderr) / 1024, file.tell()


def told(url: str, rows: int, name: str, kind: str) -> str:
    """A line of the table."""
    seconds, peak, size = measured(url, name)
    return f"{rows:10,}  {kind:9}  {name:8}  {seconds:8.1f}  {peak:8.0f}  {size / (1 << 20):11.2f}"


def main() -> None:
    """Prints the table and stores it."""
    options = argparse.ArgumentParser(prog="benchmarks.reports", description=__doc__)
    options.add_argument("rows", type=int, nargs="*", default=[100_000, 1_000_000])
    lines = [f"{'rows':>10}  {'which are':9}  {'format':8}  {'seconds':>8}  {'peak MiB':>8}  {'MiB of file':>11}"]
    for rows in options.parse_args().rows:
        with tempfile.TemporaryDirectory(prefix="farthing-reports-") as folder:
            url = f"sqlite:///{Path(folder) / 'farthing.db'}"
            asyncio.run(filled(url, rows))
            lines += [told(url, rows, name, "alike") for name in FORMATS]
            asyncio.run(made_different(url))
            lines += [told(url, rows, name, "different") for name in ("csv", "focus")]
    text = "\n".join(lines)
    print(text)
    keep("reports", text)


if __name__ == "__main__":
    main()

"""`make bench-reports`: how much memory and time a month of so many rows takes as a file."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

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


def measured(url: str, name: str) -> tuple[float, float, int]:
    """Seconds, peak MiB of the process, and bytes of the file."""
    month = span("month", NOVEMBER_US)
    order = Order(
        month="2026-11",
        stretch=Stretch(month.start_us, month.end_us),
        tenant=None,
        format=name,
        is_demo=True,
        now_us=month.end_us or 0,
    )
    program = (
        f"{_PROGRAM}\nimport resource, sys\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], input=_encode((url, order)), capture_output=True, check=True)
    return time.monotonic() - begun, int(done.stderr) / 1024, len(done.stdout)


def main() -> None:
    """Prints the table and stores it."""
    options = argparse.ArgumentParser(prog="benchmarks.reports", description=__doc__)
    options.add_argument("rows", type=int, nargs="*", default=[100_000, 1_000_000])
    lines = [f"{'rows':>10}  {'format':8}  {'seconds':>8}  {'peak MiB':>8}  {'MiB of file':>11}"]
    for rows in options.parse_args().rows:
        with tempfile.TemporaryDirectory(prefix="farthing-reports-") as folder:
            url = f"sqlite:///{Path(folder) / 'farthing.db'}"
            asyncio.run(filled(url, rows))
            for name in FORMATS:
                seconds, peak, size = measured(url, name)
                lines.append(f"{rows:10,}  {name:8}  {seconds:8.1f}  {peak:8.0f}  {size / (1 << 20):11.2f}")
    text = "\n".join(lines)
    print(text)
    keep("reports", text)


if __name__ == "__main__":
    main()

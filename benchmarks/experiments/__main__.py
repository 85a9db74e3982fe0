"""`make validate-experiments`: simulations behind every promise about experiments, into benchmarks/results."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from benchmarks.experiments.goals import Row, checks
from benchmarks.machine import store
from benchmarks.tables import aligned


def main() -> int:
    """Plays all of them on every core; the exit code says whether each goal is kept."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--scale", type=float, default=1.0, help="share of the experiments that are played")
    scale = reader.parse_args().scale
    start = time.monotonic()
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        found = pool.starmap(played, [(scale, number) for number in range(len(checks(scale)))], chunksize=1)
    rows = [row for some in found for row in some]
    missed = [row for row in rows if not row.is_kept]
    lines = [
        ("", "goal", "seen", ""),
        *((row.what, row.goal, row.seen, "" if row.is_kept else "MISSED") for row in rows),
    ]
    text = "\n".join([*aligned(lines), "", f"{len(missed)} of {len(rows)} goals missed"])
    print(f"{text}; {time.monotonic() - start:.0f} s")
    if scale >= 1:
        store("experiments", text)
    return len(missed) > 0


def played(scale: float, number: int) -> list[Row]:
    """One of the checks, in a process of its own."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    return checks(scale)[number]()


if __name__ == "__main__":
    sys.exit(main())

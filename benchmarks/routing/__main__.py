"""`make eval-routing`: every router on recorded outcomes beside published rows and goals, into benchmarks/results."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path

from benchmarks.machine import store
from benchmarks.routing.published import PUBLISHED
from benchmarks.routing.scoring import Scoring, reached, scored, shown
from benchmarks.routing.sets import DATA, absent, lacking, path_of
from benchmarks.tables import aligned


def main() -> int:
    """Scores all sets on every core; the exit code says whether each goal is reached."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", nargs="?", type=Path, default=DATA, help="folder of the recorded outcomes")
    reader.add_argument("--only", choices=sorted(PUBLISHED), help="this set alone; nothing is kept")
    asked = reader.parse_args()
    if missing := lacking(asked.data, PUBLISHED):
        print(f"{missing}: nothing was scored.")
        return absent()
    start = time.monotonic()
    names = [asked.only] if asked.only else list(PUBLISHED)
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        found = pool.starmap(one, [(asked.data, name) for name in names], chunksize=1)
    goals = [("", "goal", "seen", ""), *(line for scoring in found for line in reached(scoring))]
    missed = sum(line[-1] == "MISSED" for line in goals)
    text = "\n\n".join([*map(shown, found), "\n".join(aligned(goals)), f"{missed} of {len(goals) - 1} goals missed"])
    print(f"{text}; {time.monotonic() - start:.0f} s")
    if not asked.only:
        store("routing", text)
    return missed > 0


def one(data: Path, name: str) -> Scoring:
    """One set, in a process of its own."""
    return scored(name, path_of(data, name), [path_of(data, other) for other in PUBLISHED if other != name])


if __name__ == "__main__":
    sys.exit(main())

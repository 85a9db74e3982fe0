"""Prints what the pure parts of a request cost, beside an earlier commit: `python -m benchmarks.pure_parts`."""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from statistics import median
from time import thread_time_ns

from benchmarks.machine import ROOT, store
from benchmarks.tables import aligned

BEFORE = "e2ac78a"
"""The last commit before any part was made cheaper."""
ROUNDS = 5
SLICE_NS = 4_000_000
"""How long one sample of one part takes, about."""
SAMPLES = 5

EVERY = (
    *("id", "key digest", "decode, short", "read, short", "identity, short"),
    *("answer, 200 characters", "log, not sampled"),
)
BOUGHT = ("hold, no budget", "cost", "metrics, forwarded")
SUMS = {
    "a forward, concrete": (*EVERY, *BOUGHT, "concrete plan, short", "journal, concrete", "same model, short"),
    "a forward, auto": (*EVERY, *BOUGHT, "auto plan, short", "journal, auto", "other model, short"),
    "a hit, first time": (*EVERY, "memory hit", "metrics, hit", "journal, hit"),
}
"""What whole requests with a short question add up from."""


def main() -> None:
    """Measures both versions in turns, each in a process of its own, prints the table and stores it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="measure the parts with this in their name")
    parser.add_argument("--measure", action="store_true", help="measure this process's farthing, print JSON")
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.only)))
        return
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder)
        unpack(BEFORE, before)
        rounds = [[run(source, asked.only) for source in (before / "src", ROOT / "src")] for _ in range(asked.rounds)]
    was, now = ({name: median([one[side][name] for one in rounds]) for name in rounds[0][side]} for side in (0, 1))
    text = "\n".join(table(was, now))
    print(text)
    if not asked.only:
        store("pure_parts", text)


def unpack(commit: str, folder: Path) -> None:
    """The sources of a commit."""
    archive = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def run(source: Path, only: str) -> dict[str, float]:
    """One round of one version: nanoseconds of CPU by part."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pure_parts", "--measure", "--only", only],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        check=True,
        capture_output=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measured(only: str) -> dict[str, float]:
    """Nanoseconds of CPU by part, the least of some samples."""
    from benchmarks.pure_cases import cases

    figures = {}
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        for name, call in cases(Path(folder)):
            if only in name:
                figures[name] = cost(call)
    return figures


def cost(call: object) -> float:
    """CPU nanoseconds of one call, on this thread."""
    assert callable(call)
    count = 16
    while (took := timed(call, count)) < SLICE_NS / 4:
        count *= 4
    count = max(1, round(count * SLICE_NS / took))
    return min(timed(call, count) / count for _ in range(SAMPLES))


def timed(call: object, count: int) -> int:
    """CPU nanoseconds of `count` calls."""
    assert callable(call)
    begin = thread_time_ns()
    for _ in range(count):
        call()
    return thread_time_ns() - begin


def table(was: dict[str, float], now: dict[str, float]) -> list[str]:
    """Parts and sums in µs, before and after."""
    lines: list[tuple[str, ...]] = [("CPU µs per call", BEFORE, "now", "ratio")]
    whole = {name: parts for name, parts in SUMS.items() if all(part in now for part in parts)}
    for name, parts in whole.items():
        lines.append(_line(name, sum(was[part] for part in parts), sum(now[part] for part in parts)))
    lines += [_line(name, was[name], now[name]) for name in now]
    return aligned(lines)


def _line(name: str, was: float, now: float) -> tuple[str, ...]:
    return name, f"{was / 1000:.2f}", f"{now / 1000:.2f}", f"{now / was:.2f}"


if __name__ == "__main__":
    main()

"""`make bench-micro`: times the parts of a request one by one and compares them with the stored figures."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import RESULTS, ROOT, described, store
from benchmarks.micro.figures import Figure, Run, load, read_report, save, slower, table

STORED = RESULTS / "micro.json"
NOTES = """
Processor time of this process alone, the threads it works in included; `server` is what Redis, PostgreSQL or the
vendor's stand-in spent beside it. `relative`: the least time in thousandths of a fixed piece of work that was measured
between the rounds of the same benchmark; `ratio` is that figure over the stored one. Goals are those of a whole request
of the kind, a whole streamed event, a whole ledger row."""


def measure(rounds: int, only: str) -> dict[str, Figure] | None:
    """Runs the benchmarks whose name fits the expression `only`; None where one failed, which then has been told."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", *PYTEST, f"--rounds={rounds}", f"--benchmark-json={report}"]
        done = subprocess.run([*command, "-k", only], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="\n")
            return None
        return read_report(report.read_bytes())


PYTEST = (
    "--quiet",
    "-p",
    "no:cacheprovider",
    "--override-ini=python_files=bench_*.py",
    "--override-ini=python_functions=bench_*",
    "--override-ini=timeout=600",
    "--benchmark-timer=time.process_time",
    str(Path(__file__).parent),
)
"""How pytest finds and times the benchmarks, which are no tests."""


def main() -> int:
    """The exit code: 1 where a benchmark failed, or got slower than was asked for."""
    options = argparse.ArgumentParser(prog="benchmarks.micro", description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--only", default="", help="benchmarks whose name fits, as pytest's -k takes it")
    options.add_argument("--store", action="store_true", help="keep this run as the one to compare with")
    options.add_argument("--fail-above", type=float, metavar="RATIO", help="exit with 1 where a ratio is above")
    chosen = options.parse_args()
    figures = measure(chosen.rounds, chosen.only)
    if figures is None:
        return 1
    stored = load(STORED)
    known = stored.figures if stored else {}
    text = table(figures, known)
    print(f"{described()}\nstored: {stored.machine if stored else 'nothing'}\n\n{text}\n{NOTES}")
    if chosen.store:
        kept = {**known, **figures} if chosen.only else figures
        save(STORED, Run(described(), kept))
        store("micro", f"{table(kept, {})}\n{NOTES}")
    worse = slower(figures, known, chosen.fail_above) if chosen.fail_above else {}
    for name, ratio in worse.items():
        print(f"slower than stored: {name}, {ratio:.2f} times")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: the peers beside Farthing in one interleaved run, into benchmarks/results/gateways.txt."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from benchmarks.gateways import report
from benchmarks.gateways.bifrost import Bifrost
from benchmarks.gateways.contestant import Contestant
from benchmarks.gateways.limits import BusyFloor, Direct, Floor, Passing, Returning
from benchmarks.gateways.litellm import LiteLLM, OnGunicorn, OnUvicorn
from benchmarks.gateways.ours import Compiled, Farthing
from benchmarks.gateways.portkey import Portkey
from benchmarks.gateways.rig import LOAD_CORE, SERVED_CORE, Rig
from benchmarks.gateways.rows import ROWS, Row
from benchmarks.gateways.running import ceiling, compete
from benchmarks.gateways.tensorzero import TensorZero
from benchmarks.machine import ROOT, store
from benchmarks.scaling import scale

CONTESTANTS: dict[str, tuple[Callable[[Rig], Contestant], ...]] = {
    "compiled": (Compiled,),
    "nginx": (Passing, Returning),
    "floor": (Floor, BusyFloor),
    "tensorzero": (TensorZero,),
    "portkey": (Portkey,),
    "litellm": (LiteLLM,),
    "litellm-uvicorn": (OnUvicorn,),
    "litellm-gunicorn": (OnGunicorn,),
    "bifrost": (Bifrost,),
}
"""Whom PEERS can name; Farthing and the mock take part always."""
KINDS = tuple(ROWS.values())
USUAL = {"nginx", "floor", "tensorzero", "portkey", "litellm", "bifrost"}
ROUNDS = 3
RESULT = "gateways"
AWAKE = "Neither ever sleeps, so that nobody pays for waking their core; nginx, which ends TLS before the mock, does."
ASLEEP = "Both sleep where nothing is to be done, and whoever sends to them pays for waking their core."
BEGIN, END = "<!-- make bench -->", "<!-- /make bench -->"
"""Around the table in the README."""


def options() -> argparse.Namespace:
    """From the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--peers", type=_some(CONTESTANTS), default=USUAL, help=f"some of {', '.join(CONTESTANTS)}")
    parser.add_argument("--rows", type=_some(ROWS), default=set(ROWS), help=f"some of {', '.join(ROWS)}")
    parser.add_argument("--no-scale", dest="scale", action="store_false", help="without the run with two workers")
    parser.add_argument("--asleep", action="store_true", help="mock and load sleep, and whoever sends wakes them")
    parser.add_argument("--keep", metavar="NAME", help="keep a part of the run, too, as benchmarks/results/NAME.txt")
    return parser.parse_args()


def _some(known: Iterable[str]) -> Callable[[str], set[str]]:
    def names(text: str) -> set[str]:
        found = set(filter(None, text.split(",")))
        if unknown := found.difference(known):
            raise argparse.ArgumentTypeError(f"not among {', '.join(known)}: {', '.join(sorted(unknown))}")
        return found

    return names


def main() -> int:
    """The exit code; prints the tables, and stores them where the run was the whole one."""
    chosen = options()
    if len(os.sched_getaffinity(0)) <= max(SERVED_CORE, LOAD_CORE):
        print("make bench needs two cores: one for the gateway under test, one for the load and the mock.")
        return 1
    os.sched_setaffinity(0, {LOAD_CORE})
    peers = [maker for name in CONTESTANTS if name in chosen.peers for maker in CONTESTANTS[name]]
    rows: list[Row] = [row for row in ROWS if row in chosen.rows]
    with Rig(awake=not chosen.asleep) as rig:
        mock = ceiling(chosen.seconds)
        run = compete(rig, [Direct, Farthing, *peers], rows, rounds=chosen.rounds, seconds=chosen.seconds)
        if chosen.scale:
            run = msgspec.structs.replace(run, workers=scale(rig, rounds=chosen.rounds, seconds=chosen.seconds))
    text = report.full(run, notes(mock, rounds=chosen.rounds, seconds=chosen.seconds, awake=not chosen.asleep))
    print(text)
    whole = (
        chosen.peers >= USUAL and rows == list(ROWS) and chosen.rounds >= ROUNDS and chosen.scale and not chosen.asleep
    )
    if name := chosen.keep or (RESULT if whole else ""):
        store(name, f"{text}\n\n{report.ratios(run)}")
    if name == RESULT:
        publish(report.ratios(run))
    return 0


def publish(table: str, readme: Path = ROOT / "README.md") -> None:
    """Puts the short table where the README shows it."""
    before, between, after = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, ended, rest = after.partition(END)
    assert between, f"{BEGIN} does not stand in {readme.name}"
    assert ended, f"{END} does not stand in {readme.name}"
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest}", encoding="utf-8")


def notes(mock: str, *, rounds: int, seconds: float, awake: bool) -> list[str]:
    """How the figures came about."""
    return [
        f"{rounds} interleaved rounds of {seconds:g} s, medians. The gateway under test is alone on one core, all",
        "others are frozen; the mock and the load generator share the second core, and no third is used.",
        AWAKE if awake else ASLEEP,
        mock,
        *(f"{kind.title}: {kind.connections} connections; latency at {kind.paced_per_second:g}/s." for kind in KINDS),
        "CPU: the kernel's account of the whole process tree, what it does after the load included. Added: less what",
        "the mock takes, which stands in brackets; p99 under about 3 ms is the machine's noise. Farthing x: how many",
        "times the requests a second, or how many times less CPU.",
        "Farthing has everything on: key, budget, exact cache, journal, ledger in SQLite, metrics, log.",
        "The peers write nothing down, and only LiteLLM checks a key: docs/benchmarks.md has their settings.",
    ]


if __name__ == "__main__":
    sys.exit(main())

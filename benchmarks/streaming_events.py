"""Prints what a streamed event costs, beside an earlier commit: `python -m benchmarks.streaming_events`."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from benchmarks.accounting import account
from benchmarks.machine import ROOT, store
from benchmarks.mocked import MOCKED
from benchmarks.native import PLACEHOLDER, Load, Upstream
from benchmarks.tables import aligned
from tests.servers.gateway import Gateway

BEFORE = "98b92de"
"""One whose dependencies are today's; older ones need an environment of their own."""
EVENTS, GAP_MS = 34, 10
CONNECTIONS = (50, 200, 400)
"""Streams at once over sockets."""
SECONDS = 3.0
SETTLED_SECONDS = 1.5
"""After a load, until its rows are written: they belong to its cost."""
SERVED_CORE, LOAD_CORE = 0, 1
GOAL_US = 15.0
VALVE = {"FARTHING_SERVER__OVERLOAD_LAG_MS": "0"}
"""Streams that begin all at once are not refused."""
MASTER_KEY = "the-master-key-of-this-benchmark"
HEADERS = {"authorization": f"Bearer {MASTER_KEY}", "x-farthing-cache": "on"}
BODY = json.dumps(
    {
        "model": "mock",
        "messages": [{"role": "user", "content": f"Question {PLACEHOLDER}: what is an event loop?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
).encode()

NOTES = (
    f"The least of all rounds, both versions in turns. Goal, over sockets: {GOAL_US:.0f} µs with some hundred streams.",
    "Without sockets: a scripted vendor, everything else as it runs, less what waiting for chunks costs.",
    f"Over sockets: {EVENTS} events {GAP_MS} ms apart, one core, no two prompts the same; key, hold, cache, journal,",
    "ledger in SQLite and metrics on. The kernel's account of the process, divided by the events: it holds each",
    "stream's own cost (the request read and decided, connections, rows) and idle wake-ups, too. The mock and the load",
    "generator never sleep, so that nobody pays for waking them; no stream is refused (`overload_lag_ms` is 0).",
)

Figures = dict[str, float]


def main() -> int:
    """The exit code; measures both versions in turns, prints the table and stores it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--before", default=BEFORE, help="the commit to compare with")
    options.add_argument("--measure", action="store_true", help="measure this process's farthing, print JSON")
    chosen = options.parse_args()
    if chosen.measure:
        from benchmarks.streaming_cases import measured

        print(json.dumps(measured()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        before, now = Path(folder) / "before", Path(folder) / "now"
        unpack(chosen.before, before)
        now.mkdir()
        for name in ("src", "tests"):
            (now / name).symlink_to(ROOT / name)
        was, is_now = compared((before, now), chosen.rounds)
    text = "\n".join(table(was, is_now, chosen.before))
    print(text)
    store("streaming", text)
    return 0


def unpack(commit: str, folder: Path) -> None:
    """The sources and tests of a commit."""
    command = ["git", "archive", commit, "src", "tests"]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def compared(trees: tuple[Path, Path], rounds: int) -> tuple[Figures, Figures]:
    """The least of all rounds of each tree; a round asks one after the other."""
    found: tuple[list[Figures], list[Figures]] = [], []
    vendor = Upstream(events=EVENTS, gap_ms=GAP_MS, awake=True, runner=("taskset", "-c", str(LOAD_CORE)))
    gateways: list[Gateway] = []
    try:
        vendor.start()
        for tree in trees:
            gateways.append(_gateway(vendor, tree))
            gateways[-1].start()
        for _ in range(rounds):
            for tree, gateway, figures in zip(trees, gateways, found, strict=True):
                figures.append({**in_process(tree), **over_sockets(gateway)})
    finally:
        for server in (*gateways, vendor):
            server.remove()
    was, now = ({name: min(one[name] for one in each) for name in each[0]} for each in found)
    return was, now


def in_process(tree: Path) -> Figures:
    """CPU µs without sockets, in a process of its own."""
    path = os.pathsep.join(map(str, (tree / "src", tree, ROOT)))
    command = [sys.executable, "-m", "benchmarks.streaming_events", "--measure"]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True)
    figures: Figures = json.loads(done.stdout)
    return figures


def over_sockets(gateway: Gateway) -> Figures:
    """CPU µs of the gateway's process by the kernel's account for each streamed event, everything included."""
    figures = {}
    for connections in CONNECTIONS:
        load = Load(
            url=f"{gateway.url}/v1/chat/completions",
            body=BODY,
            headers=HEADERS,
            connections=connections,
            seconds=SECONDS,
            vary=True,
            awake=True,
        )
        before = account(gateway.pid).cpu_seconds
        result = load.put(runner=("taskset", "-c", str(LOAD_CORE)))
        time.sleep(SETTLED_SECONDS)
        cost = account(gateway.pid).cpu_seconds - before
        assert not result.errors, result.first_error
        figures[f"an event over sockets, {connections} streams"] = cost / (result.requests * EVENTS) * 1e6
    return figures


def table(was: Figures, now: Figures, commit: str) -> list[str]:
    """Every figure, before and after, and what it says."""
    head = ("CPU µs", commit, "now", "ratio")
    lines = [(name, f"{was[name]:.2f}", f"{now[name]:.2f}", f"{now[name] / was[name]:.2f}") for name in now]
    return [
        *aligned([head, *lines]),
        "",
        *NOTES,
    ]


def _gateway(vendor: Upstream, tree: Path) -> Gateway:
    own = {"FARTHING_MASTER_KEY": MASTER_KEY, "TEST_VENDOR_KEY": "any", "PYTHONPATH": str(tree / "src")}
    has_valve = (tree / "src/farthing/http/overload.py").exists()
    return Gateway(
        MOCKED.format(url=vendor.url),
        environment=own | (VALVE if has_valve else {}),
        runner=("taskset", "-c", str(SERVED_CORE)),
    )


if __name__ == "__main__":
    sys.exit(main())

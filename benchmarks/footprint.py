"""What the gateway asks of a machine: time to the first answer and to ready, memory at rest, what is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from benchmarks.accounting import account
from benchmarks.machine import ROOT, store
from benchmarks.tables import aligned
from tests.servers.gateway import Gateway
from tests.servers.process import free_port

STARTS = 5
REST_SECONDS = 3.0
FRESH_SECONDS = 600.0
TOOLS = {"pip", "setuptools", "uv", "farthing"}
"""Distributions that do not count: they install the others, or are the gateway itself."""
MIB = 1 << 20


class Fresh(msgspec.Struct, frozen=True):
    """From `make run` in a fresh clone to the first answer, and what that installed."""

    seconds: float
    distributions: int
    mib: float


class Started(msgspec.Struct, frozen=True):
    """Seconds to ready with a new database and, in the median, with an old one; MiB at rest."""

    first_s: float
    again_s: float
    resident_mib: float


def fresh_clone() -> Fresh:
    """Runs the last commit where nothing is set up and no package is cached. Raises `AssertionError` without answer."""
    with tempfile.TemporaryDirectory(prefix="farthing-fresh-") as folder:
        clone = Path(folder) / "farthing"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FARTHING_")}
        own = {"PORT": str(port), "XDG_DATA_HOME": folder, "PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1"}
        started = time.monotonic()
        with (Path(folder) / "log").open("wb") as log:
            make = subprocess.Popen(
                ["make", "run"], cwd=clone, env=kept | own, stdout=log, stderr=log, start_new_session=True
            )
        try:
            while not answers(port):
                waited = time.monotonic() - started
                assert make.poll() is None, (Path(folder) / "log").read_text()[-2000:]
                assert waited < FRESH_SECONDS, "no answer"
                time.sleep(0.05)
            seconds = time.monotonic() - started
        finally:
            os.killpg(make.pid, signal.SIGTERM)
            make.wait()
        [site] = clone.glob(".venv/lib/python3*/site-packages")
        return Fresh(seconds, *installed(site))


def answers(port: int) -> bool:
    """Whether a prompt gets its answer there."""
    body = json.dumps({"prompt": "What is a farthing?"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/complete", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 (loopback)
            return bool(json.load(response)["response"])
    except (OSError, urllib.error.URLError):
        return False


def installed(site: Path) -> tuple[int, float]:
    """Distributions in a site-packages folder that the gateway brought, and their MiB on disk."""
    found = [each for each in importlib.metadata.distributions(path=[str(site)]) if each.name not in TOOLS]
    files = {Path(str(file.locate())) for each in found for file in each.files or []}
    return len(found), sum(path.stat().st_size for path in files if path.is_file()) / MIB


def starts() -> Started:
    """Starts the gateway in demo mode, as `make run` does where everything is set up."""
    gateway = Gateway("")
    try:
        first, *again = [seconds_to_ready(gateway) for _ in range(1 + STARTS)]
        gateway.start()
        time.sleep(REST_SECONDS)
        return Started(first, statistics.median(again), account(gateway.pid).resident_mib)
    finally:
        gateway.remove()


def seconds_to_ready(gateway: Gateway) -> float:
    """From the start of the process until /readyz says 200."""
    started = time.monotonic()
    gateway.start()
    seconds = time.monotonic() - started
    gateway.stop()
    return seconds


def main() -> int:
    """The exit code; prints the figures and stores them."""
    again, fresh = starts(), fresh_clone()
    lines = [
        ("ready, already set up", f"{again.again_s:.2f} s"),
        ("ready, with a new database", f"{again.first_s:.2f} s"),
        ("memory at rest (resident)", f"{again.resident_mib:.0f} MiB"),
        ("`make run` on a fresh clone to the first answer, nothing cached", f"{fresh.seconds:.1f} s"),
        ("distributions installed", str(fresh.distributions)),
        ("installed on disk", f"{fresh.mib:.1f} MiB"),
    ]
    text = "\n".join(aligned(lines))
    print(text)
    store("footprint", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

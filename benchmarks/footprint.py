"""What the gateway asks of a machine: time to ready and to the first answer, memory at rest, what is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.accounting import account, proportional_mib
from benchmarks.machine import ROOT, store
from benchmarks.tables import aligned
from tests.servers.gateway import Gateway
from tests.servers.process import free_port

STARTS = 5
REST_SECONDS = 2.0
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
    """A start: seconds to ready, and of the processor; then MiB at rest, and once the page and the API were asked."""

    seconds: float
    cpu_seconds: float
    resident_mib: float
    proportional_mib: float
    asked_mib: float


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


def starts(workers: int = 1) -> tuple[Started, Started]:
    """The gateway in demo mode as `make run` starts it: with a new database and with an old one, each at its best."""
    again, first = list[Started](), list[Started]()
    for count in (STARTS, 0, 0):
        gateway = Gateway("", workers=workers)
        try:
            first.append(start(gateway))
            again += [start(gateway) for _ in range(count)]
        finally:
            gateway.remove()
    return best(first), best(again)


def best(found: Sequence[Started]) -> Started:
    """The least of each figure: what else the machine does can only make a start look slower."""
    return Started(*[min(getattr(each, name) for each in found) for name in Started.__struct_fields__])


def start(gateway: Gateway) -> Started:
    """Starts it, lets it rest, asks it for what is not hot, and stops it again."""
    began = time.monotonic()
    gateway.start()
    seconds, cpu_seconds = time.monotonic() - began, account(gateway.pid).cpu_seconds
    time.sleep(REST_SECONDS)
    resident, proportional = account(gateway.pid).resident_mib, proportional_mib(gateway.pid)
    for path in ("/", "/stats", "/metrics"):
        with urllib.request.urlopen(gateway.url + path, timeout=10) as response:  # noqa: S310 (loopback)
            response.read()
    asked = account(gateway.pid).resident_mib
    gateway.stop()
    return Started(seconds, cpu_seconds, resident, proportional, asked)


def helped() -> float:
    """Seconds that `farthing --help` takes, the best of several."""
    program = Path(sys.executable).with_name("farthing")
    seconds = []
    for _ in range(1 + STARTS):
        began = time.monotonic()
        subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.monotonic() - began)
    return min(seconds)


def main() -> int:
    """The exit code; prints the figures beside their goals and stores them."""
    first, again = starts()
    _, together = starts(workers=2)
    fresh = fresh_clone()
    lines = [
        ("", "measured", "goal"),
        (f"ready, already set up, best of {STARTS}", f"{again.seconds:.2f} s", "1 s"),
        ("  of the processor", f"{again.cpu_seconds:.2f} s", ""),
        ("ready, with a new database, best of 3", f"{first.seconds:.2f} s", "1 s"),
        (f"`farthing --help`, best of {1 + STARTS}", f"{helped():.2f} s", "0.3 s"),
        ("memory at rest (resident)", f"{again.resident_mib:.0f} MiB", "80 MiB"),
        ("  shared pages counted by share", f"{again.proportional_mib:.0f} MiB", ""),
        ("  after the first start, which made the database", f"{first.resident_mib:.0f} MiB", ""),
        ("  once the page, the API and /metrics were asked", f"{again.asked_mib:.0f} MiB", ""),
        (f"ready, two workers, best of {STARTS}", f"{together.seconds:.2f} s", ""),
        ("memory at rest, two workers and their parent, by share", f"{together.proportional_mib:.0f} MiB", ""),
        ("`make run` on a fresh clone to the first answer, nothing cached", f"{fresh.seconds:.1f} s", ""),
        ("distributions installed", str(fresh.distributions), "50"),
        ("installed on disk", f"{fresh.mib:.1f} MiB", ""),
    ]
    text = "\n".join(aligned(lines))
    print(text)
    store("footprint", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make scenario`: people before a gateway in demo mode; every answer they get must stand in its ledger."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.machine import ROOT, store
from benchmarks.scenario.ledger import compare, rows
from tests.servers.gateway import Gateway

LOCUST = ROOT / ".benchmarks" / "locust" / "bin" / "locust"
FILE = Path(__file__).with_name("locustfile.py")
GRACE_SECONDS = 10


def locust(url: str, *, users: int, seconds: int, answered: Path) -> subprocess.CompletedProcess[str]:
    """Runs locust to its end; its tables are in the output, the ids of all answers in the file."""
    options = {
        "-f": str(FILE),
        "--host": url,
        "--users": str(users),
        "--spawn-rate": str(users),
        "--run-time": f"{seconds}s",
        "--stop-timeout": str(GRACE_SECONDS),
        "--answered": str(answered),
        "--loglevel": "WARNING",
    }
    command = [str(LOCUST), "--headless", "--only-summary", *(part for pair in options.items() for part in pair)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def main() -> int:
    """The exit code; prints locust's tables and what the ledger says, and stores both."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=50)
    options.add_argument("--seconds", type=int, default=30)
    chosen = options.parse_args()
    gateway = Gateway("")
    try:
        gateway.start()
        answered = gateway.folder / "answered"
        done = locust(gateway.url, users=chosen.users, seconds=chosen.seconds, answered=answered)
        finding = (
            compare(answered.read_text(encoding="utf-8").split(), rows(gateway.url)) if answered.exists() else None
        )
    finally:
        gateway.remove()
    text = "\n".join([done.stdout.strip(), "", finding.told() if finding else "locust left no list of answers."])
    print(text)
    good = done.returncode == 0 and finding is not None and finding.is_good
    if good:
        store("scenario", text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

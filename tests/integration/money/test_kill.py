"""kill -9 at any moment loses nothing that a journal has noted."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.money.worker import PARALLEL
from tests.unit.money.samples import inherited, names

ROOT = Path(__file__).parents[3]
KILLS = 10


@pytest.fixture
def killed_worker(tmp_path: Path) -> Callable[[str, int, float], str]:
    """Starts a worker, lets it live so many seconds after its first word, and returns what it said."""

    def live(name: str, first: int, seconds: float) -> str:
        command = [sys.executable, "-m", "tests.integration.money.worker", str(tmp_path), name, str(first)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            said = worker.stdout.readline()
            killer = subprocess.Popen(["/bin/sh", "-c", f"sleep {seconds}; kill -9 {worker.pid}"])
            said += worker.stdout.read()
            killer.wait()
        assert worker.returncode == -9
        return said[: said.rindex("\n") + 1]

    return live


def test_a_killed_worker_loses_nothing(tmp_path: Path, killed_worker: Callable[[str, int, float], str]) -> None:
    """Each request has one row: settled where the worker said so, else settled or cut off; at most one is unsaid."""
    dice = random.Random(seed := time.time_ns())
    for turn in range(KILLS):
        words = killed_worker(f"worker-{turn}", turn * 10_000_000, dice.random() * 0.2).split()
        told = {sign: {int(word[1:]) for word in words if word[0] == sign} for sign in "+-="}
        rows: dict[int, str] = dict.fromkeys(told["="], "ok")
        for row in inherited(tmp_path, limit=500):
            rows.setdefault(int(row.request_id[:8]), row.status)
        noted = f"seed {seed}, turn {turn}: {len(told['+'])} opened"
        assert told["+"] <= rows.keys(), noted
        assert len(rows.keys() - told["+"]) <= 1, noted
        assert {number for number in told["-"] if rows[number] != "ok"} == set(), noted
        assert sum(status == "interrupted" for status in rows.values()) <= PARALLEL + 1, noted
        assert len(told["+"]) > PARALLEL, noted
    assert names(tmp_path) == []

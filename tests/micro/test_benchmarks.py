"""The benchmarks of the parts of a request still run, and what they time is right."""

import subprocess
import sys

from benchmarks.machine import ROOT
from benchmarks.micro.__main__ import PYTEST


def test_every_benchmark_without_a_server_runs() -> None:
    """Once and untimed; each asserts the result of what it would time."""
    command = [sys.executable, "-m", "pytest", *PYTEST, "--benchmark-disable", "-k", "not redis and not postgresql"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout

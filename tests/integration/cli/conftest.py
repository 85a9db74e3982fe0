"""Runs commands in a process of their own, as people do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Program = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = Path(sys.executable).with_name("farthing")


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Nothing of this machine's own settings and keys: what programs need, coverage, and what the test says."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE")}
    return {**kept, "HOME": str(home), **more}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Runs `farthing` with arguments in an empty folder; keywords are its environment."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=tmp_path,
            env=environment(tmp_path, environ),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run

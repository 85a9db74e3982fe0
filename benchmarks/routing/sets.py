"""Where the recorded outcomes of public sets are kept."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from benchmarks.machine import ROOT

DATA = ROOT.parent / "shared" / "data" / "routing"


def path_of(data: Path, name: str) -> Path:
    """The file of a set."""
    return data / f"{name}.jsonl.gz"


def lacking(data: Path, names: Iterable[str]) -> str | None:
    """In words, the first set that is not there; None where all are."""
    missing = next((path for path in (path_of(data, name) for name in names) if not path.exists()), None)
    return None if missing is None else f"No {missing.name} in {os.path.relpath(data)}"


def folder(description: str | None, names: Iterable[str]) -> Path | None:
    """The folder that the command line names, or the usual one; None, and a line that says so, where it lacks one."""
    reader = argparse.ArgumentParser(description=description)
    reader.add_argument("data", nargs="?", type=Path, default=DATA, help="folder of the recorded outcomes")
    data: Path = reader.parse_args().data
    if missing := lacking(data, names):
        print(f"{missing}: nothing was tried.")
        return None
    return data


def absent() -> int:
    """The exit code of what cannot be tried: where everything has to be there it is a failure."""
    return 1 if os.environ.get("CI") else 0

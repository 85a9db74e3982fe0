"""Where the recorded outcomes of public sets are kept."""

from __future__ import annotations

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

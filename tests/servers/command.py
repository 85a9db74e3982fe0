"""Commands run in this process, in an empty folder with an empty environment: starting one costs a second."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from farthing.cli import main


class Said(Struct, frozen=True):
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str


Farthing = Callable[..., Said]


@pytest.fixture
def farthing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Farthing]:
    """Runs `farthing` with arguments and what is `typed`; other keywords are its environment."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, typed: str = "", **environ: str) -> Said:
        os.environ.clear()
        os.environ.update({"HOME": str(tmp_path), "PATH": before["PATH"], **environ})
        monkeypatch.setattr(sys, "argv", ["farthing", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    os.environ.clear()
    os.environ.update(before)

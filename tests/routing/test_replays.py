"""Replays held against recorded outcomes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.routing import replays
from benchmarks.routing.replays import WRONG, Row, World, cheapest, main, tried
from farthing.insight.learning.labels import Labelled, Outcome

ENCODE = msgspec.json.Encoder().encode
GOOD = Row(0.95, 0.94, 0.02, 0.01, 0.03, 0.5, 120.0)


def test_the_cheapest_within_the_floor_is_chosen() -> None:
    """Models stand in the order of their price."""
    quality = np.array([[0.5, 0.6, 0.9], [0.85, 0.6, 0.9], [0.2, 0.85, 0.9]])
    assert cheapest(quality, 0.1).tolist() == [2, 0, 1]


def test_a_row_says_whether_it_keeps_the_goals() -> None:
    """Intervals always have to hold the truth; the error has to be small once there are ratings enough."""
    assert GOOD.is_kept
    assert not replace(GOOD, covered=0.92).is_kept
    assert not replace(GOOD, covered_difference=0.92).is_kept
    assert not replace(GOOD, error=0.04).is_kept
    assert replace(GOOD, error=0.04, effective=99.0).is_kept


def test_intervals_hold_the_truth_however_wrong_what_is_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of requests of two kinds, of which the cheap model fails at one."""
    monkeypatch.setattr(replays, "RUNS", 40)
    monkeypatch.setattr(replays, "REQUESTS", 2_000)
    kind = np.arange(400) % 2
    quality = np.column_stack([1.0 - 0.5 * kind, np.full(400, 0.95)])
    world = World(quality, quality + 0.05, kind)
    for foretold in WRONG.values():
        row = tried(world, 0.1, 0.3, foretold)
        assert min(row.covered, row.covered_difference) >= 0.9


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("1", 1)])
def test_without_data_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, status: int
) -> None:
    """Which is a failure only where it must not be."""
    monkeypatch.setattr(sys, "argv", ["replays", str(tmp_path)])
    monkeypatch.setenv("CI", ci)
    assert main() == status
    assert "nothing was tried" in capsys.readouterr().out


def test_the_table_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each setting; the exit code says whether goals are missed."""
    rows = [
        Labelled(
            f"Add {number} and {number}.",
            {"a": Outcome(number % 2, 0.001), "b": Outcome(1.0, 0.01)},
            id=f"{number:08x}",
        )
        for number in range(60)
    ]
    (tmp_path / "own.jsonl.gz").write_bytes(b"\n".join(ENCODE(row) for row in rows))
    kept: dict[str, str] = {}
    for name, value in {"SETS": {"own": None}, "RUNS": 5, "REQUESTS": 300, "EXPLORED": (0.1,), "RATED": (0.3,)}.items():
        monkeypatch.setattr(replays, name, value)
    monkeypatch.setattr(replays, "store", kept.__setitem__)
    monkeypatch.setattr(sys, "argv", ["replays", str(tmp_path)])
    assert main() in (0, 1)
    lines = kept["routing-replay"].splitlines()
    assert [line.split()[:5] for line in lines[1:4]] == [["own", "10", "%", "30", "%"]] * 3
    assert "of all intervals hold the truth" in lines[-1]

"""Promises held to a judge who errs, tried on a small route of our own."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.routing import judges
from benchmarks.routing.judges import Route, main, tried
from farthing.domain.routing.rules import Promise
from tests.unit.insight.evaluation.outcomes import halves


def route(worse: float, size: int = 1_000) -> Route:
    """The cheaper model fails at such a share of the requests, the baseline at none; the same is expected of both."""
    fails = np.arange(size) < worse * size
    return Route(np.stack([np.ones(size), np.where(fails, 0.0, 1.0)], axis=1), np.zeros(size))


def test_a_judge_who_flatters_is_found_out_by_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """By himself he lets a model through that loses too much; one who errs alike on both never does."""
    monkeypatch.setattr(judges, "SAMPLES", 20)
    alone, corrected = tried(route(0.2), Promise(points=0.1), 1_000, 0.5, kindness=0.9, is_by_margin=False)
    assert (alone, corrected) == ((1.0, 1.0), (0.0, 0.0))
    for found in tried(route(0.4), Promise(points=0.1), 1_000, 0.5, kindness=0.05, is_by_margin=True):
        assert found == (0.0, 0.0)


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("1", 1)])
def test_without_data_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, status: int
) -> None:
    """Which is a failure only where it must not be."""
    monkeypatch.setattr(sys, "argv", ["judges", str(tmp_path)])
    monkeypatch.setenv("CI", ci)
    assert main() == status
    assert "nothing was tried" in capsys.readouterr().out


def test_the_table_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each judge, way of serving, promise and size."""
    (tmp_path / "own.jsonl.gz").write_bytes(b"\n".join(msgspec.json.encode(row) for row in halves(40)))
    kept: dict[str, str] = {}
    monkeypatch.setattr(judges, "SET", "own")
    monkeypatch.setattr(judges, "MODELS", ("b", "a"))
    monkeypatch.setattr(judges, "SAMPLES", 2)
    monkeypatch.setattr(judges, "SIZES", ((200, 0.5),))
    monkeypatch.setattr(judges, "store", kept.__setitem__)
    monkeypatch.setattr(sys, "argv", ["judges", str(tmp_path)])
    assert main() == 0
    assert [line.split()[:6] for line in kept["routing-judges"].splitlines()[1:3]] == [
        ["fair", "by", "chance", "2", "200", "50%"],
        ["fair", "by", "chance", "5", "200", "50%"],
    ]

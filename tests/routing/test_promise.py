"""Promises of quality, tried on small sets of our own."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.routing import promise
from benchmarks.routing.promise import FLOORS, Route, limit, losses, main, route_of, tried
from farthing.domain.routing.rules import Promise
from farthing.insight.learning.labels import Labelled, Outcome
from tests.unit.insight.evaluation.outcomes import halves

ENCODE = msgspec.json.Encoder().encode


def route(*rates: float, size: int = 1_000) -> Route:
    """Settings that lose all quality on such shares of the requests, and save a tenth more each."""
    rows = np.arange(size)
    loss = np.array([(rows < rate * size).astype(float) for rate in rates])
    return Route(loss=loss, saved=np.array([(place + 1) / 10 for place in range(len(rates))]))


def test_a_setting_that_loses_nothing_is_always_let_through() -> None:
    """And saves what it saves; one that loses far too much never is."""
    row = tried(route(0.0, 0.5), Promise(points=0.05), 200)
    assert (row.broken, row.tuned, round(row.saved, 6)) == (0, 0, 0.1)


def test_what_loses_just_too_much_is_let_through_seldom() -> None:
    """One in ten times, where tuning on the sample would do so half of the time."""
    row = tried(route(0.051, size=10_000), Promise(points=0.05), 500)
    assert 0.02 < row.broken <= limit(Promise(points=0.05))
    assert 0.4 < row.tuned < 0.6
    assert row.saved == pytest.approx(row.broken / 10)


def test_losses_are_those_of_the_drawn_requests() -> None:
    """Setting by setting."""
    assert list(losses(route(0.5, 1.0, size=2), np.array([0, 1, 1]))) == [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]


def test_a_setting_asks_the_cheapest_model_within_the_floor_of_the_baseline() -> None:
    """With the last floor of 0.5 the cheap model is asked also where it loses."""
    found = route_of(halves(40), "b")
    assert found.loss.shape == (len(FLOORS), 40)
    assert found.loss[0].mean() <= found.loss[-1].mean()
    assert 0 <= found.saved[0] <= found.saved[-1] <= 1


def test_where_no_costs_are_recorded_calls_are_counted() -> None:
    """Each one that the baseline does not get is saved."""
    rows = [
        Labelled(f"Word {number}", {"large": Outcome(1.0), "small": Outcome(1.0)}, id=f"{number:08x}")
        for number in range(20)
    ]
    assert route_of(rows, "large").saved.tolist() == [1.0] * len(FLOORS)


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("1", 1)])
def test_without_data_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, status: int
) -> None:
    """Which is a failure only where it must not be."""
    monkeypatch.setattr(sys, "argv", ["promise", str(tmp_path)])
    monkeypatch.setenv("CI", ci)
    assert main() == status
    assert "nothing was tried" in capsys.readouterr().out


def test_the_table_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each set, promise and size; the exit code says whether goals are missed."""
    (tmp_path / "own.jsonl.gz").write_bytes(b"\n".join(ENCODE(row) for row in halves(40)))
    kept: dict[str, str] = {}
    monkeypatch.setattr(promise, "BASELINES", {"own": "b"})
    monkeypatch.setattr(promise, "SAMPLES", 20)
    monkeypatch.setattr(promise, "SIZES", (200,))
    monkeypatch.setattr(promise, "store", kept.__setitem__)
    monkeypatch.setattr(sys, "argv", ["promise", str(tmp_path)])
    assert main() in (0, 1)
    assert [line.split()[:3] for line in kept["routing-promise"].splitlines()[1:4]] == [
        ["own", "1", "200"],
        ["own", "2", "200"],
        ["own", "5", "200"],
    ]
